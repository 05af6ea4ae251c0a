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
mod final_offsets;
mod group_offsets;
mod in_flight;
mod producer;
mod reports;
mod stall_causes;
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

pub use self::deliveries::Deliveries;
use self::final_offsets::{LastLook, ends};
use self::group_offsets::{GroupOffsets, tell_without};
pub use self::in_flight::IN_FLIGHT_MAX;
use self::reports::{Reports, sent_as};
use self::stall_causes::Causes;
use self::stalls::{StallDetector, Watched};
use self::transactions::{ASKED_AGAIN, ENDING, STEP, Transactions, is_retriable, taking_over};
use self::waiting::{PATIENCE, STANDSTILL, Waiting};
use super::{Sink, SinkError};
use crate::generator::record::Record;
use crate::generator::spec::Layout;
use crate::generator::stream::{Assignment, Shard};
use crate::kafka::{
    Cluster, KafkaError, Obstacle, POLL_WAIT, READY, REASON_WAIT, Target, is_denied, is_silence, read_group_offsets,
};
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
    stalls: RefCell<StallDetector>,
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
            stalls: RefCell::new(StallDetector::new(
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
        let Some((code, reason)) = fatal else { return Ok(()) };
        Err(self.ended(if is_denied(code) {
            let topics = self.layout.topics().iter().map(|topic| &topic.name);
            Obstacle::on_one_of("writing records", "Write", topics).into()
        } else {
            KafkaError::Fatal { code, reason }
        }))
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

    /// Ends an earlier writer's transaction, and fences it.
    fn take_over(&self) -> Result<(), KafkaError> {
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
        let producer = producer::producer(cluster, Some((shard, asked_again)), &self.metrics)?;
        self.producer.context().end();
        drop(std::mem::replace(&mut self.producer, producer));
        (self.sent, self.waiting) = (0, Waiting::default());
        self.stalls.get_mut().begin();
        self.take_over().map_err(|error| cluster.client().explain(error))
    }

    /// Sees to it that a transaction is open for a record; after a signal none is begun.
    fn before_record(&mut self) -> Result<(), SinkError> {
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
    fn commit_if_due(&mut self) -> Result<(), KafkaError> {
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
    fn transaction_error(&self) -> Option<ClientError> {
        self.transactions.as_ref().filter(|transactions| transactions.is_open())?;
        // None is begun within an open one, and the refusal tells what is wrong with that.
        let refused = self.producer.begin_transaction().err()?;
        matches!(&refused, ClientError::Transaction(error) if error.txn_requires_abort()).then_some(refused)
    }

    /// Commits what is left.
    fn commit_last(&mut self) -> Result<(), KafkaError> {
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

    /// Says now and then which partitions acknowledge nothing, or that none does, and why.
    fn look_for_stalls(&self, now: Instant) {
        let watched = Watched { layout: &self.layout, reports: self.producer.context(), metrics: &self.metrics };
        self.stalls.borrow_mut().watch(watched, now);
    }

    /// Says now and then that nothing is acknowledged any more, or nothing of some partitions.
    fn look_for_progress(&self) -> Result<(), KafkaError> {
        self.metrics.tick();
        let progress = &self.waiting.progress;
        let (acked, now) = (self.acked(), Instant::now());
        let (seen, since) = progress.get();
        if acked != seen || acked == self.sent {
            progress.set((acked, now));
        } else if self.transactions.is_some() {
            self.replace_after(since)?;
        }
        self.look_for_stalls(now);
        Ok(())
    }

    /// An error after which another client goes on, if this one has waited long enough; a signal leaves no time for that.
    fn replace_after(&self, since: Instant) -> Result<(), KafkaError> {
        if since.elapsed() < STANDSTILL || self.stop.is_requested() {
            return Ok(());
        }
        Err(self.ended(KafkaError::Standstill { seconds: STANDSTILL.as_secs() }))
    }

    /// Reports without an offset counted one each; the end offsets now say whether that was right. Where a window ended by itself all
    /// partitions that it wrote to are asked: after its last record in one, no delivery offset tells of another writer. Brokers that do not
    /// answer are waited for: everything is stored by now.
    fn settle(&self, complete: bool) -> Result<(), KafkaError> {
        let (expected, written) = {
            let deliveries = self.producer.context().deliveries();
            (if complete { deliveries.written() } else { deliveries.unsettled() }, deliveries.written())
        };
        let is_seen_only = self.transactions.is_some() && !complete;
        if (if is_seen_only { &written } else { &expected }).is_empty() {
            return Ok(());
        }
        let (config, patience) = &self.look;
        let last_look = |ends| LastLook {
            layout: &self.layout,
            stop: &self.stop,
            metrics: &self.metrics,
            is_transactional: self.transactions.is_some(),
            ends,
        };
        if is_seen_only {
            if let Ok(ends) = ends(config, *patience) {
                last_look(ends).wait_until_seen(&written);
            }
            return Ok(());
        }
        last_look(ends(config, *patience)?).require(&expected).map_err(|error| self.ended(error))
    }

    /// Commits group offsets beside the records of a part, from where the log ends now, as [`Kafka::append_behind`] was told. Where
    /// the right is missing the run goes on without, and says so.
    ///
    /// # Errors
    /// If an earlier run's offsets can be read and no longer committed.
    pub fn commit_offsets(&mut self, cluster: &Cluster, group: &str, part: &Assignment) -> Result<(), KafkaError> {
        let mut offsets = GroupOffsets::new(cluster, group, part, self.transactions.is_some())?;
        offsets.begin(part, &self.producer.context().deliveries().next_offsets());
        match offsets.commit_first(&self.stop) {
            Err(_) if self.stop.is_requested() => return Err(KafkaError::Stopped),
            // Whoever may not even look for the group's coordinator may not read its offsets either.
            Err(error @ ClientError::MessageConsumption(_)) => {
                tell_without(group, &error);
                return Ok(());
            }
            // A transaction whose offsets are refused is lost with them, so it must be known beforehand.
            Err(error) if self.transactions.is_some() || !is_silence(&error) => {
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
        let ends = self.producer.context().deliveries().next_offsets();
        if let Some(offsets) = &mut self.offsets {
            offsets.begin(part, &ends);
        }
    }

    /// What a log that retention has cut does not tell stays unknown to later restarts.
    fn without_offsets(&self, cluster: &Cluster, group: &str, error: &ClientError) -> Result<(), KafkaError> {
        let committed = read_group_offsets(cluster, group, &self.stop).unwrap_or_default();
        if committed.iter().flatten().any(Option::is_some) {
            return Err(KafkaError::GroupOffsets { group: group.to_owned(), reason: error.to_string() });
        }
        tell_without(group, error);
        Ok(())
    }

    fn commit_offsets_if_due(&mut self) {
        let context = self.producer.context();
        if let Some(offsets) = &mut self.offsets {
            offsets.commit_if_due(|ends| context.deliveries().are_acked(ends));
        }
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
