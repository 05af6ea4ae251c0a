//! What brokers call themselves: the addresses at which they are to be asked. They may be none that can be reached from here.

use std::time::Duration;

use rdkafka::metadata::Metadata;

use super::error::KafkaError;
use super::timeouts::{FIRST_ANSWER, FURTHER_ANSWER_MAX, FURTHER_ANSWER_TIMES};

/// Brokers by their own word.
#[derive(Debug, Default)]
pub(super) struct Advertised {
    /// Ids, hosts and ports.
    brokers: Vec<(i32, String, i32)>,
    /// The longest that an answer took.
    took_max: Duration,
}

impl Advertised {
    /// Takes over what an answer says, which took so long.
    pub(super) fn learn(&mut self, metadata: &Metadata, took: Duration) {
        let named = metadata.brokers().iter().map(|broker| (broker.id(), broker.host().to_owned(), broker.port()));
        self.brokers = named.collect();
        self.took_max = self.took_max.max(took);
    }

    /// The id of one of them.
    pub(super) fn first(&self) -> Option<i32> {
        self.brokers.first().map(|&(id, ..)| id)
    }

    /// Whether they call themselves by addresses of this machine.
    pub(super) fn are_local(&self) -> bool {
        !self.brokers.is_empty() && self.brokers.iter().all(|(_, host, _)| is_loopback(host))
    }

    /// The longest that an answer took.
    pub(super) fn took_max(&self) -> Duration {
        self.took_max
    }

    /// How long a further answer is waited for: the longer the slower the first ones were.
    pub(super) fn patience(&self) -> Duration {
        self.took_max.saturating_mul(FURTHER_ANSWER_TIMES).clamp(FIRST_ANSWER, FURTHER_ANSWER_MAX)
    }

    /// Adds to the error of a silent broker where it was asked.
    pub(super) fn explain(&self, error: KafkaError) -> KafkaError {
        match error {
            KafkaError::Unanswered { action, seconds, detail } if detail.is_empty() && !self.brokers.is_empty() => {
                let addresses: Vec<String> =
                    self.brokers.iter().map(|(_, host, port)| format!("{host}:{port}")).collect();
                let detail = format!(" at {}", addresses.join(" or "));
                KafkaError::Unanswered { action, seconds, detail }
            }
            error => error,
        }
    }
}

/// Whether an error of the client is about a broker that was named by another one: `host:port/id: ...`. Those that the user named
/// have `bootstrap` for an id.
pub(super) fn is_advertised(reason: &str) -> bool {
    let broker = reason.split(": ").next().and_then(|name| name.rsplit_once('/'));
    broker.is_some_and(|(_, id)| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a host, with a port or without, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let is = |name: &str| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    is("localhost") || is("[::1]") || host == "::1" || host.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_another_one_named_is_told_from_one_that_the_user_named() {
        assert!(is_advertised("kafka-inside:9092/1: Failed to resolve 'kafka-inside:9092': Name or service not known"));
        assert!(!is_advertised("127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused"));
        assert!(!is_advertised("ssl://b/bootstrap: Disconnected"));
        assert!(!is_advertised("Meta data fetch error"));
    }
}
