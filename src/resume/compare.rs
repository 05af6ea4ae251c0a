//! Comparing what a log holds with the sequence that it should be a prefix of.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Mismatch, ResumeError};
use super::limits::QUEUE_AUCTIONS;
use super::locate::foreign;
use super::log::{Log, Offsets, Range};
use super::request::ResumeRequest;
use super::sequence::Sequence;
use super::tail::{Tail, Tails};
use crate::generator::record::Record;
use crate::generator::spec::delays::emit_lag_ms_max;
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::{Position, Positions, Window};
use crate::log::compare::altered_part;
use crate::log::identify::locate;
use crate::log::record::LogRecord;

/// Between a record and its planned duplicate so many others of the partition are looked at.
const BETWEEN_COPIES_MAX: i64 = 100_000;

/// Edges that are placed, and the window that they are checked against.
pub(super) struct Checked<'a> {
    pub(super) ask: &'a ResumeRequest<'a>,
    pub(super) window: Window,
    pub(super) tails: &'a Tails,
}

/// What comparing has shown.
pub(super) struct Compared {
    /// Each partition's last record.
    pub(super) lasts: BTreeMap<(Stage, u32), Position>,
    /// Whether each offset that was compared has a record.
    pub(super) are_gapless: bool,
}

/// The positions that the tails of a stage's partitions should have.
type Sequences = BTreeMap<u32, Sequence>;

impl Checked<'_> {
    /// Refuses records from outside the window.
    pub(super) fn inside(&self) -> Result<(), ResumeError> {
        let (start, end) = (self.window.start(), self.window.end().unwrap_or(u64::MAX));
        for (&(stage, partition), tail) in self.tails {
            let low = Self::head_offset(tail);
            for (position, offset) in [(tail.head(), low), (tail.last(), Some(tail.end - 1))] {
                let found = position.into();
                if position.ordinal < start {
                    return Err(self.ask.refuse(stage, partition, offset, Mismatch::BeforeWindow { found, start }));
                }
                if position.ordinal >= end {
                    return Err(self.ask.refuse(stage, partition, offset, Mismatch::BehindWindow { found, end }));
                }
            }
        }
        Ok(())
    }

    /// The head's offset, where it is the tail's first record too.
    fn head_offset(tail: &Tail) -> Option<i64> {
        (tail.head() == tail.first()).then_some(tail.from)
    }

    /// Refuses partitions that begin with another record than the window does there.
    pub(super) fn heads(&self, bounds: &ByStage<Vec<Offsets>>) -> Result<(), ResumeError> {
        for stage in Stage::ALL {
            let whole = |&(&(of, partition), _): &(&(Stage, u32), &Tail)| {
                of == stage && bounds[stage][partition as usize].log_start == 0
            };
            let mut open: BTreeMap<u32, &Tail> =
                self.tails.iter().filter(whole).map(|(&(_, partition), tail)| (partition, tail)).collect();
            let mut positions = self.positions(stage, self.window.start());
            while !open.is_empty() {
                self.ask.go_on()?;
                let Some(expected) = positions.next() else { break };
                let partition = self.ask.stream.partition(expected);
                if let Some(tail) = open.remove(&partition)
                    && !tail.heads.contains(&expected)
                {
                    let why = Mismatch::OtherStart { found: tail.head().into(), expected: expected.into() };
                    return Err(self.ask.refuse(stage, partition, Some(0), why));
                }
            }
        }
        Ok(())
    }

    /// Refuses tails that are not the sequence, and finds each one's last record. A stage at a time, because sequences take room.
    pub(super) fn tails(&self, log: &mut impl Log, bounds: &ByStage<Vec<Offsets>>) -> Result<Compared, ResumeError> {
        let mut compared = Compared { lasts: BTreeMap::new(), are_gapless: true };
        for stage in Stage::ALL {
            let of_stage = self.tails.iter().filter(|&(&(of, _), _)| of == stage);
            let ranges: Vec<Range> = of_stage
                .map(|(&(_, partition), tail)| Range { stage, partition, from: tail.from, end: tail.end })
                .collect();
            self.compare(log, ranges, bounds, &mut compared)?;
        }
        Ok(compared)
    }

    fn compare(
        &self,
        log: &mut impl Log,
        ranges: Vec<Range>,
        bounds: &ByStage<Vec<Offsets>>,
        compared: &mut Compared,
    ) -> Result<(), ResumeError> {
        let Some(&Range { stage, .. }) = ranges.first() else { return Ok(()) };
        let mut sequences = self.sequences(stage)?;
        let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
        let mut record = Record::default();
        log.read(&ranges, &mut |range, found| {
            self.ask.go_on()?;
            let index = seen.entry(range.partition).or_default();
            let expected = sequences.get_mut(&range.partition).and_then(|sequence| {
                sequence.keep(*index, |position| {
                    self.ask.stream.fill(position, &mut record);
                    altered_part(found, &record)
                })
            });
            *index += 1;
            let Some(differing) = expected else { return Ok(()) };
            let why = self.misfit(range, differing, found);
            Err(self.ask.refuse(range.stage, range.partition, Some(found.offset), why))
        })?;
        for range in ranges {
            let seen = seen.get(&range.partition).copied().unwrap_or(0);
            let Offsets { log_end: end, .. } = bounds[range.stage][range.partition as usize];
            compared.are_gapless &= seen as i64 == end - range.from;
            match *sequences.get(&range.partition).map_or_else(Vec::new, |sequence| sequence.lasts(seen)) {
                [one, other, ..] => {
                    let why = Mismatch::Ambiguous { one: one.into(), emit_ms: [one.emit_ms, other.emit_ms] };
                    return Err(self.ask.refuse(range.stage, range.partition, None, why));
                }
                [last] => drop(compared.lasts.insert((stage, range.partition), last)),
                [] => {}
            }
        }
        Ok(())
    }

    /// Why a record is not the one that should stand there, from which it differs in a part.
    fn misfit(&self, range: &Range, (expected, part): (Option<Position>, &'static str), found: &LogRecord) -> Mismatch {
        let stream = self.ask.stream;
        let mut positions = locate(stream, range.stage, found);
        positions.sort_unstable();
        let to_come = positions.iter().find(|&&position| expected.is_some_and(|expected| position >= expected));
        let Some(&position) = to_come.or(positions.last()) else { return foreign(found) };
        let (which, partitions) = (position.into(), stream.layout().topic(range.stage).partitions.count());
        let belongs = stream.partition(position);
        match expected {
            _ if belongs != range.partition => Mismatch::Elsewhere { found: which, expected: belongs, partitions },
            Some(expected) if position == expected => Mismatch::Altered { found: which, part },
            Some(expected) if position > expected => self.missing(position, expected),
            _ => Mismatch::Repeated { found: which },
        }
    }

    /// A record stands where an earlier one should. If that one is of an auction behind all that the log holds, a bounded window
    /// was drained.
    fn missing(&self, found: Position, expected: Position) -> Mismatch {
        let (which, wanted) = (found.into(), expected.into());
        let end = 1 + self.tails.values().map(|tail| tail.last().ordinal).max().unwrap_or(0);
        if expected.ordinal < end {
            return Mismatch::Missing { found: which, expected: wanted };
        }
        let end_ms = self.ask.stream.auctions().plan(end).request_ms;
        Mismatch::Drained { found: which, expected: wanted, end, end_ms }
    }

    /// The sequences of a stage's tails, each from its first to its last record, or until it is longer than the tail.
    fn sequences(&self, stage: Stage) -> Result<Sequences, ResumeError> {
        let tails: BTreeMap<u32, &Tail> =
            self.tails.iter().filter(|((of, _), _)| *of == stage).map(|(&(_, p), tail)| (p, tail)).collect();
        let mut sequences: Sequences = tails.keys().map(|&partition| (partition, Sequence::default())).collect();
        let Some(from) = tails.values().map(|tail| tail.first()).min() else { return Ok(sequences) };
        let mut open: BTreeSet<u32> = tails.keys().copied().collect();
        let auctions = self.ask.stream.auctions();
        let lag_ms_max = emit_lag_ms_max(&auctions.spec().faults, stage);
        let start = auctions.first_from_ms(from.emit_ms - lag_ms_max).max(self.window.start());
        for position in self.positions(stage, start).skip_while(|&position| position < from) {
            self.ask.go_on()?;
            let partition = self.ask.stream.partition(position);
            if let Some(tail) = tails.get(&partition)
                && (tail.first()..=tail.last()).contains(&position)
                && open.contains(&partition)
            {
                let sequence = sequences.entry(partition).or_default();
                sequence.positions.push(position);
                let between = if tail.firsts.len() > 1 { BETWEEN_COPIES_MAX } else { 0 };
                if sequence.positions.len() as i64 > tail.end - tail.from + between {
                    // One record alone can be the other one, however far it is.
                    sequence.positions.extend(tail.firsts.iter().filter(|first| **first > position));
                    open.remove(&partition);
                }
            }
            open.retain(|partition| position < tails[partition].last());
            if open.is_empty() {
                break;
            }
        }
        for (partition, sequence) in &mut sequences {
            sequence.begin(tails[partition]);
        }
        Ok(sequences)
    }

    /// The window's positions of a stage, from an auction on.
    pub(super) fn positions(&self, stage: Stage, start: u64) -> Positions<'_> {
        let window = match self.window.end() {
            Some(end) => Window::auctions(start, end.saturating_sub(start)),
            None => Window::unbounded(start),
        };
        self.ask.stream.positions(stage, window)
    }

    /// Refuses a topic that holds nothing, and never did, beside topics that are far: somebody made it anew.
    pub(super) fn no_new_topic(&self, bounds: &ByStage<Vec<Offsets>>) -> Result<(), ResumeError> {
        let Some(furthest) = self.tails.values().map(Tail::last).max() else { return Ok(()) };
        let start = self.window.start();
        let reach = furthest.ordinal.saturating_sub(QUEUE_AUCTIONS).saturating_sub(start);
        for stage in Stage::ALL {
            let holds = |bounds: &Offsets| bounds.log_end > 0;
            if !self.ask.stream.happens(stage) || bounds[stage].iter().any(holds) {
                continue;
            }
            for expected in self.ask.stream.positions(stage, Window::auctions(start, reach)) {
                self.ask.go_on()?;
                let partition = self.ask.stream.partition(expected);
                if self.ask.shard.owns(partition) {
                    let why = Mismatch::NewTopic { expected: expected.into(), furthest: furthest.into() };
                    return Err(self.ask.refuse(stage, partition, None, why));
                }
            }
        }
        Ok(())
    }
}
