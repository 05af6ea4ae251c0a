//! The first and the last records that a reader sees in some spans. Ends of transactions and records of aborted ones take offsets
//! too, so they need not stand at the spans' own first and last offsets.

use std::collections::BTreeMap;

use super::error::{Mismatch, ResumeError};
use super::limits::DEPTH;
use super::locate::place;
use super::log::{Each, Log, Offsets, Range};
use super::request::ResumeRequest;
use super::tail::{Tail, Tails};
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::Position;
use crate::log::record::LogRecord;

/// So many offsets are looked at first: a transaction's last record, and the end that follows it.
const NEAR: i64 = 2;
/// Where those hold no record, so many times as many are looked at, and so on.
const DEEPER: i64 = 8;

/// One record of each of some partitions: its offset, and what it can be, least first.
type Placed = BTreeMap<(Stage, u32), (i64, Vec<Position>)>;

/// The same, or why it is none of the stream's.
type PlacedOrNot = (i64, Result<Vec<Position>, Mismatch>);

/// Places the first and the last record of each partition, and the first one of its tail.
pub(super) fn read_edges(
    ask: &ResumeRequest<'_>,
    log: &mut impl Log,
    bounds: &ByStage<Vec<Offsets>>,
) -> Result<Tails, ResumeError> {
    let whole = |(stage, partition, bounds): (Stage, u32, Offsets)| {
        let range = Range { stage, partition, from: bounds.log_start, end: bounds.log_end };
        (!bounds.is_empty()).then_some(range)
    };
    let logs: Vec<Range> = ask.owned(bounds).into_iter().filter_map(whole).collect();
    let heads = read_heads(ask, log, &logs)?;
    let lasts = read_lasts(ask, log, &logs)?;
    let tail = |range: &Range| {
        let (last, _) = lasts.get(&(range.stage, range.partition))?;
        Some(Range { from: range.from.max(last + 1 - DEPTH), ..*range })
    };
    let inner: Vec<Range> = logs.iter().filter_map(|range| tail(range).filter(|tail| tail.from > range.from)).collect();
    let firsts = read_heads(ask, log, &inner)?;
    let mut tails = Tails::new();
    for (at, (last, lasts)) in lasts {
        let Some((head, heads)) = heads.get(&at) else { continue };
        let (from, mut firsts) = firsts.get(&at).cloned().unwrap_or_else(|| (*head, heads.clone()));
        if from == *head && bounds[at.0][at.1 as usize].log_start == 0 {
            // Before any other a partition holds an event's own record.
            firsts.truncate(1);
        }
        tails.insert(at, Tail { from, end: last + 1, heads: heads.clone(), firsts, lasts });
    }
    Ok(tails)
}

/// Shows the first `count` records of each of some ranges, in order; fewer where there are fewer.
pub(super) fn read_first(log: &mut impl Log, ranges: &[(Range, i64)], each: &mut Each<'_>) -> Result<(), ResumeError> {
    let mut open = ranges.to_vec();
    let mut spare = NEAR;
    loop {
        open.retain(|(range, left)| *left > 0 && range.from < range.end);
        if open.is_empty() {
            return Ok(());
        }
        let part = |(range, left): &(Range, i64)| Range { end: range.end.min(range.from + left + spare), ..*range };
        let parts: Vec<Range> = open.iter().map(part).collect();
        log.read(&parts, &mut |range, found| {
            let of = |(other, _): &&mut (Range, i64)| (other.stage, other.partition) == (range.stage, range.partition);
            match open.iter_mut().find(of) {
                Some((_, left)) if *left > 0 => {
                    *left -= 1;
                    each(range, found)
                }
                _ => Ok(()),
            }
        })?;
        open.iter_mut().zip(parts).for_each(|((range, _), part)| range.from = part.end);
        spare *= DEEPER;
    }
}

fn read_heads(ask: &ResumeRequest<'_>, log: &mut impl Log, ranges: &[Range]) -> Result<Placed, ResumeError> {
    let mut found = Found::default();
    let ranges: Vec<(Range, i64)> = ranges.iter().map(|&range| (range, 1)).collect();
    read_first(log, &ranges, &mut |range, record| found.add(ask, range, record))?;
    found.placed(ask)
}

fn read_lasts(ask: &ResumeRequest<'_>, log: &mut impl Log, ranges: &[Range]) -> Result<Placed, ResumeError> {
    let mut found = Found::default();
    let mut open = ranges.to_vec();
    let mut depth = NEAR;
    while !open.is_empty() {
        let last = |range: &Range| Range { from: range.from.max(range.end - depth), ..*range };
        let parts: Vec<Range> = open.iter().map(last).collect();
        log.read(&parts, &mut |range, record| found.add(ask, range, record))?;
        open.iter_mut().zip(parts).for_each(|(range, part)| range.end = part.from);
        open.retain(|range| range.from < range.end && !found.0.contains_key(&(range.stage, range.partition)));
        depth *= DEEPER;
    }
    found.placed(ask)
}

/// The records that were seen last of each partition.
#[derive(Default)]
struct Found(BTreeMap<(Stage, u32), PlacedOrNot>);

impl Found {
    fn add(&mut self, ask: &ResumeRequest<'_>, range: &Range, record: &LogRecord) -> Result<(), ResumeError> {
        ask.go_on()?;
        let placed = place(ask.stream, range.stage, range.partition, record);
        self.0.insert((range.stage, range.partition), (record.offset, placed));
        Ok(())
    }

    /// What they are. Partitions are read in any order; the same log gets the same answer.
    fn placed(self, ask: &ResumeRequest<'_>) -> Result<Placed, ResumeError> {
        let place = |((stage, partition), (offset, placed)): ((Stage, u32), PlacedOrNot)| {
            let positions = placed.map_err(|why| ask.refuse(stage, partition, Some(offset), why))?;
            Ok(((stage, partition), (offset, positions)))
        };
        self.0.into_iter().map(place).collect()
    }
}
