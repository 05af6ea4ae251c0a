//! Creating the topics that are missing, with settings that fit the window.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaErrorCode;
use tokio::time::sleep;

use super::KafkaError;
use super::cluster::READY;
use super::last_error::LastError;
use super::refusal::Refusal;
use crate::sink::Stop;
use crate::spec::{Topic, TopicName};

/// A signal is looked for this often.
const STOP_WAIT: Duration = Duration::from_millis(50);

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

/// Creates topics, and names those that did not exist before.
pub(super) fn create(
    config: &ClientConfig,
    missing: &[&Topic],
    settings: TopicSettings,
    retention_ms: Option<i64>,
    stop: &Stop,
) -> Result<Vec<TopicName>, KafkaError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let admin: AdminClient<LastError> = config.create_with_context(LastError::default())?;
    let Times { now_ms, first_ms, last_ms } = settings.times;
    let outlived = |retention_ms: i64| now_ms - first_ms >= retention_ms;
    let keep_all = retention_ms.is_none_or(outlived) || !settings.without_end;
    // -1 is Kafka's own word for the broker's default.
    let replication_factor = settings.replication_factor.map_or(-1, i32::from);
    let new_topics: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|topic| {
            let count = topic.partitions.count().cast_signed();
            let new = NewTopic::new(topic.name.as_str(), count, TopicReplication::Fixed(replication_factor))
                .set("message.timestamp.type", "CreateTime")
                .set("cleanup.policy", "delete");
            // Retention follows record timestamps: a window of the past would be deleted as it is written. What bounds its size
            // would take its beginning away.
            let new = if keep_all { new.set("retention.ms", "-1").set("retention.bytes", "-1") } else { new };
            let far_ahead = "9223372036854775807";
            if last_ms > now_ms { new.set("message.timestamp.after.max.ms", far_ahead) } else { new }
        })
        .collect();
    // The brokers have answered by now; creating many partitions takes its time.
    let seen = admin.inner().context();
    let results = ask("creating topics", READY, (stop, seen), admin.create_topics(&new_topics, &options(READY)))?;
    let mut created = Vec::new();
    for (topic, result) in missing.iter().zip(results) {
        match result {
            Ok(_) => created.push(topic.name.clone()),
            // Somebody else was faster, or it was there without leaders: waiting for it decides.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => {
                return Err(KafkaError::cannot_create(topic.name.clone(), code));
            }
        }
    }
    Ok(created)
}

/// For how long a broker keeps records of topics that do not say so themselves, -1 being for ever; `None` if it does not tell.
pub(super) fn broker_retention_ms(
    config: &ClientConfig,
    broker: i32,
    within: Duration,
    stop: &Stop,
) -> Result<Option<i64>, KafkaError> {
    let admin: AdminClient<LastError> = config.create_with_context(LastError::default())?;
    let broker = [ResourceSpecifier::Broker(broker)];
    let described = admin.describe_configs(&broker, &options(within));
    let described = match ask("reading the broker's settings", within, (stop, admin.inner().context()), described) {
        Err(error @ (KafkaError::Unanswered { .. } | KafkaError::NotLetIn { .. } | KafkaError::Stopped)) => {
            return Err(error);
        }
        described => described.ok(),
    };
    let broker = described.into_iter().flatten().find_map(Result::ok);
    let value = |name: &str| broker.as_ref()?.get(name)?.value.as_ref()?.parse::<i64>().ok();
    // The finer setting beats the coarser.
    let units = [("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)];
    let retention_ms = units.into_iter().find_map(|(name, ms)| Some(value(name)?.saturating_mul(ms)));
    Ok(retention_ms.map(|retention_ms| if retention_ms < 0 { i64::MAX } else { retention_ms }))
}

/// Which of these topics' settings would not keep the records as they are, each with the command that mends it: `LogAppendTime`,
/// compaction, a retention that the window's first record has outlived, times that the broker does not take.
pub(super) fn misfits(
    config: &ClientConfig,
    brokers: &str,
    topics: &[&Topic],
    times: Times,
    within: Duration,
    stop: &Stop,
) -> Result<Vec<KafkaError>, KafkaError> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let admin: AdminClient<LastError> = config.create_with_context(LastError::default())?;
    let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic.name.as_str())).collect();
    let seen = admin.inner().context();
    let described =
        ask("reading topic settings", within, (stop, seen), admin.describe_configs(&resources, &options(within)))?;
    let mut misfits = Vec::new();
    for (topic, described) in topics.iter().zip(described) {
        // A broker that does not show its settings does not stop anybody.
        let Ok(described) = described else { continue };
        let value = |name: &str| described.get(name).and_then(|entry| entry.value.as_deref());
        let error = |(setting, found, wanted)| KafkaError::TopicSetting {
            topic: topic.name.clone(),
            setting: format!("{setting}={found}"),
            mend: format!(
                "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {} --add-config {setting}={wanted}",
                topic.name
            ),
        };
        misfits.extend(settings_that_do_not_fit(value, times).into_iter().map(error));
    }
    Ok(misfits)
}

/// The settings that do not fit: name, value, and the value that would.
fn settings_that_do_not_fit<'a>(
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
    let settings = [
        is("message.timestamp.type", "LogAppendTime", "CreateTime"),
        is("cleanup.policy", "compact", "delete"),
        beyond("retention.ms", age_ms, "-1"),
        beyond("message.timestamp.before.max.ms", age_ms, "9223372036854775807"),
        beyond("message.timestamp.after.max.ms", ahead_ms, "9223372036854775807"),
    ];
    settings.into_iter().flatten().collect()
}

pub(super) fn options(within: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(within)).operation_timeout(Some(within))
}

/// Waits for an answer of the admin client, for a signal, or until it has seen that brokers let nobody in.
pub(super) fn ask<T>(
    action: &str,
    within: Duration,
    (stop, seen): (&Stop, &LastError),
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, KafkaError> {
    let refused = |source: ClientError| KafkaError::refused(action, source, within);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| refused(ClientError::AdminOpCreation(error.to_string())))?;
    runtime.block_on(async {
        tokio::select! {
            answer = answer => answer.map_err(refused),
            () = asked(stop) => Err(KafkaError::Stopped),
            refusal = refused_by(seen) => Err(refusal.into()),
        }
    })
}

async fn asked(stop: &Stop) {
    while !stop.asked() {
        sleep(STOP_WAIT).await;
    }
}

async fn refused_by(seen: &LastError) -> Refusal {
    loop {
        if let Some(refusal) = seen.refusal() {
            return refusal;
        }
        sleep(STOP_WAIT).await;
    }
}
