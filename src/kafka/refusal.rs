//! Brokers that are reached and let nobody in: asking again does not help, so nobody waits.

use super::client_log;
use super::error::{KafkaError, RefusalCause};

/// Why a broker lets nobody in, and what the client says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    cause: RefusalCause,
    reason: String,
}

/// How sure a reason is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// The broker, or this client, has said no.
    Certain,
    /// The connection broke where it does for this reason; brokers that are being started break it, too.
    Likely,
}

impl Refusal {
    /// What the client's words for a broken connection mean, if they mean that. The client's own hint for a TLS listener is lost in
    /// librdkafka 2.12, which compares the wrong text, so its state is read: `(after 3ms in state APIVERSION_QUERY)`.
    pub(crate) fn of(text: &str) -> Option<(Self, Certainty)> {
        use Certainty::{Certain, Likely};
        let is_closed = text.contains("Disconnected");
        let (certainty, cause) = if text.contains("certificate verify failed") {
            (Certain, RefusalCause::Certificate)
        } else if text.contains("PLAINTEXT broker listener") {
            (Likely, RefusalCause::NoTls)
        } else if text.contains("SSL handshake failed") && !is_closed {
            (Certain, RefusalCause::Handshake)
        } else if text.contains("SASL") && (text.contains("authentication error") || text.contains("handshake failed"))
        {
            (Certain, RefusalCause::Authentication)
        } else if is_closed && text.contains("in state APIVERSION_QUERY") {
            (Likely, RefusalCause::ClosedUnanswered)
        } else if is_closed && is_young(text) {
            (Likely, RefusalCause::ClosedAtFirstRequest)
        } else {
            return None;
        };
        let reason = client_log::without_statistics(text).to_owned();
        Some((Self { cause, reason }, certainty))
    }
}

/// Whether a connection broke within two seconds after it was made.
fn is_young(text: &str) -> bool {
    let Some((before, _)) = text.split_once("ms in state UP") else { return false };
    let ms = before.rsplit_once("(after ").and_then(|(_, ms)| ms.parse::<u64>().ok());
    ms.is_some_and(|ms| ms < 2_000)
}

impl From<Refusal> for KafkaError {
    fn from(Refusal { cause, reason }: Refusal) -> Self {
        Self::NotLetIn { cause, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_refusal_has_its_own_cause() {
        use Certainty::{Certain, Likely};
        // As librdkafka 2.12.1 said them to real brokers.
        let cases = [
            (
                "ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates package) (after 11ms in state SSL_HANDSHAKE)",
                Some((RefusalCause::Certificate, Certain)),
            ),
            (
                "ssl://b:1/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 4ms in state SSL_HANDSHAKE)",
                Some((RefusalCause::NoTls, Likely)),
            ),
            (
                "ssl://b:1/bootstrap: SSL handshake failed: error:0A000410:SSL routines::ssl/tls alert handshake failure (after 4ms in state SSL_HANDSHAKE)",
                Some((RefusalCause::Handshake, Certain)),
            ),
            (
                "sasl_plaintext://b:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password (after 8ms in state AUTH_REQ)",
                Some((RefusalCause::Authentication, Certain)),
            ),
            (
                "sasl_plaintext://b:1/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms:  (after 8ms in state AUTH_HANDSHAKE)",
                Some((RefusalCause::Authentication, Certain)),
            ),
            (
                "b:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 3ms in state APIVERSION_QUERY)",
                Some((RefusalCause::ClosedUnanswered, Likely)),
            ),
            (
                "b:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 1ms in state UP, 1 identical error(s) suppressed)",
                Some((RefusalCause::ClosedAtFirstRequest, Likely)),
            ),
            (
                "b:1/1: Disconnected: connection closed by peer: receive 0 after POLLIN (after 60001ms in state UP)",
                None,
            ),
            (
                "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
                None,
            ),
        ];
        for (text, wanted) in cases {
            let found = Refusal::of(text);
            assert_eq!(found.as_ref().map(|(refusal, certainty)| (refusal.cause, *certainty)), wanted, "{text}");
            assert!(found.is_none_or(|(refusal, _)| !refusal.reason.contains("in state")), "{text}");
        }
    }
}
