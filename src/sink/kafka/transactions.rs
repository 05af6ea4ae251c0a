//! Exactly-once delivery: what is sent between two commits is seen by read-committed readers altogether or not at all.
//!
//! ```text
//! take over ──> begin ──> records ──> all acknowledged ──> commit ──> a control record in each partition
//!     ^           ^                                          │ │
//!     │           └───────────────── certain ────────────────┘ │
//!     └── another client, the log is read again ── uncertain ──┘
//! ```
//!
//! The protocol that the client speaks ends a producer's transaction, whichever that is: a request to end one that was held back
//! on its way can end the next one (KAFKA-17754), and tear it. So a commit that may have been asked for more than once is not
//! built upon. The client is replaced, whose new epoch fences what is still on its way, and the log is read again.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

use crate::generator::digest::Digest;
use crate::generator::spec::Layout;
use crate::generator::stream::Shard;
use crate::kafka::Cluster;

/// A transaction is committed at this age, or with so many records: a read-committed reader waits so long, and so many are sent
/// again after a crash.
const AGE_MAX: Duration = Duration::from_secs(1);
const RECORDS_MAX: u64 = 100_000;
/// A client whose connection broke, or that was refused, asks again after this time, or up to a fifth earlier
/// ([`name`]); one that gets no answer, after [`SILENCE`](super::producer::SILENCE).
pub(super) const ASKED_AGAIN: Duration = Duration::from_secs(1);
/// It is longer where commits take long again and again, but no longer than that: what a broken connection had on its way waits so long too.
const ASKED_AGAIN_MAX: Duration = Duration::from_secs(4);
/// A commit that took less than this part of it, in percent, was asked for once.
const CERTAIN_PERCENT: u32 = 70;
/// While the client waits for an answer, signals are looked for this often.
pub(super) const STEP: Duration = Duration::from_millis(500);
/// What a broker allows by default (`transaction.max.timeout.ms`): a transaction whose brokers were away for less is not ended by them, which
/// would look like another writer.
const TIMEOUT: Duration = Duration::from_secs(900);
/// An open transaction is ended for so long where a run fails.
pub(super) const ENDING: Duration = Duration::from_millis(500);

/// Where a producer's transactions stand.
#[derive(Debug)]
pub(super) struct Transactions {
    /// When the open one began, and its records.
    open: Option<(Instant, u64)>,
    commits: u64,
    committed: u64,
    /// After which time this client asks again.
    asked_again: Duration,
    /// Commits since the last one that was certain.
    uncertain: u32,
}

impl Transactions {
    pub(super) fn new(asked_again: Duration) -> Self {
        Self { open: None, commits: 0, committed: 0, asked_again, uncertain: 0 }
    }

    pub(super) fn is_due(&self) -> bool {
        self.open.is_some_and(|(begun, records)| records >= RECORDS_MAX || begun.elapsed() >= AGE_MAX)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// After which time this client asks again.
    pub(super) fn asked_again(&self) -> Duration {
        self.asked_again
    }

    /// One is open from now on.
    pub(super) fn begin(&mut self) {
        self.open = Some((Instant::now(), 0));
    }

    /// The open one is committed.
    pub(super) fn commit(&mut self) {
        self.committed += self.open.take().map_or(0, |(_, records)| records);
        self.commits += 1;
    }

    /// A record was sent within the open one.
    pub(super) fn sent_one(&mut self) {
        if let Some((_, records)) = &mut self.open {
            *records += 1;
        }
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// Whether a commit that took so long was asked for once.
    pub(super) fn is_certain(&mut self, took: Duration) -> bool {
        let certain = took < self.asked_again * CERTAIN_PERCENT / 100;
        self.uncertain = if certain { 0 } else { self.uncertain + 1 };
        certain
    }

    /// Another client will write them. Where brokers take long each time, it is given more patience.
    pub(super) fn replaced(&mut self) -> Duration {
        self.open = None;
        if self.uncertain > 1 {
            self.asked_again = (self.asked_again * 2).min(ASKED_AGAIN_MAX);
        }
        self.asked_again
    }

    /// Records of all transactions, the open one among them.
    pub(super) fn sent(&self) -> u64 {
        self.committed + self.open.map_or(0, |(_, records)| records)
    }

    /// Records of all transactions that are committed.
    pub(super) fn committed(&self) -> u64 {
        self.committed
    }
}

pub(super) fn taking_over(error: &ClientError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::InvalidTransactionTimeout) => {
            "taking over the topics' transactions (lower transaction.timeout.ms to the brokers' transaction.max.timeout.ms)"
        }
        _ => "taking over the topics' transactions",
    }
}

/// When a client asks again whose brokers took so long for their first answer, which is several round trips.
pub(super) fn asked_again(first_answer: Duration) -> Duration {
    first_answer.clamp(ASKED_AGAIN, ASKED_AGAIN_MAX)
}

/// Whether the same call is to be made again.
pub(super) fn is_retriable(error: &ClientError) -> bool {
    match error {
        ClientError::Transaction(error) => error.is_retriable(),
        // Before it commits the client looks whether all is acknowledged.
        ClientError::Flush(_) => true,
        _ => false,
    }
}

/// The name by which a writer fences its predecessor: whoever writes to the same topics as the same worker has the same one.
fn transactional_id(layout: &Layout, shard: Shard) -> String {
    let names: Vec<&str> = layout.topics().iter().map(|topic| topic.name.as_str()).collect();
    let topics: String = Digest::of(names.join(",")).to_string().chars().take(16).collect();
    format!("mock-data-gen-{topics}-{}", shard.to_string().replace('/', "-of-"))
}

/// Adds what transactions need to a producer's settings, before the user's.
pub(super) fn configure(config: &mut ClientConfig) {
    config.set("transaction.timeout.ms", TIMEOUT.as_millis().to_string());
}

/// The same, which beats the user's.
pub(super) fn name(config: &mut ClientConfig, cluster: &Cluster, shard: Shard, asked_again: Duration) {
    config
        .set("transactional.id", transactional_id(cluster.layout(), shard))
        .set("retry.backoff.ms", asked_again.as_millis().to_string())
        .set("retry.backoff.max.ms", asked_again.as_millis().to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_worker_of_the_same_topics_has_the_same_name() {
        let layout = Layout::default();
        let worker = "1/3".parse().unwrap();
        assert_eq!(transactional_id(&layout, worker), "mock-data-gen-3183ae57c3727d58-1-of-3");
        let more = layout.with_partitions([crate::generator::spec::Partitions::new(7).unwrap(); 4]);
        assert_eq!(transactional_id(&more, worker), transactional_id(&layout, worker));
        assert_ne!(transactional_id(&layout, Shard::WHOLE), transactional_id(&layout, worker));
    }
}
