//! Quotas, as the client's statistics show them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The part of the statistics that is about brokers.
#[derive(Debug, Deserialize)]
struct Statistics {
    brokers: BTreeMap<String, Broker>,
}

#[derive(Debug, Deserialize)]
struct Broker {
    throttle: Window,
}

/// Milliseconds, since the statistics before.
#[derive(Debug, Deserialize)]
struct Window {
    max: i64,
}

/// The broker that held requests back for longest, and how long.
pub(super) fn most(statistics: &[u8]) -> Option<(String, u64)> {
    let statistics: Statistics = serde_json::from_slice(statistics).ok()?;
    let throttled = statistics.brokers.into_iter().map(|(name, broker)| (name, broker.throttle.max));
    let (name, max) = throttled.max_by_key(|&(_, max)| max)?;
    Some((name, u64::try_from(max).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_that_holds_back_most_is_found() {
        let text =
            br#"{"name":"rdkafka#producer-1","brokers":{"a:1/1":{"name":"a:1/1","throttle":{"min":0,"max":7,"avg":1}},
            "b:1/2":{"throttle":{"min":0,"max":1250,"avg":600,"cnt":3}}},"topics":{}}"#;
        assert_eq!(most(text), Some(("b:1/2".to_owned(), 1_250)));
        assert_eq!(most(b"{\"brokers\":{}}"), None);
        assert_eq!(most(b"{"), None);
    }
}
