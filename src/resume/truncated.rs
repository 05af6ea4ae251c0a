//! Partitions that retention has emptied: their number of records says where they ended.

use std::collections::BTreeMap;

use super::compare::Checked;
use super::error::Mismatch;
use super::error::ResumeError;
use super::limits::QUEUE_AUCTIONS;
use super::log::Offsets;
use super::tail::Tail;
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::Position;

/// The last record that each partition holds, or held before retention removed it: as was committed, or by counting.
pub(super) fn held(
    checked: &Checked<'_>,
    bounds: &ByStage<Vec<Offsets>>,
    known: bool,
    are_gapless: bool,
    remembered: &BTreeMap<(Stage, u32), Option<Position>>,
) -> Result<ByStage<Vec<Option<Position>>>, ResumeError> {
    let mut held = bounds.each_ref().map(|partitions| vec![None; partitions.len()]);
    for (&(stage, partition), tail) in checked.tails {
        held[stage][partition as usize] = Some(tail.last());
    }
    for (&(stage, partition), &upto) in remembered {
        held[stage][partition as usize] = upto;
    }
    let is_emptied = |&(stage, partition, bounds): &(Stage, u32, Offsets)| {
        let at = (stage, partition);
        bounds.log_start > 0 && !checked.tails.contains_key(&at) && !remembered.contains_key(&at)
    };
    let emptied: Vec<_> = checked.ask.owned(bounds).into_iter().filter(is_emptied).collect();
    if let Some(&(stage, partition, _)) = emptied.first() {
        countable(checked, &emptied, known, are_gapless)
            .map_err(|why| checked.ask.refuse(stage, partition, None, why))?;
        cut_heads(checked, bounds)?;
    }
    for stage in Stage::ALL {
        let of_stage = emptied.iter().filter(|&&(of, _, _)| of == stage);
        let emptied: BTreeMap<u32, i64> = of_stage.map(|&(_, partition, bounds)| (partition, bounds.log_end)).collect();
        for (partition, position) in counted(checked, stage, emptied)? {
            held[stage][partition as usize] = Some(position);
        }
    }
    Ok(held)
}

/// Refuses partitions whose offsets do not say how many records they had.
fn countable(
    checked: &Checked<'_>,
    emptied: &[(Stage, u32, Offsets)],
    known: bool,
    are_gapless: bool,
) -> Result<(), Mismatch> {
    // Where the others have gaps, an earlier run wrote transactions here, too.
    let records_only = !checked.ask.transactional && are_gapless;
    match emptied.iter().all(|(_, _, bounds)| bounds.is_empty()) {
        true if records_only && known => Ok(()),
        true if records_only => Err(Mismatch::Emptied),
        _ => Err(Mismatch::Uncounted),
    }
}

/// Refuses cut partitions whose first record is not the one that its offset counts. Emptied ones are placed by counting too,
/// and nothing else would tell that the count begins elsewhere.
fn cut_heads(checked: &Checked<'_>, bounds: &ByStage<Vec<Offsets>>) -> Result<(), ResumeError> {
    for stage in Stage::ALL {
        let low = |partition: u32| bounds[stage][partition as usize].log_start;
        let cut = |&(&(of, partition), _): &(&(Stage, u32), &Tail)| of == stage && low(partition) > 0;
        let mut open: BTreeMap<u32, (i64, &Tail)> =
            checked.tails.iter().filter(cut).map(|(&(_, p), tail)| (p, (low(p), tail))).collect();
        let mut positions = checked.positions(stage, checked.window.start());
        while !open.is_empty() {
            checked.ask.go_on()?;
            let Some(position) = positions.next() else { break };
            let partition = checked.ask.stream.partition(position);
            let Some((left, tail)) = open.get_mut(&partition) else { continue };
            if *left > 0 {
                *left -= 1;
                continue;
            }
            if !tail.heads.contains(&position) {
                let why = Mismatch::OtherStart { found: tail.head().into(), expected: position.into() };
                return Err(checked.ask.refuse(stage, partition, Some(low(partition)), why));
            }
            open.remove(&partition);
        }
        if let Some((&partition, &(left, _))) = open.first_key_value()
            && checked.ask.stream.happens(stage)
        {
            let end = low(partition);
            return Err(checked.ask.refuse(stage, partition, None, Mismatch::TooMany { end, expected: end - left }));
        }
    }
    Ok(())
}

/// Of partitions that retention has emptied, the position of the last record that they had: its number is the end offset,
/// because idempotent delivery stores nothing else. What is placed far behind all that is held was counted wrongly: its early
/// transactions have gone, and left no gap.
fn counted(
    checked: &Checked<'_>,
    stage: Stage,
    mut emptied: BTreeMap<u32, i64>,
) -> Result<BTreeMap<u32, Position>, ResumeError> {
    let mut lasts = BTreeMap::new();
    let ends = emptied.clone();
    let furthest = checked.tails.values().map(Tail::last).max();
    let reach = furthest.map_or(u64::MAX, |furthest| furthest.ordinal.saturating_add(QUEUE_AUCTIONS));
    let mut positions = checked.positions(stage, checked.window.start());
    while !emptied.is_empty() && checked.ask.stream.happens(stage) {
        checked.ask.go_on()?;
        let Some(position) = positions.next() else { break };
        let partition = checked.ask.stream.partition(position);
        let Some(left) = emptied.get_mut(&partition) else { continue };
        *left -= 1;
        if *left == 0 {
            if position.ordinal > reach {
                return Err(checked.ask.refuse(stage, partition, None, Mismatch::Uncounted));
            }
            emptied.remove(&partition);
            lasts.insert(partition, position);
        }
    }
    let Some((&partition, left)) = emptied.first_key_value() else { return Ok(lasts) };
    let end = ends[&partition];
    Err(checked.ask.refuse(stage, partition, None, Mismatch::TooMany { end, expected: end - left }))
}
