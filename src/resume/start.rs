//! The start of a window that began "now", on topics that hold records: the least auction that they hold something of.

use std::collections::BTreeMap;

use super::error::{Mismatch, ResumeError};
use super::first_and_last::read_first;
use super::log::{Log, Offsets, Range};
use super::request::ResumeRequest;
use super::tail::{Tail, Tails};
use crate::generator::record::Record;
use crate::generator::spec::delays::emit_lag_ms_max;
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::{Assignment, Position, Shard, Window, WindowEnd};
use crate::log::compare::altered_part;

/// The window on topics that hold records, and whether it is known where it starts: a removed head means only that it was before
/// all that is left.
pub(super) fn window(
    ask: &ResumeRequest<'_>,
    log: &mut impl Log,
    bounds: &ByStage<Vec<Offsets>>,
    tails: &Tails,
    (first, end): (u64, WindowEnd),
) -> Result<(Window, bool), ResumeError> {
    let auctions = ask.stream.auctions();
    let least = tails.values().map(|tail| tail.head().ordinal).min().unwrap_or(first);
    if bounds[Stage::Request].iter().all(|bounds| bounds.log_end == 0)
        && let Some(furthest) = tails.values().map(Tail::last).max()
    {
        // The window's first request was stored before anything else, and nothing else tells where the window starts: an auction
        // whose request is gone may have left no other record.
        let emit_ms = auctions.plan(least).request_ms;
        let expected = Position { emit_ms, ordinal: least, stage: Stage::Request, copy: 0 };
        let partition = ask.stream.partition(expected);
        let why = Mismatch::NewTopic { expected: expected.into(), furthest: furthest.into() };
        return Err(ask.refuse(Stage::Request, partition, None, why));
    }
    if bounds.values().flatten().all(|bounds| bounds.log_start == 0) {
        // The window's first request was stored before anything else.
        return Ok((Window::from_auction(auctions, least, end)?, true));
    }
    if matches!(end, WindowEnd::Count(_) | WindowEnd::DurationMs(_)) {
        return Err(ResumeError::StartUnknown { what: "where it ends" });
    }
    // Now may lie behind the stream's end, so it is no auction to go by.
    if tails.is_empty() {
        return Err(ResumeError::StartUnknown { what: "what its last removed auctions still owe" });
    }
    let start = least_held(ask, log, bounds, tails, least)?;
    owes_nothing(ask, bounds, tails, start)?;
    Ok((Window::from_auction(auctions, start, end)?, false))
}

/// The least ordinal of all that is held. Within a partition a record of an earlier auction can follow one of a later auction, so
/// what follows the heads within the stage's lag is read too.
fn least_held(
    ask: &ResumeRequest<'_>,
    log: &mut impl Log,
    bounds: &ByStage<Vec<Offsets>>,
    tails: &Tails,
    mut least: u64,
) -> Result<u64, ResumeError> {
    let request_ms = ask.stream.auctions().plan(least).request_ms;
    // By stage, partition, event time and key; several where records repeat, or where users are keys.
    let mut candidates: BTreeMap<(Stage, u32, i64, [u8; 36]), Vec<Position>> = BTreeMap::new();
    let mut counts: BTreeMap<(Stage, u32), i64> = BTreeMap::new();
    let auctions = ask.stream.auctions();
    for stage in Stage::ALL {
        let lag_ms_max = emit_lag_ms_max(&auctions.spec().faults, stage);
        let until_ms = request_ms + lag_ms_max;
        let near = |&(&(of, _), tail): &(&(Stage, u32), &Tail)| of == stage && tail.head().emit_ms <= until_ms;
        let heads: BTreeMap<u32, Position> =
            tails.iter().filter(near).map(|(&(_, partition), tail)| (partition, tail.head())).collect();
        let Some(from) = heads.values().min() else { continue };
        let from = auctions.first_from_ms(from.emit_ms - lag_ms_max);
        let positions = ask.stream.positions(stage, Window::unbounded(from));
        for position in positions.take_while(|position| position.emit_ms <= until_ms) {
            ask.go_on()?;
            let key = ask.stream.key(position);
            let partition = ask.stream.partition_of_key(stage, &key);
            if heads.get(&partition).is_some_and(|&head| head <= position) {
                *counts.entry((stage, partition)).or_default() += 1;
                let event_ms = auctions.plan(position.ordinal).event_ms(stage).unwrap_or(position.emit_ms);
                candidates.entry((stage, partition, event_ms, key)).or_default().push(position);
            }
        }
    }
    let range = |(&(stage, partition), &count): (&(Stage, u32), &i64)| {
        let Offsets { log_start: low, log_end: end, .. } = bounds[stage][partition as usize];
        (Range { stage, partition, from: low, end }, count)
    };
    let ranges: Vec<(Range, i64)> = counts.iter().map(range).collect();
    let mut record = Record::default();
    read_first(log, &ranges, &mut |range, found| {
        let Some(Ok(key)) = found.key.as_deref().map(<[u8; 36]>::try_from) else { return Ok(()) };
        let positions = candidates.get(&(range.stage, range.partition, found.timestamp_ms, key));
        for position in positions.into_iter().flatten() {
            if position.ordinal < least {
                ask.stream.fill(*position, &mut record);
                least = altered_part(found, &record).map_or(position.ordinal, |_| least);
            }
        }
        Ok(())
    })?;
    Ok(least)
}

/// Refuses where auctions from before the least one, of which nothing is left, may still have records to come: whether they belong
/// to the window cannot be told.
fn owes_nothing(
    ask: &ResumeRequest<'_>,
    bounds: &ByStage<Vec<Offsets>>,
    tails: &Tails,
    start: u64,
) -> Result<(), ResumeError> {
    let stream = ask.stream;
    let mut held = bounds.each_ref().map(|partitions| vec![None; partitions.len()]);
    for (&(stage, partition), tail) in tails {
        // Of two equal records that it can be the earlier one: what stands between them may be owed.
        held[stage][partition as usize] = tail.lasts.first().copied();
    }
    let holds_nothing = |&(stage, partition, bounds): &(Stage, u32, Offsets)| {
        bounds.log_start == 0 && !tails.contains_key(&(stage, partition))
    };
    let nothing: Vec<_> = ask.owned(bounds).into_iter().filter(holds_nothing).collect();
    let never = |stage: &Stage| nothing.iter().any(|(of, _, _)| of == stage) && stream.happens(*stage);
    if Stage::ALL.iter().any(never) {
        return Err(ResumeError::StartUnknown { what: "what the partitions should hold that hold nothing yet" });
    }
    let from_ms = stream.auctions().plan(start).request_ms - stream.auctions().spec().lag_ms_max();
    let from = stream.auctions().first_from_ms(from_ms);
    let before = Assignment::new(Window::auctions(from, start - from), Shard::WHOLE, held.into_array());
    match stream.assigned_records(&before).next() {
        Some(_) => Err(ResumeError::StartUnknown { what: "what its last removed auctions still owe" }),
        None => Ok(()),
    }
}
