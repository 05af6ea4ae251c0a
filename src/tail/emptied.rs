//! Partitions that retention has emptied: their number of records says where they ended.

use std::collections::BTreeMap;

use super::compare::Checked;
use super::error::Misfit;
use super::log::Bounds;
use super::{QUEUE_AUCTIONS, Tail, TailError};
use crate::generator::spec::Stage;
use crate::generator::stream::Position;

impl Checked<'_> {
    /// The last record that each partition holds, or held before retention removed it: as was committed, or by counting.
    pub(super) fn held(
        &self,
        bounds: &[Vec<Bounds>; 4],
        known: bool,
        are_gapless: bool,
        remembered: &BTreeMap<(Stage, u32), Option<Position>>,
    ) -> Result<[Vec<Option<Position>>; 4], TailError> {
        let mut held = bounds.each_ref().map(|partitions| vec![None; partitions.len()]);
        for (&(stage, partition), tail) in self.tails {
            held[stage.index()][partition as usize] = Some(tail.last());
        }
        for (&(stage, partition), &upto) in remembered {
            held[stage.index()][partition as usize] = upto;
        }
        let is_emptied = |&(stage, partition, bounds): &(Stage, u32, Bounds)| {
            let at = (stage, partition);
            bounds.low > 0 && !self.tails.contains_key(&at) && !remembered.contains_key(&at)
        };
        let emptied: Vec<_> = self.ask.owned(bounds).into_iter().filter(is_emptied).collect();
        if let Some(&(stage, partition, _)) = emptied.first() {
            self.countable(&emptied, known, are_gapless).map_err(|why| self.ask.refuse(stage, partition, None, why))?;
            self.cut_heads(bounds)?;
        }
        for stage in Stage::ALL {
            let of_stage = emptied.iter().filter(|&&(of, _, _)| of == stage);
            let emptied: BTreeMap<u32, i64> = of_stage.map(|&(_, partition, bounds)| (partition, bounds.end)).collect();
            for (partition, position) in self.counted(stage, emptied)? {
                held[stage.index()][partition as usize] = Some(position);
            }
        }
        Ok(held)
    }

    /// Refuses partitions whose offsets do not say how many records they had.
    fn countable(&self, emptied: &[(Stage, u32, Bounds)], known: bool, are_gapless: bool) -> Result<(), Misfit> {
        // Where the others have gaps, an earlier run wrote transactions here, too.
        let records_only = !self.ask.transactional && are_gapless;
        match emptied.iter().all(|(_, _, bounds)| bounds.is_empty()) {
            true if records_only && known => Ok(()),
            true if records_only => Err(Misfit::Emptied),
            _ => Err(Misfit::Uncounted),
        }
    }

    /// Refuses cut partitions whose first record is not the one that its offset counts. Emptied ones are placed by counting too,
    /// and nothing else would tell that the count begins elsewhere.
    fn cut_heads(&self, bounds: &[Vec<Bounds>; 4]) -> Result<(), TailError> {
        for stage in Stage::ALL {
            let low = |partition: u32| bounds[stage.index()][partition as usize].low;
            let cut = |&(&(of, partition), _): &(&(Stage, u32), &Tail)| of == stage && low(partition) > 0;
            let mut open: BTreeMap<u32, (i64, &Tail)> =
                self.tails.iter().filter(cut).map(|(&(_, p), tail)| (p, (low(p), tail))).collect();
            let mut positions = self.positions(stage, self.window.start());
            while !open.is_empty() {
                self.ask.go_on()?;
                let Some(position) = positions.next() else { break };
                let partition = self.ask.stream.partition(position);
                let Some((left, tail)) = open.get_mut(&partition) else { continue };
                if *left > 0 {
                    *left -= 1;
                    continue;
                }
                if !tail.heads.contains(&position) {
                    let why = Misfit::OtherStart { found: tail.head().into(), expected: position.into() };
                    return Err(self.ask.refuse(stage, partition, Some(low(partition)), why));
                }
                open.remove(&partition);
            }
            if let Some((&partition, &(left, _))) = open.first_key_value()
                && self.ask.stream.happens(stage)
            {
                let end = low(partition);
                return Err(self.ask.refuse(stage, partition, None, Misfit::TooMany { end, expected: end - left }));
            }
        }
        Ok(())
    }

    /// Of partitions that retention has emptied, the position of the last record that they had: its number is the end offset,
    /// because idempotent delivery stores nothing else. What is placed far behind all that is held was counted wrongly: its early
    /// transactions have gone, and left no gap.
    fn counted(&self, stage: Stage, mut emptied: BTreeMap<u32, i64>) -> Result<BTreeMap<u32, Position>, TailError> {
        let mut lasts = BTreeMap::new();
        let ends = emptied.clone();
        let furthest = self.tails.values().map(Tail::last).max();
        let reach = furthest.map_or(u64::MAX, |furthest| furthest.ordinal.saturating_add(QUEUE_AUCTIONS));
        let mut positions = self.positions(stage, self.window.start());
        while !emptied.is_empty() && self.ask.stream.happens(stage) {
            self.ask.go_on()?;
            let Some(position) = positions.next() else { break };
            let partition = self.ask.stream.partition(position);
            let Some(left) = emptied.get_mut(&partition) else { continue };
            *left -= 1;
            if *left == 0 {
                if position.ordinal > reach {
                    return Err(self.ask.refuse(stage, partition, None, Misfit::Uncounted));
                }
                emptied.remove(&partition);
                lasts.insert(partition, position);
            }
        }
        let Some((&partition, left)) = emptied.first_key_value() else { return Ok(lasts) };
        let end = ends[&partition];
        Err(self.ask.refuse(stage, partition, None, Misfit::TooMany { end, expected: end - left }))
    }
}
