//! Judging the settings of topics and brokers: whether they keep a run's records as they are.

use std::time::Duration;

use rdkafka::admin::{AdminClient, ResourceSpecifier};
use rdkafka::config::ClientConfig;

use crate::generator::spec::Topic;
use crate::kafka::admin::{ask, options};
use crate::kafka::client_context::LastError;
use crate::kafka::error::KafkaError;
use crate::log::shutdown::Shutdown;

/// How old records may be, how far ahead of the clock, and both for brokers before 3.6.
pub(super) const BEFORE: &str = "message.timestamp.before.max.ms";
pub(super) const AFTER: &str = "message.timestamp.after.max.ms";
pub(super) const DIFFERENCE: &str = "message.timestamp.difference.max.ms";
/// Their value for no bound at all.
pub(super) const FAR: &str = "9223372036854775807";
/// The times of a run's records against the wall clock, all in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The wall clock as the run begins.
    pub now_ms: i64,
    /// The first record's.
    pub first_ms: i64,
    /// The last one's; for a live run without end, now.
    pub last_ms: i64,
}

/// What the settings of some topics mean for a run.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Settings that would not keep the records as they are, each with the command that mends it.
    pub misfits: Vec<KafkaError>,
    /// What may not keep them, and what could not be seen.
    pub warnings: Vec<String>,
    /// The largest batch that all of the topics take.
    pub batch_bytes_max: Option<u64>,
}

/// What a broker says of topics that do not say it themselves; `None` where it does not tell.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct BrokerSettings {
    /// For how long records are kept; the greatest number is for ever.
    pub retention_ms: Option<i64>,
    /// The largest batch.
    pub batch_bytes_max: Option<u64>,
    /// Whether it was asked and did not tell.
    pub is_hidden: bool,
}

/// Asks a broker for its settings.
pub(crate) fn of_broker(
    config: &ClientConfig,
    broker: i32,
    within: Duration,
    stop: &Shutdown,
) -> Result<BrokerSettings, KafkaError> {
    let admin: AdminClient<LastError> = config.create_with_context(LastError::default())?;
    let broker = [ResourceSpecifier::Broker(broker)];
    let described = admin.describe_configs(&broker, &options(within));
    let described = match ask("reading the broker's settings", within, (stop, admin.inner().context()), described) {
        Err(error @ (KafkaError::Unanswered { .. } | KafkaError::NotLetIn { .. } | KafkaError::Stopped)) => {
            return Err(error);
        }
        described => described.ok(),
    };
    let broker = described.into_iter().flatten().find_map(Result::ok).filter(|broker| !broker.entries.is_empty());
    let value = |name: &str| broker.as_ref()?.get(name)?.value.as_ref()?.parse::<i64>().ok();
    // The finer setting beats the coarser.
    let units = [("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)];
    let retention_ms = units.into_iter().find_map(|(name, ms)| Some(value(name)?.saturating_mul(ms)));
    Ok(BrokerSettings {
        retention_ms: retention_ms.map(|retention_ms| if retention_ms < 0 { i64::MAX } else { retention_ms }),
        batch_bytes_max: value("message.max.bytes").and_then(|bytes| bytes.try_into().ok()),
        is_hidden: broker.is_none(),
    })
}

/// Judges topics by their settings: `LogAppendTime`, compaction, a retention that the window's first record has outlived or that is too
/// small, times and batches that the broker does not take.
pub(crate) fn judge(
    config: &ClientConfig,
    brokers: &str,
    topics: &[&Topic],
    times: Times,
    within: Duration,
    stop: &Shutdown,
) -> Result<Judged, KafkaError> {
    let mut judged = Judged::default();
    if topics.is_empty() {
        return Ok(judged);
    }
    let admin: AdminClient<LastError> = config.create_with_context(LastError::default())?;
    let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic.name.as_str())).collect();
    let seen = admin.inner().context();
    let described =
        ask("reading topic settings", within, (stop, seen), admin.describe_configs(&resources, &options(within)))?;
    for (topic, described) in topics.iter().zip(described) {
        let name = &topic.name;
        let described = match described {
            // The client library shows a topic without any where the right is missing.
            Ok(described) if !described.entries.is_empty() => described,
            _ => {
                judged.warnings.push(format!(
                    "topic `{name}` does not show its settings: not checked is whether it keeps the records' own times \
                     (message.timestamp.type), each record (cleanup.policy), and for long enough (retention.ms, retention.bytes), and which \
                     times and batches it takes (message.timestamp.*, max.message.bytes)\n\
                     let them be seen: kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:… --operation DescribeConfigs \
                     --topic {name}"
                ));
                continue;
            }
        };
        let value = |name: &str| described.get(name).and_then(|entry| entry.value.as_deref());
        let mend = |setting: &str, wanted: &str| {
            format!(
                "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {name} --add-config {setting}={wanted}"
            )
        };
        let misfit = |(setting, found, wanted)| KafkaError::TopicSetting {
            topic: name.clone(),
            setting: format!("{setting}={found}"),
            mend: mend(setting, wanted),
        };
        judged.misfits.extend(that_do_not_fit(value, times).into_iter().map(misfit));
        if let Some(bytes) = value("retention.bytes").filter(|bytes| !bytes.starts_with('-')) {
            judged.warnings.push(format!(
                "topic `{name}` keeps about {bytes} bytes a partition (retention.bytes), and deletes what is older: more than that of a window \
                 is not there when it ends\nkeep all of it with: {}",
                mend("retention.bytes", "-1")
            ));
        }
        let batch_bytes = value("max.message.bytes").and_then(|bytes| bytes.parse().ok());
        judged.batch_bytes_max = judged.batch_bytes_max.into_iter().chain(batch_bytes).min();
    }
    Ok(judged)
}

/// The settings that do not fit: name, value, and the value that would.
fn that_do_not_fit<'a>(
    value: impl Fn(&str) -> Option<&'a str>,
    times: Times,
) -> Vec<(&'static str, &'a str, &'static str)> {
    let is = |name: &'static str, wrong: &str, right| Some((name, value(name).filter(|v| v.contains(wrong))?, right));
    let beyond = |name: &'static str, distance_ms: i64, right| {
        let found = value(name)?;
        let limit_ms = found.parse::<i64>().ok().filter(|&limit_ms| limit_ms >= 0)?;
        (distance_ms > limit_ms).then_some((name, found, right))
    };
    let (age_ms, ahead_ms) = (times.now_ms - times.first_ms, times.last_ms - times.now_ms);
    // Brokers before 3.6 know one bound for both; those before 4.0 go by it where the finer one has its default.
    let by_difference = |finer: &str, distance_ms| if value(finer).is_none_or(|v| v == FAR) { distance_ms } else { 0 };
    let difference_ms = by_difference(BEFORE, age_ms).max(by_difference(AFTER, ahead_ms));
    let settings = [
        is("message.timestamp.type", "LogAppendTime", "CreateTime"),
        is("cleanup.policy", "compact", "delete"),
        beyond("retention.ms", age_ms, "-1"),
        beyond(BEFORE, age_ms, FAR),
        beyond(AFTER, ahead_ms, FAR),
        beyond(DIFFERENCE, difference_ms, FAR),
    ];
    settings.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misfits(settings: &[(&str, &'static str)], times: Times) -> Vec<&'static str> {
        let value = |name: &str| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        that_do_not_fit(value, times).into_iter().map(|(name, ..)| name).collect()
    }

    #[test]
    fn bounds_of_times_are_those_that_the_broker_goes_by() {
        let old = Times { now_ms: 10_000, first_ms: 0, last_ms: 10_000 };
        let ahead = Times { now_ms: 10_000, first_ms: 10_000, last_ms: 30_000 };
        // 2.8: one bound for both.
        assert_eq!(misfits(&[(DIFFERENCE, "9999")], old), [DIFFERENCE]);
        assert_eq!(misfits(&[(DIFFERENCE, "10000")], old), [""; 0]);
        assert_eq!(misfits(&[(DIFFERENCE, "19999")], ahead), [DIFFERENCE]);
        // 3.9: it counts only where the finer one is not set.
        let both = [(DIFFERENCE, "5"), (BEFORE, "20000"), (AFTER, FAR)];
        assert_eq!(misfits(&both, old), [""; 0]);
        assert_eq!(misfits(&both, ahead), [DIFFERENCE]);
        // 4.x.
        assert_eq!(misfits(&[(BEFORE, "9999"), (AFTER, "3600000")], old), [BEFORE]);
        assert_eq!(misfits(&[(BEFORE, FAR), (AFTER, "19999")], ahead), [AFTER]);
    }
}
