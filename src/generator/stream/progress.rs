//! How far a partition holds its sequence, as words: what a log that retention has cut cannot tell, for whoever resumes it.

use std::fmt;
use std::str::FromStr;

use super::Position;
use crate::generator::spec::Stage;

/// What was true of one partition when its offset was committed: before that offset, it holds everything of its sequence from
/// the window's start up to a position.
///
/// It stands beside the offset as text, in Kafka's offset store as the offset's metadata:
///
/// ```
/// use mock_data_gen::generator::stream::Progress;
///
/// let text = "mock-data-gen/1 start=294 upto=1767225629400/294/impression/0 exactly-once";
/// let progress: Progress = text.parse().unwrap();
/// assert_eq!((progress.start, progress.is_exact), (294, true));
/// assert_eq!(progress.to_string(), text);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The ordinal of the window's first auction.
    pub start: u64,
    /// The partition holds all its records up to here, this position included; `None` if it holds none.
    pub upto: Option<Position>,
    /// Whether offsets after the committed one hold no record until a later commit says so, as within transactions. Otherwise
    /// each of them holds one.
    pub is_exact: bool,
}

/// The form of the text; another one is another version's.
const NAME: &str = "mock-data-gen/1";
const EXACT: &str = "exactly-once";
const COUNTED: &str = "idempotent";

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} start={} upto=", self.start)?;
        match self.upto {
            Some(Position { emit_ms, ordinal, stage, copy }) => write!(f, "{emit_ms}/{ordinal}/{stage}/{copy}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {}", if self.is_exact { EXACT } else { COUNTED })
    }
}

/// A text that is not a [`Progress`] of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form `{NAME} start=ORDINAL upto=EMIT_MS/ORDINAL/STAGE/COPY {COUNTED}|{EXACT}`")]
pub struct ProgressError;

impl FromStr for Progress {
    type Err = ProgressError;

    fn from_str(text: &str) -> Result<Self, ProgressError> {
        let [NAME, start, upto, mode] = text.split(' ').collect::<Vec<_>>()[..] else { return Err(ProgressError) };
        let start = number(start.strip_prefix("start=").ok_or(ProgressError)?)?;
        let upto = match upto.strip_prefix("upto=").ok_or(ProgressError)? {
            "-" => None,
            upto => Some(position(upto)?),
        };
        let is_exact = match mode {
            EXACT => true,
            COUNTED => false,
            _ => return Err(ProgressError),
        };
        Ok(Self { start, upto, is_exact })
    }
}

fn position(text: &str) -> Result<Position, ProgressError> {
    let [emit_ms, ordinal, stage, copy] = text.split('/').collect::<Vec<_>>()[..] else { return Err(ProgressError) };
    let stage = Stage::ALL.into_iter().find(|of| of.to_string() == stage).ok_or(ProgressError)?;
    Ok(Position { emit_ms: number(emit_ms)?, ordinal: number(ordinal)?, stage, copy: number(copy)? })
}

fn number<T: FromStr>(text: &str) -> Result<T, ProgressError> {
    text.parse().map_err(|_| ProgressError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_read_as_it_was_written() {
        let position = Position { emit_ms: 1_767_225_600_123, ordinal: u64::MAX, stage: Stage::Click, copy: 3 };
        for upto in [None, Some(position)] {
            for is_exact in [false, true] {
                let progress = Progress { start: 42, upto, is_exact };
                assert_eq!(progress.to_string().parse(), Ok(progress));
            }
        }
        // The broker's default bound of an offset's metadata is 4,096 bytes.
        let longest = Progress { start: u64::MAX, upto: Some(position), is_exact: true };
        assert!(longest.to_string().len() < 200);
    }

    #[test]
    fn another_text_is_refused() {
        let texts = [
            "",
            "mock-data-gen/2 start=1 upto=- idempotent",
            "mock-data-gen/1 start=1 upto=- twice",
            "mock-data-gen/1 start=-1 upto=- idempotent",
            "mock-data-gen/1 start=1 upto=1/2/request idempotent",
            "mock-data-gen/1 start=1 upto=1/2/imp/0 idempotent",
            "mock-data-gen/1 start=1 upto=- idempotent more",
        ];
        for text in texts {
            assert_eq!(text.parse::<Progress>(), Err(ProgressError), "{text}");
        }
    }
}
