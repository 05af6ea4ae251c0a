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

mod causes;
mod deliveries;
mod final_offsets;
mod group_offsets;
mod producer;
mod reports;
mod stalls;
mod throttle;
mod transactions;
mod waiting;

use std::cell::RefCell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use self::causes::Causes;
pub use self::deliveries::Deliveries;
use self::group_offsets::GroupOffsets;
pub use self::producer::{BATCH_RECORDS_MAX, REQUESTS_IN_FLIGHT};
use self::reports::{Reports, sent_as};
use self::stalls::Stalls;
use self::transactions::Transactions;
use self::waiting::Waiting;
use super::{Sink, SinkError};
use crate::generator::record::Record;
use crate::generator::spec::Layout;
use crate::generator::stream::Shard;
use crate::kafka::{Cluster, KafkaError, POLL_WAIT, REASON_WAIT, Target};
use crate::log::shutdown::Shutdown;
use crate::metrics::Metrics;

/// Delivery reports are taken each time this many records were sent.
const POLL_EVERY: u64 = 256;

/// A producer of one run's records.
pub struct Kafka {
    layout: Layout,
    producer: BaseProducer<Reports>,
    stop: Arc<Shutdown>,
    metrics: Arc<Metrics>,
    /// Under exactly-once delivery.
    transactions: Option<Transactions>,
    /// Beside the log, where the run can be resumed.
    offsets: Option<GroupOffsets>,
    sent: u64,
    waiting: Waiting,
    /// A client that looks at the end where partitions end: its settings, and for how long it waits for an answer.
    look: (ClientConfig, Duration),
    stalls: RefCell<Stalls>,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kafka").field("layout", &self.layout).field("sent", &self.sent).finish_non_exhaustive()
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
        kafka.take_over().map_err(|error| cluster.client().explain(error))?;
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
        let asked_again = transactions::asked_again(cluster.client().first_answer());
        Ok(Self {
            layout: cluster.layout().clone(),
            producer: producer::producer(cluster, shard.map(|shard| (shard, asked_again)), metrics)?,
            stop: Arc::clone(stop),
            metrics: Arc::clone(metrics),
            transactions: shard.map(|_| Transactions::new(asked_again)),
            offsets: None,
            sent: 0,
            waiting: Waiting::default(),
            look: (cluster.client().config(), cluster.client().patience()),
            stalls: RefCell::new(Stalls::new(
                cluster.layout().topics().each_ref().map(|topic| topic.partitions.count() as usize),
                Causes::new(cluster.client().config()),
            )),
        })
    }

    /// The log ends at these offsets now, by stage.
    pub fn append_behind(&mut self, end_offsets: &[Vec<i64>; 4]) {
        self.producer.context().begin(end_offsets);
    }

    /// Takes the delivery reports that have come, and fails with the first problem that they brought.
    fn take_reports(&self) -> Result<(), KafkaError> {
        self.poll();
        let follows = || self.producer.context().deliveries().problem_follows_from_another();
        let fatal = self.producer.client().fatal_error();
        if fatal.is_some() || follows() {
            // The report of the record that did it is on its way, and says more.
            let begin = Instant::now();
            while begin.elapsed() < REASON_WAIT && (follows() || self.first_problem().is_ok()) {
                thread::sleep(POLL_WAIT);
                self.poll();
            }
        }
        if follows()
            && let Some(error) = self.transaction_error()
        {
            // No record's report says why the transaction cannot be committed.
            return Err(self.ended(KafkaError::from_transaction_error(&error)));
        }
        self.first_problem()?;
        fatal.map_or(Ok(()), |(code, reason)| Err(self.ended(KafkaError::Fatal { code, reason })))
    }

    /// Takes what the client has to report, a batch of records at a time.
    fn poll(&self) {
        let mut acked = None;
        while acked != Some(self.acked()) {
            acked = Some(self.acked());
            self.producer.poll(Duration::ZERO);
        }
    }

    /// Lets `span` pass. We sleep and never let the client wait: its waits end when the wall clock says so, and last an hour
    /// longer when that is stepped back by an hour. A signal would not be seen meanwhile.
    fn pause(&self, span: Duration) -> Result<(), KafkaError> {
        self.take_reports()?;
        self.look_for_progress()?;
        thread::sleep(span);
        Ok(())
    }

    fn first_problem(&self) -> Result<(), KafkaError> {
        let fatal = || self.producer.client().fatal_error();
        let problem = self.producer.context().deliveries().problem(&self.layout, fatal);
        problem.map_or(Ok(()), |problem| Err(self.ended(problem)))
    }

    /// An error that ends the run, with what was delivered until then. From here on the client's own complaints are about us.
    fn ended(&self, source: KafkaError) -> KafkaError {
        self.producer.context().end();
        let (source, sent, acked) = match &self.transactions {
            Some(transactions) => (source.in_transaction(), transactions.sent(), transactions.committed()),
            None => (source, self.sent, self.acked()),
        };
        KafkaError::Ended { source: Box::new(source), sent, acked }
    }

    fn acked(&self) -> u64 {
        self.producer.context().deliveries().acked_total()
    }

    /// Waits until everything that was sent is acknowledged.
    fn drain(&self) -> Result<(), KafkaError> {
        while self.producer.in_flight_count() > 0 && !self.stop.drain_is_over() {
            self.pause(POLL_WAIT)?;
        }
        self.take_reports()?;
        if self.acked() == self.sent { Ok(()) } else { Err(self.ended(KafkaError::NotAcked)) }
    }
}

impl Sink for Kafka {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        self.before_record()?;
        let topic = &self.layout.topic(record.stage).name;
        let mut message = BaseRecord::with_opaque_to(topic.as_str(), sent_as(record.stage, record.timestamp_ms))
            .partition(record.partition.cast_signed())
            .timestamp(record.timestamp_ms)
            .key(record.key.as_slice());
        if let Some(value) = record.payload() {
            message = message.payload(value);
        }
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            let add = |headers: OwnedHeaders, header: &crate::generator::record::Header| {
                headers.insert(KafkaHeader { key: header.name, value: Some(header.value.as_str()) })
            };
            message = message.headers(record.headers.iter().fold(headers, add));
        }
        loop {
            match self.producer.send(message) {
                Ok(()) => break,
                Err((ClientError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    // The same record goes again once there is room.
                    message = returned;
                    self.pause(POLL_WAIT)?;
                    if self.stop.is_requested() {
                        return Err(SinkError::Stopped);
                    }
                }
                Err((error, _)) => {
                    // A client that takes nothing more has a reason, which its reports tell better.
                    self.pause(POLL_WAIT)?;
                    self.take_reports()?;
                    let key = String::from_utf8_lossy(&record.key).into_owned();
                    let (topic, partition) = (topic.clone(), record.partition.cast_signed());
                    return Err(self.ended(KafkaError::not_stored(topic, partition, key, &error, None)).into());
                }
            }
        }
        self.sent += 1;
        if let Some(offsets) = &mut self.offsets {
            offsets.sent(record);
        }
        self.stalls.get_mut().sent(record.stage, record.partition);
        if let Some(transactions) = &mut self.transactions {
            transactions.sent_one();
        }
        if self.sent.is_multiple_of(POLL_EVERY) {
            self.take_reports()?;
            // A run at full speed waits for nothing, and no pause looks.
            self.look_for_stalls(Instant::now());
            self.commit_offsets_if_due();
        }
        Ok(())
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        self.pause(span)?;
        self.commit_offsets_if_due();
        Ok(self.commit_if_due()?)
    }

    fn close(&mut self, complete: bool) -> Result<(), SinkError> {
        self.drain()?;
        self.producer.context().deliveries().end();
        self.first_problem()?;
        self.commit_last()?;
        self.settle(complete)?;
        if let Some(offsets) = &mut self.offsets {
            offsets.commit_last();
        }
        self.producer.context().end();
        Ok(())
    }

    fn acked(&self) -> Option<u64> {
        Some(self.transactions.as_ref().map_or_else(|| Self::acked(self), Transactions::committed))
    }

    fn commits(&self) -> u64 {
        self.transactions.as_ref().map_or(0, Transactions::commits)
    }
}
