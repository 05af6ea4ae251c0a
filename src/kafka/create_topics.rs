//! Creating the topics that are missing, with settings that fit the window.

use rdkafka::admin::{AdminClient, NewTopic, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::types::RDKafkaErrorCode;

use super::admin::{ask, options};
use super::client_context::LastError;
use super::error::{KafkaError, Obstacle, is_denied};
use super::judge_settings::{AFTER, BEFORE, DIFFERENCE, FAR, Times};
use super::timeouts::READY;
use crate::generator::spec::{Topic, TopicName};
use crate::log::shutdown::Shutdown;

/// The bounds that created topics get, so that the next start takes them whatever the broker's own are: those of brokers from 3.6 on, before that,
/// and none where both are refused. A broker refuses the names that it does not know.
const TIME_BOUNDS: [&[&str]; 3] = [&[BEFORE, AFTER], &[DIFFERENCE], &[]];
/// How topics that do not exist yet are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSettings {
    /// Copies of each partition; `None` is the broker's default.
    pub replication_factor: Option<u16>,
    /// The times that records will carry.
    pub times: Times,
    /// What topics that exist already may be.
    pub existing: Existing,
    /// Whether the run has no end. Then the broker's own retention is left where the first record fits into it, so that a run
    /// of months fills no disk. Otherwise records are kept for ever.
    pub without_end: bool,
}

/// What topics that exist already may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Empty or to be gone on with, all four or none, with settings that keep the records as they are.
    Resumed,
    /// Written to or not, with settings that keep the records as they are.
    Any,
    /// Made by this process a moment ago.
    Ours,
}

/// Creates topics, and names those that did not exist before.
pub(crate) fn create(
    config: &ClientConfig,
    missing: &[&Topic],
    settings: TopicSettings,
    retention_ms: Option<i64>,
    stop: &Shutdown,
) -> Result<Vec<TopicName>, KafkaError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let admin: AdminClient<LastError> = config.create_with_context(LastError::default())?;
    let Times { now_ms, first_ms, .. } = settings.times;
    let outlived = |retention_ms: i64| now_ms - first_ms >= retention_ms;
    let keep_all = retention_ms.is_none_or(outlived) || !settings.without_end;
    let mut created = Vec::new();
    let mut left = missing.to_vec();
    for bounds in TIME_BOUNDS {
        let new_topics: Vec<NewTopic<'_>> =
            left.iter().map(|topic| new_topic(topic, settings, keep_all, bounds)).collect();
        // The brokers have answered by now; creating many partitions takes its time.
        let seen = admin.inner().context();
        let answer = admin.create_topics(&new_topics, &options(READY));
        let results = ask("creating topics", READY, (stop, seen), answer)?;
        let mut refused = Vec::new();
        for (topic, result) in left.into_iter().zip(results) {
            match result {
                Ok(_) => created.push(topic.name.clone()),
                // Somebody else was faster, or it was there without leaders: waiting for it decides.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, RDKafkaErrorCode::InvalidConfig)) if !bounds.is_empty() => refused.push(topic),
                Err((_, code)) if is_denied(code) => {
                    let action = format!("creating topic `{}`", topic.name);
                    return Err(Obstacle::on_topic(&action, "Create", topic.name.as_str()).into());
                }
                Err((_, code)) => {
                    return Err(KafkaError::CreateTopic { topic: topic.name.clone(), code });
                }
            }
        }
        left = refused;
        if left.is_empty() {
            break;
        }
    }
    Ok(created)
}

fn new_topic<'a>(topic: &'a Topic, settings: TopicSettings, keep_all: bool, bounds: &[&'a str]) -> NewTopic<'a> {
    // -1 is Kafka's own word for the broker's default.
    let replication_factor = TopicReplication::Fixed(settings.replication_factor.map_or(-1, i32::from));
    let count = topic.partitions.count().cast_signed();
    let new = NewTopic::new(topic.name.as_str(), count, replication_factor)
        .set("message.timestamp.type", "CreateTime")
        .set("cleanup.policy", "delete");
    // Retention follows record timestamps: a window of the past would be deleted as it is written. What bounds its size
    // would take its beginning away.
    let new = if keep_all { new.set("retention.ms", "-1").set("retention.bytes", "-1") } else { new };
    let is_ahead = settings.times.last_ms > settings.times.now_ms;
    let wanted = bounds.iter().filter(|&&bound| bound != AFTER || is_ahead);
    wanted.fold(new, |new, bound| new.set(bound, FAR))
}
