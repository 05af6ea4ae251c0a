//! Parts of a window: the partitions of a shard, each behind what it holds already.

use std::fmt;
use std::str::FromStr;

use super::{Position, Records, Stream, Window};
use crate::draw::Words;
use crate::record::Record;
use crate::spec::{Layout, Rate, Stage};

/// The partitions that one worker of several owns: partition `p` of every topic belongs to the worker `p mod count`.
///
/// ```
/// use mock_data_gen::stream::Shard;
///
/// let second_of_three: Shard = "1/3".parse()?;
/// assert!(second_of_three.owns(4) && !second_of_three.owns(5));
/// # Ok::<(), mock_data_gen::stream::ShardError>(())
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

    /// Whether any of a layout's partitions belongs to it.
    #[must_use]
    pub fn owns_any(self, layout: &Layout) -> bool {
        layout.topics().iter().any(|topic| self.index < topic.partitions.count())
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

/// What a run plays of a window: the records of a shard's partitions, each partition's behind the last one that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    window: Window,
    shard: Shard,
    held: [Vec<Option<Position>>; 4],
}

impl From<Window> for Part {
    /// All of a window.
    fn from(window: Window) -> Self {
        Self { window, shard: Shard::WHOLE, held: Default::default() }
    }
}

impl Part {
    /// A shard's part of a window. `held` names the last record that each partition holds, by stage; a partition that is not
    /// named holds none.
    #[must_use]
    pub fn new(window: Window, shard: Shard, held: [Vec<Option<Position>>; 4]) -> Self {
        Self { window, shard, held }
    }

    /// The window.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// The shard.
    #[must_use]
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// Whether the record at a position, in a partition, belongs to it.
    fn plays(&self, position: Position, partition: u32) -> bool {
        self.shard.owns(partition) && self.held(position.stage, partition) < Some(position)
    }

    /// The last position that a partition holds, or is known to hold everything up to.
    pub(crate) fn held(&self, stage: Stage, partition: u32) -> Option<Position> {
        self.held[stage.index()].get(partition as usize).copied().flatten()
    }

    /// Of each stage the position up to which all its owned partitions hold everything; `None` if one of them holds nothing.
    fn least_held(&self, layout: &Layout) -> [Option<Position>; 4] {
        Stage::ALL.map(|stage| {
            let partitions = 0..layout.topic(stage).partitions.count();
            let owned = partitions.filter(|&partition| self.shard.owns(partition));
            owned.map(|partition| self.held(stage, partition)).min().flatten()
        })
    }
}

/// A cursor over the records of a part, in the total order.
///
/// What belongs to another part costs a plan and at most a key, never a document. As an iterator it gives each record in
/// buffers of its own.
#[derive(Debug, Clone)]
pub struct PartRecords<'a> {
    records: Records<'a>,
    part: &'a Part,
    least_held: [Option<Position>; 4],
}

/// One step of [`PartRecords`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The next record of the part was filled in.
    Filled,
    /// Records here belong to other parts, and were passed over.
    Passed {
        /// Where the last of them stands.
        to: Position,
        /// How many they are, from 1.
        count: usize,
    },
    /// The part is complete.
    End,
}

impl Stream {
    /// The records of a part of a window, in order.
    #[must_use]
    pub fn records_of_part<'a>(&'a self, part: &'a Part) -> PartRecords<'a> {
        let least_held = part.least_held(self.layout());
        let happens = |&stage: &Stage| self.happens(stage);
        let owned = |&stage: &Stage| part.shard.index < self.layout().topic(stage).partitions.count();
        let stages = Stage::ALL.into_iter().filter(happens).filter(owned);
        let least = stages.map(|stage| least_held[stage.index()]).min().flatten();
        let records = match least {
            Some(position) => self.records_from(part.window, position),
            None => self.records(part.window),
        };
        PartRecords { records, part, least_held }
    }

    /// The records of a part of which nothing is held, from a position on, in order.
    #[must_use]
    pub fn records_of_part_from<'a>(&'a self, part: &'a Part, position: Position) -> PartRecords<'a> {
        PartRecords { records: self.records_from(part.window, position), part, least_held: [None; 4] }
    }

    /// Whether the spec lets a stage have records at all.
    pub(crate) fn happens(&self, stage: Stage) -> bool {
        let spec = self.auctions().spec();
        let rates = [spec.bid_response_rate, spec.win_rate, spec.click_rate];
        let faults = &spec.faults;
        let extras = [faults.malformed, faults.invalid, faults.tombstones];
        let are_all_dropped = stage != Stage::Click && faults.orphans == Rate::ALWAYS;
        rates[..stage.index()].iter().all(|rate| *rate != Rate::NEVER)
            && (!are_all_dropped || extras.iter().any(|rate| *rate != Rate::NEVER))
    }
}

/// A record that is due, and the words that it is made of.
#[derive(Debug)]
pub(crate) struct Due {
    position: Position,
    words: Words,
}

/// Makes the records of a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maker<'a> {
    stream: &'a Stream,
    part: &'a Part,
}

impl Maker<'_> {
    /// Fills `record`; false if the record here belongs to another part.
    pub(crate) fn fill(self, due: &Due, record: &mut Record) -> bool {
        self.fill_of_words(due.position, &due.words, record)
    }

    fn fill_of_words(self, position: Position, words: &Words, record: &mut Record) -> bool {
        let Self { stream, part } = self;
        let key = stream.key_of_words(position, words);
        let partition = stream.partition_of_key(position.stage, &key);
        let plays = part.plays(position, partition);
        if plays {
            stream.fill_with_key(position, words, &key, partition, record);
        }
        plays
    }
}

impl<'a> PartRecords<'a> {
    /// Takes one step: fills `record` with the next record if it belongs to the part, or passes over it.
    pub fn step(&mut self, record: &mut Record) -> Step {
        let maker = self.maker();
        let Some((position, words)) = self.records.due.next() else { return Step::End };
        let is_held = Some(position) <= self.least_held[position.stage.index()];
        let is_filled = !is_held && maker.fill_of_words(position, words, record);
        if is_filled { Step::Filled } else { Step::Passed { to: position, count: 1 } }
    }

    /// Walks over the next `count` records, and takes over into `due` what those are made of that may belong to the part. Says
    /// how many there were, and where the last one stands; `None` if there was none.
    pub(crate) fn walk(&mut self, count: usize, due: &mut Vec<Due>) -> (usize, Option<Position>) {
        due.clear();
        let (mut walked, mut last) = (0, None);
        for _ in 0..count {
            let Some((position, words)) = self.records.due.next() else { break };
            if Some(position) > self.least_held[position.stage.index()] {
                due.push(Due { position, words: words.clone() });
            }
            (walked, last) = (walked + 1, Some(position));
        }
        (walked, last)
    }

    /// What makes the records that are walked over.
    pub(crate) fn maker(&self) -> Maker<'a> {
        Maker { stream: self.records.stream, part: self.part }
    }
}

impl Iterator for PartRecords<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        loop {
            match self.step(&mut record) {
                Step::Filled => return Some(record),
                Step::Passed { .. } => {}
                Step::End => return None,
            }
        }
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
