//! What the log cannot tell any more, by the offsets that an earlier run committed beside it. The log is never overruled: what
//! does not fit to it counts as not committed.

use std::collections::BTreeMap;

use super::compare::Checked;
use super::log::{Bounds, Log};
use super::{Ask, Start, Tail, TailError, Tails};
use crate::generator::spec::Stage;
use crate::generator::stream::Position;
use crate::sink::kafka::Committed;

/// What was committed of the shard's partitions, as far as it fits to the log.
#[derive(Debug, Default)]
pub(super) struct Remembered(BTreeMap<(Stage, u32), Committed>);

impl Remembered {
    /// Asks where the log is silent: where retention has emptied a partition, or has cut one and the start is not known.
    pub(super) fn ask(
        ask: &Ask<'_>,
        log: &mut impl Log,
        bounds: &[Vec<Bounds>; 4],
        tails: &Tails,
    ) -> Result<Self, TailError> {
        let owned = ask.owned(bounds);
        let is_cut = |&(_, _, bounds): &(Stage, u32, Bounds)| bounds.low > 0;
        let is_emptied = |at: &(Stage, u32, Bounds)| is_cut(at) && !tails.contains_key(&(at.0, at.1));
        let is_silent = match ask.start {
            Start::Given(_) => owned.iter().any(is_emptied),
            Start::Now(..) => owned.iter().any(is_cut),
        };
        if !is_silent {
            return Ok(Self::default());
        }
        let committed = log.committed()?;
        let of = |(stage, partition, bounds): (Stage, u32, Bounds)| {
            let committed = (*committed[stage.index()].get(partition as usize)?)?;
            // Topics that were deleted and created again may end before it.
            (committed.offset <= bounds.end).then_some(((stage, partition), committed))
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

impl Checked<'_> {
    /// Up to where partitions hold their sequence that hold no record now, as far as that was committed.
    pub(super) fn remembered(
        &self,
        bounds: &[Vec<Bounds>; 4],
        remembered: &Remembered,
        are_gapless: bool,
    ) -> Result<BTreeMap<(Stage, u32), Option<Position>>, TailError> {
        let mut known = BTreeMap::new();
        let silent = remembered.0.iter().filter(|(at, _)| !self.tails.contains_key(at));
        for (&(stage, partition), committed) in silent {
            let Committed { offset, progress } = *committed;
            let since = bounds[stage.index()][partition as usize].end - offset;
            if progress.start != self.window.start() {
                continue;
            }
            if since == 0 || progress.is_exact {
                known.insert((stage, partition), progress.upto);
            } else if !self.ask.transactional && are_gapless {
                let upto = self.advanced(stage, partition, progress.upto, since)?;
                known.extend(upto.map(|upto| ((stage, partition), Some(upto))));
            }
        }
        Ok(known)
    }

    /// The position of a partition's `count`-th record after another one.
    fn advanced(
        &self,
        stage: Stage,
        partition: u32,
        after: Option<Position>,
        count: i64,
    ) -> Result<Option<Position>, TailError> {
        let auctions = self.ask.stream.auctions();
        let from = after.map_or(0, |after| auctions.first_from_ms(after.emit_ms - auctions.spec().lag_ms_max()));
        let mut left = count;
        for position in self.positions(stage, from.max(self.window.start())) {
            self.ask.go_on()?;
            if Some(position) <= after || self.ask.stream.partition(position) != partition {
                continue;
            }
            left -= 1;
            if left == 0 {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }
}
