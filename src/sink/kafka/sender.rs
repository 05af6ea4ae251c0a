//! One client that sends: what was handed to it, its reports, and waiting for them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::delivery::Delivery;
use super::producer::producer;
use super::reports::{Reports, sent_as};
use super::stall_causes::Causes;
use super::stalls::{StallDetector, Watched};
use super::transactions::{ENDING, STEP, is_retriable, taking_over};
use super::waiting::{PATIENCE, STANDSTILL};
use crate::generator::record::{Header, Record};
use crate::generator::spec::{ByStage, Layout};
use crate::generator::stream::Shard;
use crate::kafka::{Cluster, KafkaError, Obstacle, POLL_WAIT, READY, REASON_WAIT, beside, is_denied};
use crate::log::shutdown::Shutdown;
use crate::metrics::Metrics;
use crate::sink::SinkError;

/// A client, what was sent by it, and what it owes an answer for.
pub(super) struct Sender {
    pub(super) layout: Layout,
    producer: Arc<BaseProducer<Reports>>,
    pub(super) stop: Arc<Shutdown>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) delivery: Delivery,
    sent: u64,
    /// Acknowledged records when that number last grew, or nothing was waited for.
    progress: Cell<(u64, Instant)>,
    stalls: RefCell<StallDetector>,
}

impl Sender {
    /// A client that appends behind the end offsets of a cluster; with a shard's transactions where it has one.
    pub(super) fn new(
        cluster: &Cluster,
        shard: Option<Shard>,
        stop: &Arc<Shutdown>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, KafkaError> {
        let delivery = Delivery::new(shard, cluster.client().first_answer());
        Ok(Self {
            layout: cluster.layout().clone(),
            producer: Arc::new(producer(cluster, shard.zip(delivery.asked_again()), metrics)?),
            stop: Arc::clone(stop),
            metrics: Arc::clone(metrics),
            delivery,
            sent: 0,
            progress: Cell::new((0, Instant::now())),
            stalls: RefCell::new(StallDetector::new(
                ByStage::from_fn(|stage| cluster.layout().topic(stage).partitions.count() as usize),
                Causes::new(cluster.client()),
            )),
        })
    }

    /// Replaces the client by another one, which has sent nothing yet.
    pub(super) fn replace(&mut self, cluster: &Cluster, shard: Shard) -> Result<(), KafkaError> {
        let asked_again = self.delivery.replaced();
        let producer = producer(cluster, Some((shard, asked_again)), &self.metrics)?;
        self.reports().end();
        drop(std::mem::replace(&mut self.producer, Arc::new(producer)));
        (self.sent, self.progress) = (0, Cell::new((0, Instant::now())));
        self.stalls.get_mut().begin();
        Ok(())
    }

    /// What the client has reported.
    pub(super) fn reports(&self) -> &Reports {
        self.producer.context()
    }

    /// Records that are where they belong: acknowledged, and committed where there are transactions.
    pub(super) fn stored(&self) -> u64 {
        self.delivery.stored(|| self.acked())
    }

    /// Hands a record to the client, once there is room in its queue. How many that makes.
    pub(super) fn send(&mut self, record: &Record) -> Result<u64, SinkError> {
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
            let add = |headers: OwnedHeaders, header: &Header| {
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
        Ok(self.sent)
    }

    /// A record on its way is watched, and counted in the open transaction.
    pub(super) fn count(&mut self, record: &Record) {
        self.stalls.get_mut().sent(record.stage, record.partition);
        self.delivery.sent_one();
    }

    /// Takes the delivery reports that have come, and fails with the first problem that they brought.
    pub(super) fn take_reports(&self) -> Result<(), KafkaError> {
        self.poll();
        let follows = || self.reports().deliveries().problem_follows_from_another();
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
    pub(super) fn pause(&self, span: Duration) -> Result<(), KafkaError> {
        self.take_reports()?;
        self.look_for_progress()?;
        thread::sleep(span);
        Ok(())
    }

    pub(super) fn first_problem(&self) -> Result<(), KafkaError> {
        let fatal = || self.producer.client().fatal_error();
        let problem = self.reports().deliveries().problem(&self.layout, fatal);
        problem.map_or(Ok(()), |problem| Err(self.ended(problem)))
    }

    /// An error that ends the run, with what was delivered until then. From here on the client's own complaints are about us.
    pub(super) fn ended(&self, source: KafkaError) -> KafkaError {
        self.reports().end();
        self.delivery.ended(source, self.sent, || self.acked())
    }

    /// Records that are acknowledged.
    fn acked(&self) -> u64 {
        self.reports().deliveries().acked_total()
    }

    /// Waits until everything that was sent is acknowledged.
    pub(super) fn drain(&self) -> Result<(), KafkaError> {
        while self.producer.in_flight_count() > 0 && !self.stop.drain_is_over() {
            self.pause(POLL_WAIT)?;
        }
        self.take_reports()?;
        if self.acked() == self.sent { Ok(()) } else { Err(self.ended(KafkaError::NotAcked)) }
    }

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

    /// Begins a transaction.
    pub(super) fn begin_transaction(&mut self) -> Result<(), KafkaError> {
        self.delivery.begin();
        self.producer.begin_transaction().map_err(|error| self.ended(KafkaError::from_transaction_error(&error)))
    }

    /// Puts the offsets of a group into the open transaction, all of whose records are acknowledged.
    pub(super) fn send_offsets(
        &self,
        offsets: TopicPartitionList,
        group: ConsumerGroupMetadata,
    ) -> Result<(), KafkaError> {
        let offsets = Arc::new((offsets, group));
        // Unlike the other calls this one begins anew each time: in short steps it would never end where an answer takes longer than one.
        let send = |look: &dyn Fn() -> Result<(), KafkaError>| {
            let (producer, offsets, failed) = (Arc::clone(&self.producer), Arc::clone(&offsets), RefCell::new(None));
            let give_up = || {
                *failed.borrow_mut() = look().err();
                failed.borrow().is_some()
            };
            let call = move || producer.send_offsets_to_transaction(&offsets.0, &offsets.1, STANDSTILL);
            let answer = beside(STANDSTILL, give_up, call);
            failed.take().map_or(answer, Err)
        };
        self.answered("the offsets of a transaction", send).map(drop)
    }

    /// Commits the open transaction, all of whose records are acknowledged. How long the brokers took.
    pub(super) fn commit_transaction(&mut self) -> Result<Duration, KafkaError> {
        let took = self.answered("a commit", |_| Ok(self.producer.commit_transaction(STEP)))?;
        self.reports().committed();
        self.delivery.commit();
        Ok(took)
    }

    /// Why the open transaction has to be aborted, if it has to be.
    fn transaction_error(&self) -> Option<ClientError> {
        if !self.delivery.is_open() {
            return None;
        }
        // None is begun within an open one, and the refusal tells what is wrong with that.
        let refused = self.producer.begin_transaction().err()?;
        matches!(&refused, ClientError::Transaction(error) if error.txn_requires_abort()).then_some(refused)
    }

    /// Makes a call of the transactions' protocol again until the brokers have answered. How long they took. A call that takes long is
    /// given what has to be looked at meanwhile.
    fn answered(
        &self,
        what: &str,
        call: impl Fn(&dyn Fn() -> Result<(), KafkaError>) -> Result<KafkaResult<()>, KafkaError>,
    ) -> Result<Duration, KafkaError> {
        let begin = Instant::now();
        let told = Cell::new(begin);
        let look = || {
            if self.stop.drain_is_over() {
                return Err(self.ended(KafkaError::NotCommitted));
            }
            self.metrics.tick();
            self.replace_after(begin)?;
            if told.get().elapsed() >= PATIENCE {
                told.set(Instant::now());
                let seconds = begin.elapsed().as_secs();
                let reason = self.reports().last_trouble().map_or_else(String::new, |reason| format!(": {reason}"));
                tracing::warn!(target: "kafka", seconds, "no answer to {what} for {seconds} s, nothing is lost{reason}");
            }
            Ok(())
        };
        while let Err(error) = call(&look)? {
            // A call beside that is overdue has no answer of the protocol.
            if !is_retriable(&error) && !matches!(error, ClientError::MetadataFetch(_)) {
                return Err(self.ended(KafkaError::from_transaction_error(&error)));
            }
            look()?;
            thread::sleep(POLL_WAIT);
        }
        Ok(begin.elapsed())
    }

    /// Says now and then which partitions acknowledge nothing, or that none does, and why.
    pub(super) fn look_for_stalls(&self, now: Instant) {
        let watched = Watched { layout: &self.layout, reports: self.reports(), metrics: &self.metrics };
        self.stalls.borrow_mut().watch(watched, now);
    }

    /// Says now and then that nothing is acknowledged any more, or nothing of some partitions.
    fn look_for_progress(&self) -> Result<(), KafkaError> {
        self.metrics.tick();
        let (acked, now) = (self.acked(), Instant::now());
        let (seen, since) = self.progress.get();
        if acked != seen || acked == self.sent {
            self.progress.set((acked, now));
        } else if self.delivery.is_exactly_once() {
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
}

impl Drop for Sender {
    /// An open transaction hides what others write behind it from readers, so it is ended where that is quick.
    fn drop(&mut self) {
        if !self.delivery.is_open() {
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
