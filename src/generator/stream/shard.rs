//! Shards: which partitions one worker of several owns.

use std::fmt;
use std::str::FromStr;

use crate::generator::spec::{Layout, Topic};

/// The partitions that one worker of several owns: partition `p` of every topic belongs to the worker `p mod count`.
///
/// ```
/// use mock_data_gen::generator::stream::Shard;
///
/// let second_of_three: Shard = "1/3".parse()?;
/// assert!(second_of_three.owns(4) && !second_of_three.owns(5));
/// # Ok::<(), mock_data_gen::generator::stream::ShardError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// All partitions.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether a partition belongs to it.
    #[must_use]
    pub fn owns(self, partition: u32) -> bool {
        partition % self.count == self.index
    }

    /// Whether every partition belongs to it.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// Whether any of a topic's partitions belongs to it.
    #[must_use]
    pub fn owns_any_of(self, topic: &Topic) -> bool {
        self.index < topic.partitions.count()
    }

    /// Whether any of a layout's partitions belongs to it.
    #[must_use]
    pub fn owns_any(self, layout: &Layout) -> bool {
        layout.topics().iter().any(|topic| self.owns_any_of(topic))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// A text that is not a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// Not two whole numbers with a slash between.
    #[error("not of the form INDEX/COUNT, such as 0/3")]
    Form,
    /// No such worker.
    #[error("workers are counted from 0: of {count} the last one is {}/{count}", .count.saturating_sub(1))]
    Range {
        /// How many there are.
        count: u32,
    },
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (index, count) = text.split_once('/').ok_or(ShardError::Form)?;
        let number = |text: &str| text.parse::<u32>().ok().filter(|_| !text.starts_with('+')).ok_or(ShardError::Form);
        let (index, count) = (number(index)?, number(count)?);
        if count == 0 {
            return Err(ShardError::Form);
        }
        if index < count { Ok(Self { index, count }) } else { Err(ShardError::Range { count }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_counted_from_zero() {
        for text in ["0/1", "0/3", "2/3", "4294967294/4294967295"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in ["", "1", "/", "1/", "/2", "0/0", "-1/2", "+0/2", "0/+2", "1/2/3", "a/2", "0/4294967296"] {
            assert!(!matches!(text.parse::<Shard>(), Ok(_) | Err(ShardError::Range { .. })), "{text}");
        }
        assert_eq!("3/3".parse::<Shard>(), Err(ShardError::Range { count: 3 }));
        assert_eq!(ShardError::Range { count: 3 }.to_string(), "workers are counted from 0: of 3 the last one is 2/3");
    }
}
