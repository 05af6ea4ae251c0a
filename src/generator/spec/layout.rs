//! Where records go: the four stages' topics and partition counts. A layout changes no key, value, timestamp or order.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::stage::Stage;

/// A legal Kafka topic name: 1 to 249 of `[A-Za-z0-9._-]`, not `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TopicName(String);

impl TopicName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TopicName {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=249).contains(&text.len()) && text.bytes().all(legal) && text != "." && text != ".." {
            Ok(Self(text.to_owned()))
        } else {
            Err(LayoutError::TopicName)
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Kafka's own range ends at 2^31 − 1, but clusters have so many partitions at most, and a run takes some 700 bytes for each.
const PARTITIONS_MAX: u32 = 100_000;

/// A topic's partition count: 1 to 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Partitions(u32);

impl Partitions {
    /// The count; it always fits an `i32`.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0
    }

    /// A partition count.
    ///
    /// # Errors
    /// If it is 0 or above 100,000.
    pub fn new(count: u32) -> Result<Self, LayoutError> {
        if (1..=PARTITIONS_MAX).contains(&count) { Ok(Self(count)) } else { Err(LayoutError::Partitions) }
    }
}

impl FromStr for Partitions {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        match text.parse() {
            Ok(count) if !text.starts_with('+') => Self::new(count),
            _ => Err(LayoutError::Partitions),
        }
    }
}

impl fmt::Display for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A topic: its name and how many partitions it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// Name, unlike the other three's.
    pub name: TopicName,
    /// Partition count.
    pub partitions: Partitions,
}

/// Where records go: the four topics, all different, each with its partition count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    topics: [Topic; 4],
}

impl Layout {
    /// Puts the stages into four topics, in funnel order.
    ///
    /// # Errors
    /// If two stages would share a topic.
    pub fn new(topics: [Topic; 4]) -> Result<Self, LayoutError> {
        for (index, topic) in topics.iter().enumerate() {
            if let Some(earlier) = topics[..index].iter().position(|other| other.name == topic.name) {
                return Err(LayoutError::Shared {
                    name: topic.name.clone(),
                    first: Stage::ALL[earlier],
                    second: Stage::ALL[index],
                });
            }
        }
        Ok(Self { topics })
    }

    /// The topic of a stage.
    #[must_use]
    pub fn topic(&self, stage: Stage) -> &Topic {
        &self.topics[stage.index()]
    }

    /// The topics in funnel order.
    #[must_use]
    pub fn topics(&self) -> &[Topic; 4] {
        &self.topics
    }

    /// The same topics with other partition counts, in funnel order: what a broker says that it has.
    #[must_use]
    pub fn with_partitions(&self, counts: [Partitions; 4]) -> Self {
        let mut topics = self.topics.clone();
        for (topic, partitions) in topics.iter_mut().zip(counts) {
            topic.partitions = partitions;
        }
        Self { topics }
    }
}

impl Default for Layout {
    /// The product document's topics with six partitions each: the layout of the golden fingerprints.
    fn default() -> Self {
        let topic = |name: &str| Topic { name: TopicName(name.to_owned()), partitions: Partitions(6) };
        Self { topics: ["bid-requests", "bid-responses", "impressions", "clicks"].map(topic) }
    }
}

/// A layout that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Not a legal Kafka name.
    #[error("not a legal topic name: 1 to 249 of A-Z a-z 0-9 . _ - and not `.` or `..`")]
    TopicName,
    /// Not a count of partitions: no whole number, zero, or more than clusters have.
    #[error("give a whole number from 1 to 100000")]
    Partitions,
    /// One topic for two stages.
    #[error("topic `{name}` is named for both {first}s and {second}s: each stage needs a topic of its own")]
    Shared {
        /// The topic.
        name: TopicName,
        /// The earlier stage.
        first: Stage,
        /// The later stage.
        second: Stage,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_follow_kafkas_rule() {
        let longest = "a".repeat(249);
        for name in ["a", "bid-requests", "A.b_c-9", "...", longest.as_str()] {
            assert!(name.parse::<TopicName>().is_ok(), "{name}");
        }
        let too_long = "a".repeat(250);
        for name in ["", ".", "..", "a b", "a/b", "ä", "a\n", too_long.as_str()] {
            assert!(name.parse::<TopicName>().is_err(), "{name}");
        }
    }

    #[test]
    fn two_stages_never_share_a_topic() {
        let mut topics = Layout::default().topics().clone();
        topics[3].name = topics[1].name.clone();
        let error = Layout::new(topics).unwrap_err();
        assert_eq!(
            error.to_string(),
            "topic `bid-responses` is named for both responses and clicks: each stage needs a topic of its own"
        );
    }
}
