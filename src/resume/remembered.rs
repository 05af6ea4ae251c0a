//! What the log cannot tell any more, by the offsets that an earlier run committed beside it. The log is never overruled: what
//! does not fit to it counts as not committed.

use std::collections::BTreeMap;

use super::compare::Checked;
use super::error::ResumeError;
use super::log::{Log, Offsets};
use super::request::{ResumeRequest, Start};
use super::tail::{Tail, Tails};
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::Position;
use crate::kafka::Committed;

/// What was committed of the shard's partitions, as far as it fits to the log.
#[derive(Debug, Default)]
pub(super) struct Remembered(BTreeMap<(Stage, u32), Committed>);

impl Remembered {
    /// Asks where the log is silent: where retention has emptied a partition, or has cut one and the start is not known.
    pub(super) fn ask(
        ask: &ResumeRequest<'_>,
        log: &mut impl Log,
        bounds: &ByStage<Vec<Offsets>>,
        tails: &Tails,
    ) -> Result<Self, ResumeError> {
        let owned = ask.owned(bounds);
        let is_cut = |&(_, _, bounds): &(Stage, u32, Offsets)| bounds.log_start > 0;
        let is_emptied = |at: &(Stage, u32, Offsets)| is_cut(at) && !tails.contains_key(&(at.0, at.1));
        let is_silent = match ask.start {
            Start::Given(_) => owned.iter().any(is_emptied),
            Start::Now(..) => owned.iter().any(is_cut),
        };
        if !is_silent {
            return Ok(Self::default());
        }
        let committed = log.committed()?;
        let of = |(stage, partition, bounds): (Stage, u32, Offsets)| {
            let committed = (*committed[stage].get(partition as usize)?)?;
            // Topics that were deleted and created again may end before it.
            (committed.offset <= bounds.log_end).then_some(((stage, partition), committed))
        };
        Ok(Self(owned.into_iter().filter_map(of).collect()))
    }

    /// The first auction of the window that was committed, unless the log holds something of an earlier one.
    pub(super) fn start(&self, tails: &Tails) -> Option<u64> {
        let mut starts = self.0.values().map(|committed| committed.progress.start);
        let start = starts.next()?;
        let all_agree = starts.all(|other| other == start);
        let is_before_all = tails.values().map(Tail::head).all(|head| head.ordinal >= start);
        (all_agree && is_before_all).then_some(start)
    }
}

/// Up to where partitions hold their sequence that hold no record now, as far as that was committed.
pub(super) fn positions(
    checked: &Checked<'_>,
    bounds: &ByStage<Vec<Offsets>>,
    remembered: &Remembered,
    are_gapless: bool,
) -> Result<BTreeMap<(Stage, u32), Option<Position>>, ResumeError> {
    let mut known = BTreeMap::new();
    let silent = remembered.0.iter().filter(|(at, _)| !checked.tails.contains_key(at));
    for (&(stage, partition), committed) in silent {
        let Committed { offset, progress } = *committed;
        let since = bounds[stage][partition as usize].log_end - offset;
        if progress.start != checked.window.start() {
            continue;
        }
        if since == 0 || progress.is_exact {
            known.insert((stage, partition), progress.upto);
        } else if !checked.ask.transactional && are_gapless {
            let upto = advanced(checked, stage, partition, progress.upto, since)?;
            known.extend(upto.map(|upto| ((stage, partition), Some(upto))));
        }
    }
    Ok(known)
}

/// The position of a partition's `count`-th record after another one.
fn advanced(
    checked: &Checked<'_>,
    stage: Stage,
    partition: u32,
    after: Option<Position>,
    count: i64,
) -> Result<Option<Position>, ResumeError> {
    let auctions = checked.ask.stream.auctions();
    let from = after.map_or(0, |after| auctions.first_from_ms(after.emit_ms - auctions.spec().lag_ms_max()));
    let mut left = count;
    for position in checked.positions(stage, from.max(checked.window.start())) {
        checked.ask.go_on()?;
        if Some(position) <= after || checked.ask.stream.partition(position) != partition {
            continue;
        }
        left -= 1;
        if left == 0 {
            return Ok(Some(position));
        }
    }
    Ok(None)
}
