//! Why a partition acknowledges nothing, as its brokers see it: asked by a client and on a thread of their own, so that no answer holds the
//! run up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, ResourceSpecifier};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataPartition;

use super::waiting::PATIENCE;
use crate::kafka::{Client, LastError, ask, options};
use crate::log::shutdown::Shutdown;

/// How long an answer is waited for, at least.
const WITHIN: Duration = Duration::from_secs(4);
/// It may take so many times as long as the brokers' first answer took: that was a new client's, too.
const SLOWER: u32 = 2;

/// What was found out, and what is being asked.
#[derive(Debug)]
pub(super) struct Causes {
    /// Of a client that asks; without one nothing is known.
    config: Option<ClientConfig>,
    within: Duration,
    asked: Option<Instant>,
    found: Arc<Mutex<Found>>,
}

/// By topic and partition.
#[derive(Debug, Default)]
struct Found {
    partitions: BTreeMap<(String, usize), String>,
    /// Where the brokers did not answer.
    silence: Option<String>,
}

impl Causes {
    pub(super) fn new(client: &Client) -> Self {
        let within = client.first_answer().saturating_mul(SLOWER).max(WITHIN);
        Self { config: Some(client.config()), within, asked: None, found: Arc::default() }
    }

    #[cfg(test)]
    pub(super) fn unknown() -> Self {
        Self { config: None, within: WITHIN, asked: None, found: Arc::default() }
    }

    /// Asks about the partitions of these topics, unless that was done a moment ago.
    pub(super) fn ask(&mut self, topics: Vec<String>, now: Instant) {
        let Some(config) = self.config.clone() else { return };
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < PATIENCE.max(self.within)) {
            return;
        }
        self.asked = Some(now);
        let (found, within) = (Arc::clone(&self.found), self.within);
        let look = move || {
            let answer = look(&config, &topics, within);
            *found.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        };
        // Without a thread for it the reason is not told; the run goes on.
        let _ = thread::Builder::new().name("causes".to_owned()).spawn(look);
    }

    /// Why a partition stands still, if that is known.
    pub(super) fn of(&self, topic: &str, partition: usize) -> Option<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.partitions.get(&(topic.to_owned(), partition)).or(found.silence.as_ref()).cloned()
    }
}

fn look(config: &ClientConfig, topics: &[String], within: Duration) -> Found {
    let mut found = Found::default();
    let Ok(client) = config.create_with_context::<_, BaseConsumer<LastError>>(LastError::default()) else {
        return found;
    };
    for topic in topics {
        let metadata = match client.fetch_metadata(Some(topic), within) {
            Ok(metadata) => metadata,
            Err(error) => {
                while client.poll(Duration::ZERO).is_some() {}
                let why = client.context().last().unwrap_or_else(|| error.to_string());
                found.silence = Some(format!("the brokers do not answer: {why}"));
                return found;
            }
        };
        let Some(described) = metadata.topics().first() else { continue };
        let short = |partition: &MetadataPartition| partition.isr().len() < partition.replicas().len();
        let wanted =
            described.partitions().iter().any(short).then(|| min_insync_replicas(config, topic, within)).flatten();
        for partition in described.partitions() {
            let Ok(id) = usize::try_from(partition.id()) else { continue };
            let (replicas, insync) = (partition.replicas().len(), partition.isr().len());
            let reason = reason(partition.leader(), partition.replicas(), (insync, replicas, wanted));
            found.partitions.insert((topic.clone(), id), reason);
        }
    }
    found
}

fn reason(leader: i32, replicas: &[i32], (insync, count, wanted): (usize, usize, Option<usize>)) -> String {
    if leader < 0 {
        let brokers: Vec<String> = replicas.iter().map(ToString::to_string).collect();
        return format!("it has no leader, its replicas are on brokers {} (LEADER_NOT_AVAILABLE)", brokers.join(", "));
    }
    match wanted {
        Some(wanted) if insync < wanted => format!(
            "{insync} of {count} replicas in sync, and min.insync.replicas={wanted}: broker {leader} refuses records until more are (NOT_ENOUGH_REPLICAS)"
        ),
        None if insync < count => format!(
            "{insync} of {count} replicas in sync; the brokers do not tell how many they want (min.insync.replicas, which needs the right to DescribeConfigs)"
        ),
        _ => format!(
            "its leader, broker {leader}, has not answered: it waits for all {insync} replicas that count as in sync"
        ),
    }
}

/// How many replicas must be in sync for a record to be taken, if the brokers tell.
fn min_insync_replicas(config: &ClientConfig, topic: &str, within: Duration) -> Option<usize> {
    let admin: AdminClient<LastError> = config.create_with_context(LastError::default()).ok()?;
    let resource = [ResourceSpecifier::Topic(topic)];
    let answer = admin.describe_configs(&resource, &options(within));
    let described = ask("reading topic settings", within, (&Shutdown::default(), admin.inner().context()), answer)
        .ok()?
        .into_iter()
        .next()?
        .ok()?;
    described.get("min.insync.replicas")?.value.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_say_of_a_partition_reads_as_a_reason() {
        let cases = [
            (
                reason(-1, &[1, 3], (0, 2, None)),
                "it has no leader, its replicas are on brokers 1, 3 (LEADER_NOT_AVAILABLE)",
            ),
            (
                reason(2, &[1, 2, 3], (1, 3, Some(2))),
                "1 of 3 replicas in sync, and min.insync.replicas=2: broker 2 refuses records until more are (NOT_ENOUGH_REPLICAS)",
            ),
            (
                reason(2, &[1, 2, 3], (2, 3, None)),
                "2 of 3 replicas in sync; the brokers do not tell how many they want (min.insync.replicas, which needs the right to DescribeConfigs)",
            ),
            (
                reason(2, &[1, 2, 3], (2, 3, Some(2))),
                "its leader, broker 2, has not answered: it waits for all 2 replicas that count as in sync",
            ),
            (
                reason(2, &[1, 2, 3], (3, 3, None)),
                "its leader, broker 2, has not answered: it waits for all 3 replicas that count as in sync",
            ),
        ];
        for (said, wanted) in cases {
            assert_eq!(said, wanted);
        }
    }
}
