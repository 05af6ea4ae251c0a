//! What a client saw last.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaErrorCode;

use super::cluster;

/// Remembers the client's last error, which says more than the time-out that follows.
#[derive(Default)]
pub(crate) struct LastError(Mutex<Option<String>>);

impl LastError {
    pub(super) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, reason: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cluster::without_statistics(reason).to_owned());
    }
}

impl ClientContext for LastError {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        cluster::log(level, facility, message);
        // A connection that is not made in time is logged, and no error: `[thrd:...]: host:port/id: Connection setup timed out`.
        if let ("FAIL", Some((_, reason))) = (facility, message.split_once("]: ")) {
            self.keep(reason);
        }
    }

    fn error(&self, error: ClientError, reason: &str) {
        tracing::debug!(target: "kafka", "{error}: {reason}");
        // "All brokers are down" follows the error that says why.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.keep(reason);
        }
    }
}

impl ConsumerContext for LastError {}

impl fmt::Debug for LastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LastError").field(&self.last()).finish()
    }
}
