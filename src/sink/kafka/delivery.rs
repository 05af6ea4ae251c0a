//! How often a record is seen: what differs between idempotent and exactly-once delivery.

use std::time::Duration;

use super::transactions::{self, ASKED_AGAIN, Transactions};
use crate::generator::stream::Shard;
use crate::kafka::KafkaError;

/// How records are delivered.
#[derive(Debug)]
pub(super) enum Delivery {
    /// Each record is stored once and in order, as long as its broker knows the producer.
    Idempotent,
    /// Besides, read-committed readers see what is sent between two commits altogether or not at all.
    ExactlyOnce(Transactions),
}

impl Delivery {
    /// With transactions for a shard, whose brokers took so long for their first answer.
    pub(super) fn new(shard: Option<Shard>, first_answer: Duration) -> Self {
        match shard {
            Some(_) => Self::ExactlyOnce(Transactions::new(transactions::asked_again(first_answer))),
            None => Self::Idempotent,
        }
    }

    pub(super) fn is_exactly_once(&self) -> bool {
        matches!(self, Self::ExactlyOnce(_))
    }

    /// After which time the client asks for a commit again.
    pub(super) fn asked_again(&self) -> Option<Duration> {
        match self {
            Self::Idempotent => None,
            Self::ExactlyOnce(transactions) => Some(transactions.asked_again()),
        }
    }

    /// Another client will write. After which time that one asks for a commit again.
    pub(super) fn replaced(&mut self) -> Duration {
        match self {
            Self::Idempotent => ASKED_AGAIN,
            Self::ExactlyOnce(transactions) => transactions.replaced(),
        }
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::ExactlyOnce(transactions) if transactions.is_open())
    }

    /// Whether a record needs a transaction, and none is open.
    pub(super) fn lacks_transaction(&self) -> bool {
        matches!(self, Self::ExactlyOnce(transactions) if !transactions.is_open())
    }

    /// Whether the open transaction is to be committed.
    pub(super) fn is_due(&self) -> bool {
        matches!(self, Self::ExactlyOnce(transactions) if transactions.is_due())
    }

    /// A transaction is open from now on.
    pub(super) fn begin(&mut self) {
        if let Self::ExactlyOnce(transactions) = self {
            transactions.begin();
        }
    }

    /// A record was sent.
    pub(super) fn sent_one(&mut self) {
        if let Self::ExactlyOnce(transactions) = self {
            transactions.sent_one();
        }
    }

    /// The open transaction is committed.
    pub(super) fn commit(&mut self) {
        if let Self::ExactlyOnce(transactions) = self {
            transactions.commit();
        }
    }

    /// Whether a commit that took so long was asked for once.
    pub(super) fn is_certain(&mut self, took: Duration) -> bool {
        match self {
            Self::Idempotent => true,
            Self::ExactlyOnce(transactions) => transactions.is_certain(took),
        }
    }

    /// Transactions that are committed.
    pub(super) fn commits(&self) -> u64 {
        match self {
            Self::Idempotent => 0,
            Self::ExactlyOnce(transactions) => transactions.commits(),
        }
    }

    /// Records that are where they belong, of which so many are acknowledged.
    pub(super) fn stored(&self, acked: impl FnOnce() -> u64) -> u64 {
        match self {
            Self::Idempotent => acked(),
            Self::ExactlyOnce(transactions) => transactions.committed(),
        }
    }

    /// An error that ends the run of a client that has sent so many records, of which so many are acknowledged.
    pub(super) fn ended(&self, source: KafkaError, sent: u64, acked: impl FnOnce() -> u64) -> KafkaError {
        let (source, sent, acked) = match self {
            Self::Idempotent => (source, sent, acked()),
            Self::ExactlyOnce(transactions) => (source.in_transaction(), transactions.sent(), transactions.committed()),
        };
        KafkaError::Ended { source: Box::new(source), sent, acked }
    }
}
