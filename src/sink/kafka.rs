//! Apache Kafka: idempotent or exactly once, gapless, every report counted.
//!
//! ```text
//! submit ──> librdkafka's queue (bounded) ──> broker
//!    ^                                          │
//!    └── poll: delivery reports ── Deliveries <─┘   each must carry its partition's next offset
//! ```
//!
//! Partition and timestamp are the record's own. Nothing ever times out inside the client, so a broker that is away leaves no
//! hole: the run waits, and says so.

mod deliveries;
mod delivery;
mod final_offsets;
mod group_offsets;
mod in_flight;
mod producer;
mod reports;
mod sender;
mod stall_causes;
mod stalls;
mod throttle;
mod transactions;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError as ClientError;

pub use self::deliveries::Deliveries;
use self::final_offsets::{LastLook, ends};
use self::group_offsets::{GroupOffsets, tell_without};
pub use self::in_flight::IN_FLIGHT_MAX;
use self::sender::Sender;
use super::{Sink, SinkError};
use crate::generator::record::Record;
use crate::generator::spec::ByStage;
use crate::generator::stream::{Assignment, Shard};
use crate::kafka::{Cluster, KafkaError, Target, is_silence, read_group_offsets};
use crate::log::shutdown::Shutdown;
use crate::metrics::Metrics;

/// Delivery reports are taken each time this many records were sent.
const POLL_EVERY: u64 = 256;

/// A producer of one run's records.
pub struct Kafka {
    sender: Sender,
    /// Beside the log, where the run can be resumed.
    offsets: Option<GroupOffsets>,
    /// A client that looks at the end where partitions end: its settings, and for how long it waits for an answer.
    look: (ClientConfig, Duration),
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kafka").field("layout", &self.sender.layout).finish_non_exhaustive()
    }
}

impl Kafka {
    /// A producer that appends behind the end offsets of a cluster that was looked at by [`Cluster::prepare`].
    ///
    /// # Errors
    /// If librdkafka refuses the configuration.
    pub fn new(cluster: &Cluster, stop: &Arc<Shutdown>, metrics: &Arc<Metrics>) -> Result<Self, KafkaError> {
        Self::of_shard(cluster, None, stop, metrics)
    }

    /// The same with a shard's transactions. When it returns an earlier writer of the same shard of these topics is fenced, and its
    /// open transaction has ended; where the log ends is to be looked at now, and told by [`Kafka::append_behind`].
    ///
    /// # Errors
    /// If librdkafka refuses the configuration, or the brokers refuse transactions or do not answer.
    pub fn transactional(
        cluster: &Cluster,
        shard: Shard,
        stop: &Arc<Shutdown>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, KafkaError> {
        let kafka = Self::of_shard(cluster, Some(shard), stop, metrics)?;
        kafka.sender.take_over().map_err(|error| cluster.client().explain(error))?;
        Ok(kafka)
    }

    /// Fences an earlier writer of a target's transactions, and ends its open one: later its end would be written into topics that are
    /// made anew.
    ///
    /// # Errors
    /// If the brokers refuse transactions or do not answer.
    pub fn fence(target: &Target<'_>, stop: &Arc<Shutdown>, metrics: &Arc<Metrics>) -> Result<(), KafkaError> {
        Self::transactional(&Cluster::unseen(target), Shard::WHOLE, stop, metrics).map(drop)
    }

    fn of_shard(
        cluster: &Cluster,
        shard: Option<Shard>,
        stop: &Arc<Shutdown>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, KafkaError> {
        let sender = Sender::new(cluster, shard, stop, metrics)?;
        Ok(Self { sender, offsets: None, look: (cluster.client().config(), cluster.client().patience()) })
    }

    /// The log ends at these offsets now, by stage.
    pub fn append_behind(&mut self, end_offsets: &ByStage<Vec<i64>>) {
        self.sender.reports().begin(end_offsets);
    }

    /// Replaces a client whose transaction ended nobody knows how; where the log ends is to be looked at then.
    ///
    /// # Errors
    /// As [`Kafka::transactional`].
    pub fn replace(&mut self, cluster: &Cluster, shard: Shard) -> Result<(), KafkaError> {
        self.sender.replace(cluster, shard)?;
        self.sender.take_over().map_err(|error| cluster.client().explain(error))
    }

    /// Sees to it that a transaction is open for a record; after a signal none is begun.
    fn before_record(&mut self) -> Result<(), SinkError> {
        self.commit_if_due()?;
        if !self.sender.delivery.lacks_transaction() {
            return Ok(());
        }
        if self.sender.stop.is_requested() {
            return Err(SinkError::Stopped);
        }
        Ok(self.sender.begin_transaction()?)
    }

    /// Commits a transaction that is old or large enough, and goes on only if it is certain how it ended.
    fn commit_if_due(&mut self) -> Result<(), KafkaError> {
        if !self.sender.delivery.is_due() {
            return Ok(());
        }
        let took = self.commit()?;
        if self.sender.delivery.is_certain(took) || self.sender.stop.is_requested() {
            return Ok(());
        }
        let reason = format!("a commit took {} ms and may have been asked for twice", took.as_millis());
        Err(self.sender.ended(KafkaError::Uncertain { reason }))
    }

    /// Commits what is left.
    fn commit_last(&mut self) -> Result<(), KafkaError> {
        if self.sender.delivery.is_open() { self.commit().map(drop) } else { Ok(()) }
    }

    /// Commits the open transaction. How long the brokers took, acknowledgements aside.
    fn commit(&mut self) -> Result<Duration, KafkaError> {
        // The client would look for acknowledgements ten times a second only.
        self.sender.drain()?;
        self.send_offsets()?;
        self.sender.commit_transaction()
    }

    /// Puts the offsets of the run's group into the open transaction, all of whose records are acknowledged.
    fn send_offsets(&mut self) -> Result<(), KafkaError> {
        let Some(offsets) = &mut self.offsets else { return Ok(()) };
        let of_transaction = offsets.of_transaction(&self.sender.reports().deliveries());
        let Some((offsets, group)) = of_transaction else { return Ok(()) };
        self.sender.send_offsets(offsets, group)
    }

    /// Reports without an offset counted one each; the end offsets now say whether that was right. Where a window ended by itself all
    /// partitions that it wrote to are asked: after its last record in one, no delivery offset tells of another writer. Brokers that do not
    /// answer are waited for: everything is stored by now.
    fn settle(&self, complete: bool) -> Result<(), KafkaError> {
        let (expected, written) = {
            let deliveries = self.sender.reports().deliveries();
            (if complete { deliveries.written() } else { deliveries.unsettled() }, deliveries.written())
        };
        let is_seen_only = self.sender.delivery.is_exactly_once() && !complete;
        if (if is_seen_only { &written } else { &expected }).is_empty() {
            return Ok(());
        }
        let (config, patience) = &self.look;
        let last_look = |ends| LastLook {
            layout: &self.sender.layout,
            stop: &self.sender.stop,
            metrics: &self.sender.metrics,
            is_transactional: self.sender.delivery.is_exactly_once(),
            ends,
        };
        if is_seen_only {
            if let Ok(ends) = ends(config, *patience) {
                last_look(ends).wait_until_seen(&written);
            }
            return Ok(());
        }
        last_look(ends(config, *patience)?).require(&expected).map_err(|error| self.sender.ended(error))
    }

    /// Commits group offsets beside the records of a part, from where the log ends now, as [`Kafka::append_behind`] was told. Where
    /// the right is missing the run goes on without, and says so.
    ///
    /// # Errors
    /// If an earlier run's offsets can be read and no longer committed.
    pub fn commit_offsets(&mut self, cluster: &Cluster, group: &str, part: &Assignment) -> Result<(), KafkaError> {
        let mut offsets = GroupOffsets::new(cluster, group, part, self.sender.delivery.is_exactly_once())?;
        offsets.begin(part, &self.sender.reports().deliveries().next_offsets());
        match offsets.commit_first(&self.sender.stop) {
            Err(_) if self.sender.stop.is_requested() => return Err(KafkaError::Stopped),
            // Whoever may not even look for the group's coordinator may not read its offsets either.
            Err(error @ ClientError::MessageConsumption(_)) => {
                tell_without(group, &error);
                return Ok(());
            }
            // A transaction whose offsets are refused is lost with them, so it must be known beforehand.
            Err(error) if self.sender.delivery.is_exactly_once() || !is_silence(&error) => {
                return self.without_offsets(cluster, group, &error);
            }
            // Brokers that do not answer now are asked again while the run goes on.
            Err(_) | Ok(()) => {}
        }
        self.offsets = Some(offsets);
        Ok(())
    }

    /// Another client goes on with a part, from where the log ends now, as [`Kafka::append_behind`] was told.
    pub fn renew_offsets(&mut self, part: &Assignment) {
        let ends = self.sender.reports().deliveries().next_offsets();
        if let Some(offsets) = &mut self.offsets {
            offsets.begin(part, &ends);
        }
    }

    /// What a log that retention has cut does not tell stays unknown to later restarts.
    fn without_offsets(&self, cluster: &Cluster, group: &str, error: &ClientError) -> Result<(), KafkaError> {
        let committed = read_group_offsets(cluster, group, &self.sender.stop).unwrap_or_default();
        if committed.values().flatten().any(Option::is_some) {
            return Err(KafkaError::GroupOffsets { group: group.to_owned(), reason: error.to_string() });
        }
        tell_without(group, error);
        Ok(())
    }

    fn commit_offsets_if_due(&mut self) {
        let context = self.sender.reports();
        if let Some(offsets) = &mut self.offsets {
            offsets.commit_if_due(|ends| context.deliveries().are_acked(ends));
        }
    }
}

impl Sink for Kafka {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        self.before_record()?;
        let sent = self.sender.send(record)?;
        if let Some(offsets) = &mut self.offsets {
            offsets.sent(record);
        }
        self.sender.count(record);
        if sent.is_multiple_of(POLL_EVERY) {
            self.sender.take_reports()?;
            // A run at full speed waits for nothing, and no pause looks.
            self.sender.look_for_stalls(Instant::now());
            self.commit_offsets_if_due();
        }
        Ok(())
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        self.sender.pause(span)?;
        self.commit_offsets_if_due();
        Ok(self.commit_if_due()?)
    }

    fn close(&mut self, complete: bool) -> Result<(), SinkError> {
        self.sender.drain()?;
        self.sender.reports().deliveries().end();
        self.sender.first_problem()?;
        self.commit_last()?;
        self.settle(complete)?;
        if let Some(offsets) = &mut self.offsets {
            offsets.commit_last(complete, &self.sender.stop);
        }
        self.sender.reports().end();
        Ok(())
    }

    fn acked(&self) -> Option<u64> {
        Some(self.sender.stored())
    }

    fn commits(&self) -> u64 {
        self.sender.delivery.commits()
    }
}
