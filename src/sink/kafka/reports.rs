//! What the client calls back: delivery reports, its errors, its log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Message, Timestamp};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaRespErr;

use super::deliveries::Deliveries;
use super::throttle;
use super::waiting::PATIENCE;
use crate::generator::spec::{ByStage, Stage};
use crate::kafka::{self, Cluster};
use crate::metrics::Metrics;

/// What the client complained of longer ago is no reason for what happens now.
const RECENT: Duration = Duration::from_secs(30);
/// Brokers that hold requests back for less are not worth a word.
const THROTTLED_MS: u64 = 100;

/// Receives the client's reports and errors.
pub(super) struct Reports {
    deliveries: Mutex<Deliveries>,
    metrics: Arc<Metrics>,
    /// Records and bytes of the open transaction, by stage, where there are transactions: acknowledged, and nobody's yet.
    open: Option<Mutex<ByStage<(u64, u64)>>>,
    /// Whether the brokers tell whose time their records have.
    tells_times: bool,
    told: Mutex<Option<(String, Instant)>>,
    /// What the client complained of last, told or not.
    trouble: Mutex<Option<(String, Instant)>>,
    /// The run is over: what the client says of records that it still holds is told by the run's own error.
    closing: AtomicBool,
}

impl Reports {
    /// Bookkeeping for partitions that end at these offsets now.
    pub(super) fn new(cluster: &Cluster, metrics: &Arc<Metrics>, transactional: bool) -> Self {
        Self {
            deliveries: Mutex::new(Deliveries::new(cluster.end_offsets())),
            tells_times: !cluster.is_embedded(),
            metrics: Arc::clone(metrics),
            open: transactional.then(Mutex::default),
            told: Mutex::default(),
            trouble: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Nothing was sent yet, and partitions end at these offsets.
    pub(super) fn begin(&self, end_offsets: &ByStage<Vec<i64>>) {
        *self.deliveries() = Deliveries::new(end_offsets);
    }

    /// The open transaction is committed.
    pub(super) fn committed(&self) {
        self.deliveries().committed();
        let Some(open) = &self.open else { return };
        let counts = std::mem::take(&mut *open.lock().unwrap_or_else(PoisonError::into_inner));
        for (stage, &(records, bytes)) in counts.iter() {
            self.metrics.acked_all(stage, records, bytes);
        }
    }

    /// From here on the client's own complaints are about us.
    pub(super) fn end(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// What the client complained of a moment ago.
    pub(super) fn last_trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.as_ref().filter(|(_, at)| at.elapsed() < RECENT).map(|(reason, _)| reason.clone())
    }

    fn keep(&self, reason: &str) {
        let kept = (reason.to_owned(), Instant::now());
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    pub(super) fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What ends the run, or this client, is told by who ends it.
        if !matches!(facility, "FATAL" | "TXNERR") && !self.closing.load(Ordering::Relaxed) {
            kafka::log(level, facility, message);
            if let Some(text) = kafka::failure(facility, message) {
                self.keep(kafka::without_statistics(text));
            }
        }
    }

    /// Quotas hold requests back, and nothing else tells of them.
    fn stats_raw(&self, statistics: &[u8]) {
        let Some((broker, throttled_ms)) = throttle::most(statistics).filter(|&(_, ms)| ms >= THROTTLED_MS) else {
            return;
        };
        if !self.closing.load(Ordering::Relaxed) {
            tracing::warn!(
                target: "kafka", broker, throttled_ms,
                "broker {broker} holds requests back by up to {throttled_ms} ms: a quota of this user or client.id (producer_byte_rate, \
                 request_percentage) bounds how fast the run goes, nothing is lost"
            );
        }
    }

    /// The client repeats itself while a broker is away: the same trouble is told once in [`PATIENCE`].
    fn error(&self, error: ClientError, reason: &str) {
        if self.closing.load(Ordering::Relaxed) {
            return;
        }
        self.metrics.client_error(&code(&error));
        if matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Fenced)) {
            return;
        }
        let reason = kafka::without_statistics(reason);
        // "All brokers are down" follows the error that says why.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.keep(reason);
        }
        // Brokers close connections that nobody uses, and where no record waits that is no trouble.
        if is_of_connections(&error) && self.metrics.snapshot().queue() == 0 {
            tracing::debug!(target: "kafka", "{reason}");
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref().is_none_or(|(last, at)| last != reason || at.elapsed() >= PATIENCE) {
            tracing::warn!(target: "kafka", code = code(&error), "{reason}");
            *told = Some((reason.to_owned(), Instant::now()));
        }
    }
}

impl ProducerContext for Reports {
    /// What [`sent_as`] makes of a record.
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, sent: usize) {
        let stage = Stage::ALL[sent % Stage::ALL.len()];
        let mut deliveries = self.deliveries();
        match report {
            Ok(message) => {
                deliveries.acked(stage, message.partition(), message.offset());
                if self.tells_times {
                    // The client forgets a record's own time where the broker gives another one.
                    let broker_ms = match message.timestamp() {
                        Timestamp::LogAppendTime(ms) => Some(ms),
                        _ => None,
                    };
                    let is_own = broker_ms.is_some_and(|ms| sent_as(stage, ms) == sent);
                    deliveries.timed(stage, message.partition(), broker_ms, is_own);
                }
                let bytes = message.payload_len();
                match &self.open {
                    Some(open) => {
                        let (records, sum) = &mut open.lock().unwrap_or_else(PoisonError::into_inner)[stage];
                        (*records, *sum) = (*records + 1, *sum + bytes as u64);
                    }
                    None => self.metrics.acked(stage, bytes),
                }
            }
            Err((error, message)) => {
                deliveries.failed(stage, message.partition(), message.key(), error);
                self.metrics.delivery_error(&code(error));
            }
        }
    }
}

/// What a record's report is told of it: its stage, and its time as far as it fits.
pub(super) fn sent_as(stage: Stage, timestamp_ms: i64) -> usize {
    (timestamp_ms.cast_unsigned() as usize).wrapping_mul(Stage::ALL.len()).wrapping_add(stage.index())
}

fn is_of_connections(error: &ClientError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut))
}

/// librdkafka's name of an error, as `rd_kafka_err2name` has it: `MSG_SIZE_TOO_LARGE`, `_TRANSPORT`.
fn code(error: &ClientError) -> String {
    let code = error.rdkafka_error_code().map(|code| RDKafkaRespErr::try_from(code as i32));
    match code {
        Some(Ok(code)) => format!("{code:?}").trim_start_matches("RD_KAFKA_RESP_ERR_").to_owned(),
        Some(Err(_)) | None => "UNKNOWN".to_owned(),
    }
}
