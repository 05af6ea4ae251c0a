//! The walk over a window: records in emit order, handed on auction by auction in ordinal order.

use std::collections::VecDeque;

use crate::generator::auction::{CopyKind, Plan, PlannedFaults};
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::{KeyedPosition, KeyedPositions, Plans, Position, Stream, Window};

/// A record that was emitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) stage: Stage,
    pub(super) form: CopyKind,
    pub(super) emit_ms: i64,
    pub(super) event_ms: i64,
    pub(super) partition: u32,
    /// Its place in its partition, from 0.
    pub(super) index: u64,
    /// How far its event time lies behind the largest one of a well-formed record that its partition held before.
    pub(super) behind_ms: i64,
    pub(super) key: [u8; 36],
}

/// An auction, and all its records that were emitted, by stage and form.
#[derive(Debug)]
pub(super) struct Emitted {
    pub(super) plan: Plan,
    pub(super) fate: PlannedFaults,
    pub(super) records: Vec<Seen>,
    /// Records that are still to come.
    left: usize,
}

impl Emitted {
    /// Its records of a stage that are well-formed documents of the event, in emit order.
    pub(super) fn events(&self, stage: Stage) -> impl Iterator<Item = &Seen> + Clone {
        self.records.iter().filter(move |record| record.stage == stage && record.form.is_event())
    }
}

/// A partition so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogState {
    pub(super) records: u64,
    /// The largest event time so far.
    largest_ms: i64,
    /// The same of well-formed records.
    largest_well_formed_ms: i64,
    pub(super) disorder_ms: i64,
}

/// All topics' partitions, and each topic as a whole.
#[derive(Debug)]
pub(super) struct Logs {
    pub(super) partitions: ByStage<Vec<LogState>>,
    pub(super) topics: ByStage<LogState>,
}

impl LogState {
    const EMPTY: Self = Self { records: 0, largest_ms: i64::MIN, largest_well_formed_ms: i64::MIN, disorder_ms: 0 };

    /// Takes the next record; says its place, and how far its event time lies behind that of well-formed ones.
    fn take(&mut self, event_ms: i64, is_well_formed: bool) -> (u64, i64) {
        let behind = |largest_ms: i64| largest_ms.saturating_sub(event_ms).max(0);
        self.disorder_ms = self.disorder_ms.max(behind(self.largest_ms));
        self.largest_ms = self.largest_ms.max(event_ms);
        let behind_ms = behind(self.largest_well_formed_ms);
        if is_well_formed {
            self.largest_well_formed_ms = self.largest_well_formed_ms.max(event_ms);
        }
        self.records += 1;
        (self.records - 1, behind_ms)
    }
}

pub(super) struct Walk<'a> {
    positions: KeyedPositions<'a>,
    /// The auctions that are not in `pending`.
    plans: Plans<'a>,
    /// Auctions of which a record was seen, or an earlier one's is to come, from `first` on.
    pending: VecDeque<Emitted>,
    first: u64,
    logs: Logs,
}

impl<'a> Walk<'a> {
    /// Over a window, as far as the stream goes.
    pub(super) fn new(stream: &'a Stream, window: Window) -> Self {
        let end = window.end().unwrap_or(u64::MAX).min(stream.auctions().clock().auctions());
        let of_topic = |stage| vec![LogState::EMPTY; stream.layout().topic(stage).partitions.count() as usize];
        Self {
            positions: stream.keyed_positions(window),
            plans: Plans::new(stream.auctions(), window.start(), end),
            pending: VecDeque::new(),
            first: window.start(),
            logs: Logs { partitions: ByStage::from_fn(of_topic), topics: ByStage::from_fn(|_| LogState::EMPTY) },
        }
    }

    /// The next auction, once its last record was emitted; `None` behind the last. `saw` is shown each record in emit order.
    pub(super) fn next(&mut self, mut saw: impl FnMut(&Seen)) -> Option<Emitted> {
        loop {
            if let Some(first) = self.pending.front()
                && first.left == 0
            {
                self.first += 1;
                let mut auction = self.pending.pop_front()?;
                auction.records.sort_unstable_by_key(|record| (record.stage, record.emit_ms, record.form));
                return Some(auction);
            }
            match self.positions.next() {
                Some(keyed) => {
                    let seen = self.see(keyed);
                    saw(&seen);
                }
                // What is left was never emitted.
                None => self.admit()?,
            }
        }
    }

    pub(super) fn into_logs(self) -> Logs {
        self.logs
    }

    /// Takes over the next auction; `None` behind the last.
    fn admit(&mut self) -> Option<()> {
        let (plan, fate) = self.plans.next()?;
        let fate = fate.unwrap_or_default();
        let of_stage = |stage: Stage| {
            let event_ms = plan.event_ms(stage);
            let forms = CopyKind::ALL.into_iter();
            event_ms.map_or(0, |ms| forms.filter(|&form| fate.of(stage).emit_ms(form, ms).is_some()).count())
        };
        let left = Stage::ALL.into_iter().map(of_stage).sum();
        self.pending.push_back(Emitted { plan, fate, records: Vec::with_capacity(left), left });
        Some(())
    }

    fn see(&mut self, keyed: KeyedPosition) -> Seen {
        let KeyedPosition { position: Position { emit_ms, ordinal, stage, copy }, key, partition } = keyed;
        while self.first + self.pending.len() as u64 <= ordinal && self.admit().is_some() {}
        let auction = &mut self.pending[(ordinal - self.first) as usize];
        let event_ms = auction.plan.event_ms(stage).unwrap_or(emit_ms);
        let form = CopyKind::of(copy).unwrap_or(CopyKind::Event);
        let log = &mut self.logs.partitions[stage][partition as usize];
        let (index, behind_ms) = log.take(event_ms, form.is_event());
        self.logs.topics[stage].take(event_ms, form.is_event());
        let seen = Seen { stage, form, emit_ms, event_ms, partition, index, behind_ms, key };
        auction.records.push(seen);
        auction.left -= 1;
        seen
    }
}
