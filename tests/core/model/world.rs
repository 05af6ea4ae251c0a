//! The broker, its coordinator of transactions, its clock and its faults.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mock_data_gen::generator::record::{Header, Record};
use mock_data_gen::generator::spec::{ByStage, Stage};
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::resume::{Each, Feed, Log, Offsets, Range, ResumeError, Show, read_ranges};

use super::SETTLE_MS;
use crate::choices::Choices;

pub(crate) type At = (Stage, u32);

/// A record in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) ordinal: u64,
    timestamp_ms: i64,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

impl Stored {
    /// A record that nobody's stream has.
    pub(crate) fn foreign() -> Self {
        Self { ordinal: 0, timestamp_ms: 7, key: b"k".into(), value: Some(b"v".into()), headers: vec![] }
    }
}

impl From<&Record> for Stored {
    fn from(record: &Record) -> Self {
        let Record { ordinal, timestamp_ms, key, headers, .. } = record.clone();
        let value = record.payload().map(<[u8]>::to_vec);
        Self { ordinal, timestamp_ms, key, value, headers }
    }
}

/// What takes an offset.
#[derive(Debug)]
enum Slot {
    Record {
        stored: Stored,
        transaction: Option<usize>,
    },
    /// The end of a transaction.
    Control,
}

/// All that a partition ever held; what is below `low` is removed.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    slots: Vec<Slot>,
    pub(crate) low: usize,
}

impl Partition {
    pub(crate) fn end(&self) -> i64 {
        self.slots.len() as i64
    }
}

/// A request of a dead writer that is still on its way.
pub(crate) struct Late {
    pub(crate) due_ms: u64,
    pub(crate) at: At,
    pub(crate) records: Vec<Stored>,
    pub(crate) beyond: bool,
    /// The writer's epoch, if it writes transactions.
    pub(crate) epoch: Option<u32>,
}

/// What goes wrong while a run writes, and after how many steps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Script {
    pub(crate) kill: Option<u64>,
    pub(crate) forget: Option<u64>,
    pub(crate) intrude: Option<u64>,
    /// A second copy of a run that writes transactions is started.
    pub(crate) copy: Option<u64>,
    /// Whether requests to commit may be held back on their way.
    pub(crate) holds: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Decided; a partition sees it when the control record comes.
    Committed,
    Aborted,
}

/// The coordinator of one transactional id.
#[derive(Debug, Default)]
struct Coordinator {
    epoch: u32,
    states: Vec<State>,
    /// The open transaction, and its partitions.
    open: Option<(usize, BTreeSet<At>)>,
    /// Control records on their way, with the time at which each is written.
    controls: Vec<(u64, At)>,
    /// Requests to commit that are held back, with the epoch that each was made in.
    held: Vec<(u64, u32)>,
}

/// The broker, its clock and its faults.
pub(crate) struct World {
    pub(crate) random: Choices,
    pub(crate) partitions: BTreeMap<At, Partition>,
    pub(crate) clock_ms: u64,
    pub(crate) late: Vec<Late>,
    pub(crate) script: Script,
    /// Whether something happened that the delivery does not promise to survive.
    pub(crate) beyond: bool,
    pub(crate) events: Vec<String>,
    coordinator: Coordinator,
}

impl World {
    pub(crate) fn new(random: Choices, partitions: impl Iterator<Item = At>) -> Self {
        Self {
            random,
            partitions: partitions.map(|at| (at, Partition::default())).collect(),
            clock_ms: 0,
            late: Vec::new(),
            script: Script::default(),
            beyond: false,
            events: Vec::new(),
            coordinator: Coordinator::default(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every caller formats its event")]
    pub(crate) fn tell(&mut self, event: String) {
        self.events.push(format!("{:>6} ms  {event}", self.clock_ms));
    }

    /// Stores records outside of transactions.
    pub(crate) fn store(&mut self, at: At, records: &[Stored]) -> i64 {
        self.append(at, records, None)
    }

    fn append(&mut self, at: At, records: &[Stored], transaction: Option<usize>) -> i64 {
        let partition = self.partitions.get_mut(&at).unwrap();
        let base = partition.end();
        let slot = |stored: &Stored| Slot::Record { stored: stored.clone(), transaction };
        partition.slots.extend(records.iter().map(slot));
        base
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.clock_ms += ms;
        let now_ms = self.clock_ms;
        let (due, late): (Vec<Late>, _) =
            std::mem::take(&mut self.late).into_iter().partition(|late| late.due_ms <= now_ms);
        self.late = late;
        for Late { at, records, beyond, epoch, .. } in due {
            let ordinals: Vec<u64> = records.iter().map(|record| record.ordinal).collect();
            if let Some(epoch) = epoch {
                let stored = self.store_in_transaction(at, &records, epoch);
                self.tell(format!("a dead writer's records come in {at:?}: {ordinals:?}, stored {}", stored.is_ok()));
                continue;
            }
            self.beyond |= beyond;
            self.tell(format!("records of a dead writer arrive in {at:?}: auctions {ordinals:?}, beyond {beyond}"));
            self.store(at, &records);
        }
        let (due, held): (Vec<_>, _) =
            std::mem::take(&mut self.coordinator.held).into_iter().partition(|(due_ms, _)| *due_ms <= now_ms);
        self.coordinator.held = held;
        for (_, epoch) in due {
            let is_open = self.coordinator.open.is_some();
            let ended = self.end_transaction(epoch, State::Committed);
            self.tell(format!("a held request to commit arrives: open {is_open}, taken {}", ended.is_ok()));
        }
        let (due, controls): (Vec<_>, _) =
            std::mem::take(&mut self.coordinator.controls).into_iter().partition(|(due_ms, _)| *due_ms <= now_ms);
        self.coordinator.controls = controls;
        for (_, at) in due {
            self.partitions.get_mut(&at).unwrap().slots.push(Slot::Control);
        }
    }

    /// Stores records in the open transaction, or opens one; an error for a writer that is fenced.
    pub(crate) fn store_in_transaction(&mut self, at: At, records: &[Stored], epoch: u32) -> Result<i64, ()> {
        if epoch != self.coordinator.epoch {
            return Err(());
        }
        let transaction = if let Some((transaction, partitions)) = &mut self.coordinator.open {
            partitions.insert(at);
            *transaction
        } else {
            self.coordinator.states.push(State::Open);
            let transaction = self.coordinator.states.len() - 1;
            self.coordinator.open = Some((transaction, BTreeSet::from([at])));
            transaction
        };
        Ok(self.append(at, records, Some(transaction)))
    }

    /// Whether the last transaction's control records are still on their way: a new one waits for them.
    pub(crate) fn is_ending(&self) -> bool {
        !self.coordinator.controls.is_empty()
    }

    /// A request to commit arrives.
    pub(crate) fn commit(&mut self, epoch: u32) -> Result<(), ()> {
        self.end_transaction(epoch, State::Committed)
    }

    /// A request to commit is held back.
    pub(crate) fn hold_commit(&mut self, due_ms: u64, epoch: u32) {
        self.coordinator.held.push((due_ms, epoch));
    }

    fn end_transaction(&mut self, epoch: u32, state: State) -> Result<(), ()> {
        if epoch != self.coordinator.epoch {
            return Err(());
        }
        let Some((transaction, partitions)) = self.coordinator.open.take() else { return Ok(()) };
        self.coordinator.states[transaction] = state;
        for at in partitions {
            let due_ms = self.clock_ms + self.random.below(30);
            self.coordinator.controls.push((due_ms, at));
        }
        Ok(())
    }

    /// A new writer of the transactional id: the old one's transaction ends, and it is fenced.
    pub(crate) fn take_over(&mut self) -> u32 {
        while self.is_ending() {
            self.pass(5);
        }
        let epoch = self.coordinator.epoch;
        self.end_transaction(epoch, State::Aborted).unwrap();
        // From here on what the old one sends is refused.
        self.coordinator.epoch += 1;
        while self.is_ending() {
            self.pass(5);
        }
        self.coordinator.epoch
    }

    /// Where the first transaction of a partition begins that has no end there.
    pub(crate) fn last_stable(&self, at: At) -> i64 {
        let partition = &self.partitions[&at];
        let ending = self.coordinator.controls.iter().any(|(_, of)| *of == at);
        let is_open = |transaction: usize| {
            let state = self.coordinator.states[transaction];
            state == State::Open || (ending && transaction + 1 == self.coordinator.states.len())
        };
        let open = partition.slots.iter().position(
            |slot| matches!(slot, Slot::Record { transaction: Some(transaction), .. } if is_open(*transaction)),
        );
        open.map_or(partition.end(), |open| open as i64)
    }

    fn committed(&self, slot: &Slot) -> bool {
        let committed = |transaction: &usize| self.coordinator.states[*transaction] == State::Committed;
        matches!(slot, Slot::Record { transaction, .. } if transaction.as_ref().is_none_or(committed))
    }

    /// The records that a read-committed reader would have seen, had it read all along.
    pub(crate) fn seen(&self, at: At) -> Vec<&Stored> {
        let slots = &self.partitions[&at].slots[..usize::try_from(self.last_stable(at)).unwrap()];
        self.seen_of(slots).map(|(_, stored)| stored).collect()
    }

    fn seen_of<'a>(&'a self, slots: &'a [Slot]) -> impl Iterator<Item = (usize, &'a Stored)> {
        slots.iter().enumerate().filter(|(_, slot)| self.committed(slot)).filter_map(|(index, slot)| match slot {
            Slot::Record { stored, .. } => Some((index, stored)),
            Slot::Control => None,
        })
    }

    /// Whether retention has left nothing that a reader sees of a partition that had something.
    pub(crate) fn is_emptied(&self, at: At) -> bool {
        let Partition { slots, low } = &self.partitions[&at];
        *low > 0 && self.seen_of(&slots[*low..]).next().is_none()
    }

    /// The first record that was ever committed is the window's start, where the window starts now.
    pub(crate) fn start(&self) -> Option<u64> {
        let ours = |stored: &Stored| *stored != Stored::foreign();
        let first = |partition: &Partition| {
            self.seen_of(&partition.slots).map(|(_, first)| first).find(|first| ours(first)).map(|first| first.ordinal)
        };
        self.partitions.values().filter_map(first).min()
    }
}

/// The broker as resuming reads it.
pub(crate) struct ScriptedLog<'a>(pub(crate) &'a RefCell<World>);

impl Log for ScriptedLog<'_> {
    fn bounds(&mut self) -> Result<ByStage<Vec<Offsets>>, ResumeError> {
        let mut world = self.0.borrow_mut();
        world.pass(2);
        let mut bounds: ByStage<Vec<Offsets>> = ByStage::default();
        for (&at, partition) in &world.partitions {
            let (low, end) = (partition.low as i64, partition.end());
            bounds[at.0].push(Offsets { log_start: low, log_end: end, last_stable: world.last_stable(at) });
        }
        Ok(bounds)
    }

    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), ResumeError> {
        let mut world = self.0.borrow_mut();
        world.pass(20);
        let random = Choices(world.random.next());
        drop(world);
        let world = self.0.borrow();
        let mut feed = ScriptedFeed::new(&world, random, ranges);
        read_ranges(&mut feed, ranges.to_vec(), &Shutdown::default(), each)
    }

    fn pause(&mut self, span: Duration) {
        self.0.borrow_mut().pass(span.as_millis() as u64);
    }

    fn settle_time(&self) -> Duration {
        Duration::from_millis(SETTLE_MS)
    }
}

/// A consumer of the broker. Records of partitions come mixed, and go on behind the ranges that were asked for; some polls stay
/// empty. Its position runs ahead of what it has shown, over control records and records of aborted transactions, sooner or
/// later.
struct ScriptedFeed<'a> {
    world: &'a World,
    random: Choices,
    cursors: Vec<Cursor<'a>>,
}

struct Cursor<'a> {
    at: At,
    /// What readers are sent, and the offset of its first slot.
    slots: &'a [Slot],
    from: usize,
    next: usize,
    /// Before the first answer there is no position.
    is_known: bool,
}

impl Cursor<'_> {
    fn pass_silently(&mut self, world: &World) {
        while self.slots.get(self.next).is_some_and(|slot| !world.committed(slot)) {
            self.next += 1;
        }
    }
}

impl<'a> ScriptedFeed<'a> {
    fn new(world: &'a World, random: Choices, ranges: &[Range]) -> Self {
        let cursor = |range: &Range| {
            let at = (range.stage, range.partition);
            let partition = &world.partitions[&at];
            assert!(range.from >= partition.low as i64, "read below the first offset");
            let (from, end) = (usize::try_from(range.from).unwrap(), usize::try_from(world.last_stable(at)).unwrap());
            Cursor { at, slots: &partition.slots[from..end.max(from)], from, next: 0, is_known: false }
        };
        Self { world, random, cursors: ranges.iter().map(cursor).collect() }
    }
}

impl Feed for ScriptedFeed<'_> {
    fn poll(&mut self, show: &mut Show<'_>) -> Result<bool, ResumeError> {
        if self.cursors.is_empty() || self.random.percent(10) {
            return Ok(false);
        }
        let pick = self.random.below(self.cursors.len() as u64) as usize;
        let cursor = &mut self.cursors[pick];
        cursor.is_known = true;
        cursor.pass_silently(self.world);
        let Some(Slot::Record { stored, .. }) = cursor.slots.get(cursor.next) else { return Ok(false) };
        let offset = (cursor.from + cursor.next) as i64;
        cursor.next += 1;
        if self.random.percent(50) {
            cursor.pass_silently(self.world);
        }
        let header = |header: &Header| (header.name.as_bytes().to_vec(), Some(header.value.as_bytes().to_vec()));
        let (stage, partition) = cursor.at;
        let record = LogRecord {
            offset,
            partition,
            timestamp_ms: stored.timestamp_ms,
            key: Some(stored.key.clone()),
            value: stored.value.clone(),
            headers: stored.headers.iter().map(header).collect(),
            ..LogRecord::default()
        };
        show(stage, partition, &record)?;
        Ok(true)
    }

    fn positions(&mut self, ranges: &[Range]) -> Result<Vec<Option<i64>>, ResumeError> {
        let position = |range: &Range| {
            let cursor = self.cursors.iter().find(|cursor| cursor.at == (range.stage, range.partition))?;
            cursor.is_known.then_some((cursor.from + cursor.next) as i64)
        };
        Ok(ranges.iter().map(position).collect())
    }
}
