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

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::producer::Producer;

use super::Kafka;
use super::producer::producer;
use super::waiting::{PATIENCE, Waiting};
use crate::generator::digest::Digest;
use crate::generator::spec::Layout;
use crate::generator::stream::Shard;
use crate::kafka::{Cluster, KafkaError, POLL_WAIT, READY};
use crate::sink::SinkError;

/// A transaction is committed at this age, or with so many records: a read-committed reader waits so long, and so many are sent
/// again after a crash.
const AGE_MAX: Duration = Duration::from_secs(1);
const RECORDS_MAX: u64 = 100_000;
/// A client whose connection broke, or that was refused, asks again after this time, or up to a fifth earlier
/// ([`name`]); one that gets no answer, after [`SILENCE`](super::producer::SILENCE).
const ASKED_AGAIN: Duration = Duration::from_secs(1);
/// It is longer where commits take long again and again, but no longer than that: what a broken connection had on its way waits so long too.
const ASKED_AGAIN_MAX: Duration = Duration::from_secs(4);
/// A commit that took less than this part of it, in percent, was asked for once.
const CERTAIN_PERCENT: u32 = 70;
/// While the client waits for an answer, signals are looked for this often.
const STEP: Duration = Duration::from_millis(500);
/// What a broker allows by default (`transaction.max.timeout.ms`): a transaction whose brokers were away for less is not ended by them, which
/// would look like another writer.
const TIMEOUT: Duration = Duration::from_secs(900);
/// An open transaction is ended for so long where a run fails.
const ENDING: Duration = Duration::from_millis(500);

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

    fn is_due(&self) -> bool {
        self.open.is_some_and(|(begun, records)| records >= RECORDS_MAX || begun.elapsed() >= AGE_MAX)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
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
    fn is_certain(&mut self, took: Duration) -> bool {
        let certain = took < self.asked_again * CERTAIN_PERCENT / 100;
        self.uncertain = if certain { 0 } else { self.uncertain + 1 };
        certain
    }

    /// Another client will write them. Where brokers take long each time, it is given more patience.
    fn replaced(&mut self) -> Duration {
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

impl Kafka {
    /// Ends an earlier writer's transaction, and fences it.
    pub(super) fn take_over(&self) -> Result<(), KafkaError> {
        let begin = Instant::now();
        loop {
            match self.producer.init_transactions(STEP) {
                Ok(()) => return Ok(()),
                Err(_) if self.stop.is_requested() => return Err(KafkaError::Stopped),
                Err(error) if is_retriable(&error) && begin.elapsed() < READY => self.poll(),
                Err(error) => {
                    return Err(match KafkaError::from_transaction_error(&error) {
                        lasting @ (KafkaError::Fenced | KafkaError::Obstacle(_)) => lasting,
                        _ => KafkaError::refused(taking_over(&error), error, READY),
                    });
                }
            }
        }
    }

    /// Replaces a client whose transaction ended nobody knows how; where the log ends is to be looked at then.
    ///
    /// # Errors
    /// As [`Kafka::transactional`].
    pub fn replace(&mut self, cluster: &Cluster, shard: Shard) -> Result<(), KafkaError> {
        let asked_again = self.transactions.as_mut().map_or(ASKED_AGAIN, Transactions::replaced);
        let producer = producer(cluster, Some((shard, asked_again)), &self.metrics)?;
        self.producer.context().end();
        drop(std::mem::replace(&mut self.producer, producer));
        (self.sent, self.waiting) = (0, Waiting::default());
        self.stalls.get_mut().begin();
        self.take_over().map_err(|error| cluster.client().explain(error))
    }

    /// Sees to it that a transaction is open for a record; after a signal none is begun.
    pub(super) fn before_record(&mut self) -> Result<(), SinkError> {
        self.commit_if_due()?;
        let Some(transactions) = self.transactions.as_mut().filter(|transactions| !transactions.is_open()) else {
            return Ok(());
        };
        if self.stop.is_requested() {
            return Err(SinkError::Stopped);
        }
        transactions.open = Some((Instant::now(), 0));
        self.producer.begin_transaction().map_err(|error| self.ended(KafkaError::from_transaction_error(&error)))?;
        Ok(())
    }

    /// Commits a transaction that is old or large enough, and goes on only if it is certain how it ended.
    pub(super) fn commit_if_due(&mut self) -> Result<(), KafkaError> {
        if !self.transactions.as_ref().is_some_and(Transactions::is_due) {
            return Ok(());
        }
        let took = self.commit()?;
        let is_certain = self.transactions.as_mut().is_none_or(|transactions| transactions.is_certain(took));
        if is_certain || self.stop.is_requested() {
            return Ok(());
        }
        let reason = format!("a commit took {} ms and may have been asked for twice", took.as_millis());
        Err(self.ended(KafkaError::Uncertain { reason }))
    }

    /// Why the open transaction has to be aborted, if it has to be.
    pub(super) fn transaction_error(&self) -> Option<ClientError> {
        self.transactions.as_ref().filter(|transactions| transactions.is_open())?;
        // None is begun within an open one, and the refusal tells what is wrong with that.
        let refused = self.producer.begin_transaction().err()?;
        matches!(&refused, ClientError::Transaction(error) if error.txn_requires_abort()).then_some(refused)
    }

    /// Commits what is left.
    pub(super) fn commit_last(&mut self) -> Result<(), KafkaError> {
        if self.transactions.as_ref().is_some_and(Transactions::is_open) { self.commit().map(drop) } else { Ok(()) }
    }

    /// Commits the open transaction. How long the brokers took, acknowledgements aside.
    fn commit(&mut self) -> Result<Duration, KafkaError> {
        // The client would look for acknowledgements ten times a second only.
        self.drain()?;
        self.send_offsets()?;
        let took = self.answered("a commit", || self.producer.commit_transaction(STEP))?;
        self.producer.context().committed();
        if let Some(transactions) = &mut self.transactions {
            transactions.committed += transactions.open.take().map_or(0, |(_, records)| records);
            transactions.commits += 1;
        }
        Ok(took)
    }

    /// Puts the offsets of the run's group into the open transaction, all of whose records are acknowledged.
    fn send_offsets(&mut self) -> Result<(), KafkaError> {
        let context = self.producer.context();
        let Some(offsets) = &mut self.offsets else { return Ok(()) };
        let Some((offsets, group)) = offsets.of_transaction(&context.deliveries()) else { return Ok(()) };
        let send = || self.producer.send_offsets_to_transaction(&offsets, &group, STEP);
        self.answered("the offsets of a transaction", send).map(drop)
    }

    /// Makes a call of the transactions' protocol again until the brokers have answered. How long they took.
    fn answered(&self, what: &str, call: impl Fn() -> Result<(), ClientError>) -> Result<Duration, KafkaError> {
        let begin = Instant::now();
        let mut told = begin;
        while let Err(error) = call() {
            if !is_retriable(&error) {
                return Err(self.ended(KafkaError::from_transaction_error(&error)));
            }
            if self.stop.drain_is_over() {
                return Err(self.ended(KafkaError::NotCommitted));
            }
            self.metrics.tick();
            self.replace_after(begin)?;
            if told.elapsed() >= PATIENCE {
                told = Instant::now();
                let seconds = begin.elapsed().as_secs();
                let reason =
                    self.producer.context().last_trouble().map_or_else(String::new, |reason| format!(": {reason}"));
                tracing::warn!(target: "kafka", seconds, "no answer to {what} for {seconds} s, nothing is lost{reason}");
            }
            thread::sleep(POLL_WAIT);
        }
        Ok(begin.elapsed())
    }
}

impl Drop for Kafka {
    /// An open transaction hides what others write behind it from readers, so it is ended where that is quick.
    fn drop(&mut self) {
        if !self.transactions.as_ref().is_some_and(Transactions::is_open) {
            return;
        }
        let begin = Instant::now();
        // The client waits until what it throws away is taken, which nobody else does meanwhile.
        while let Err(error) = self.producer.abort_transaction(POLL_WAIT) {
            if !is_retriable(&error) || begin.elapsed() >= ENDING || self.stop.drain_is_over() {
                return;
            }
            self.poll();
        }
    }
}

fn taking_over(error: &ClientError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::InvalidTransactionTimeout) => {
            "taking over the topics' transactions (lower -X transaction.timeout.ms to the brokers' transaction.max.timeout.ms)"
        }
        _ => "taking over the topics' transactions",
    }
}

/// When a client asks again whose brokers took so long for their first answer, which is several round trips.
pub(super) fn asked_again(first_answer: Duration) -> Duration {
    first_answer.clamp(ASKED_AGAIN, ASKED_AGAIN_MAX)
}

/// Whether the same call is to be made again.
fn is_retriable(error: &ClientError) -> bool {
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
