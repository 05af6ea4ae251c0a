//! What a client saw last.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaErrorCode;

use super::client_log;
use super::refusal::{Certainty, Refusal};

/// A likely reason is given as the reason when nothing better has come for so long.
const LIKELY: Duration = Duration::from_secs(3);

/// Remembers the client's last error, which says more than the time-out that follows.
#[derive(Default)]
pub(crate) struct LastError(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    reason: Option<String>,
    /// That a broker lets nobody in.
    refusal: Option<Refusal>,
    /// The same where it is only likely, and since when.
    hint: Option<(Refusal, Instant)>,
}

impl LastError {
    pub(crate) fn last(&self) -> Option<String> {
        self.seen().reason.clone()
    }

    /// Why brokers let nobody in, if one has said so.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.seen().refusal.clone()
    }

    /// The same, where it is likely and nothing better has come for a while.
    pub(crate) fn likely_refusal(&self) -> Option<Refusal> {
        let seen = self.seen();
        let hint =
            || seen.hint.as_ref().filter(|(_, since)| since.elapsed() >= LIKELY).map(|(refusal, _)| refusal.clone());
        seen.refusal.clone().or_else(hint)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the client says of a connection that broke, with its state.
    fn keep(&self, text: &str) {
        let mut seen = self.seen();
        seen.reason = Some(client_log::without_statistics(text).to_owned());
        match Refusal::of(text) {
            Some((refusal, Certainty::Certain)) => _ = seen.refusal.get_or_insert(refusal),
            Some((refusal, Certainty::Likely)) => _ = seen.hint.get_or_insert((refusal, Instant::now())),
            None => {}
        }
    }
}

impl ClientContext for LastError {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
        if let Some(text) = client_log::failure(facility, message) {
            self.keep(text);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broken_connection_means_is_not_forgotten_for_the_next_one() {
        let seen = LastError::default();
        let line = |text: &str| {
            seen.log(RDKafkaLogLevel::Info, "FAIL", &format!("[thrd:b:1/bootstrap]: b:1/bootstrap: {text}"));
        };
        line("Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)");
        assert_eq!(seen.last().unwrap(), "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
        line("Disconnected: connection closed by peer: receive 0 after POLLIN (after 3ms in state APIVERSION_QUERY)");
        line("Send failed: Broken pipe (after 3ms in state UP)");
        assert!(seen.seen().hint.is_some() && seen.refusal().is_none() && seen.likely_refusal().is_none());
        seen.error(ClientError::Global(RDKafkaErrorCode::Authentication), "b:1/1: SASL authentication error: no");
        line("Disconnected: connection closed by peer (after 3ms in state UP)");
        assert!(seen.refusal().is_some() && seen.refusal() == seen.likely_refusal());
    }
}
