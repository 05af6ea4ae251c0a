//! What the client calls back: delivery reports, its errors, its log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaRespErr;

use super::delivery::Deliveries;
use super::{PATIENCE, cluster};
use crate::metrics::Metrics;
use crate::spec::Stage;

/// Receives the client's reports and errors.
pub(super) struct Reports {
    deliveries: Mutex<Deliveries>,
    metrics: Arc<Metrics>,
    told: Mutex<Option<(String, Instant)>>,
    /// The run is over: what the client says of records that it still holds is told by the run's own error.
    closing: AtomicBool,
}

impl Reports {
    /// Bookkeeping for partitions that end at these offsets now.
    pub(super) fn new(end_offsets: &[Vec<i64>; 4], metrics: &Arc<Metrics>) -> Self {
        Self {
            deliveries: Mutex::new(Deliveries::new(end_offsets)),
            metrics: Arc::clone(metrics),
            told: Mutex::new(None),
            closing: AtomicBool::new(false),
        }
    }

    /// From here on the client's own complaints are about us.
    pub(super) fn end(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // A fatal error ends the run, which tells it then.
        if facility != "FATAL" && !self.closing.load(Ordering::Relaxed) {
            cluster::log(level, facility, message);
        }
    }

    /// The client repeats itself while a broker is away: the same trouble is told once in [`PATIENCE`].
    fn error(&self, error: ClientError, reason: &str) {
        if self.closing.load(Ordering::Relaxed) {
            return;
        }
        self.metrics.client_error(&code(&error));
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            return;
        }
        let reason = cluster::without_statistics(reason);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref().is_none_or(|(last, at)| last != reason || at.elapsed() >= PATIENCE) {
            tracing::warn!(target: "kafka", "{reason}");
            *told = Some((reason.to_owned(), Instant::now()));
        }
    }
}

impl ProducerContext for Reports {
    /// The stage's index.
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, stage: usize) {
        let stage = Stage::ALL[stage];
        let mut deliveries = self.deliveries();
        match report {
            Ok(message) => {
                deliveries.acked(stage, message.partition(), message.offset());
                self.metrics.acked(stage, message.payload_len());
            }
            Err((error, message)) => {
                deliveries.failed(stage, message.partition(), message.key(), error);
                self.metrics.delivery_error(&code(error));
            }
        }
    }
}

/// librdkafka's name of an error, as `rd_kafka_err2name` has it: `MSG_SIZE_TOO_LARGE`, `_TRANSPORT`.
fn code(error: &ClientError) -> String {
    let code = error.rdkafka_error_code().map(|code| RDKafkaRespErr::try_from(code as i32));
    match code {
        Some(Ok(code)) => format!("{code:?}").trim_start_matches("RD_KAFKA_RESP_ERR_").to_owned(),
        Some(Err(_)) | None => "UNKNOWN".to_owned(),
    }
}
