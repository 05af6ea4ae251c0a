//! Records made by several threads, in the stream's order.
//!
//! ```text
//! worker   an empty batch ──> walk its positions, under a lock ──> make its records ──┐
//!             ^                                                                       v
//! taker       ├───────────────── records, batch by batch, by their numbers <──────────┤
//!             └──> walk a batch itself, if none is ready ──> make each record as it is taken
//! ```
//!
//! Walking is cheap and making is not, so one walk serves all. There is a fixed number of batches, and a thread numbers a batch only when
//! it holds one: the batch that the taker waits for is always under way, and memory is bounded. The taker is one of the threads: what it
//! makes never leaves its core.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::generator::record::Record;
use crate::generator::stream::batch::Batch as Ready;
use crate::generator::stream::record_builder::RecordBuilder;
use crate::generator::stream::records::BATCH;
use crate::generator::stream::{AssignedRecords, Position, Step};

/// Batches that each worker may have made ahead, beside the one that it works at.
const AHEAD: usize = 1;

/// The records of an assignment, one after the other.
pub trait Records {
    /// Takes one step, as [`AssignedRecords::step`] does. What is passed over may be told for many records at once.
    fn step(&mut self, record: &mut Record) -> Step;
}

impl Records for AssignedRecords<'_> {
    fn step(&mut self, record: &mut Record) -> Step {
        AssignedRecords::step(self, record)
    }
}

/// Has records made by so many threads, of which the one that takes them by `take` is one: the same records, in the same order, for
/// each number of threads. One thread, or none, makes them where they are taken.
pub fn generate_parallel<T>(
    mut records: AssignedRecords<'_>,
    threads: usize,
    take: impl FnOnce(&mut dyn Records) -> T,
) -> T {
    if threads <= 1 {
        return take(&mut records);
    }
    let workers = threads - 1;
    let batches = workers * (1 + AHEAD) + 2;
    let (builder, _) = records.builder();
    let shared = Shared {
        cursor: Mutex::new(SharedCursor { records, number: 0, ended: false }),
        empty: Mutex::new((0..batches).map(|_| Batch::default()).collect()),
        returned: Condvar::new(),
        over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let (made, batches) = sync_channel(batches);
        for _ in 0..workers {
            let made = made.clone();
            let shared = &shared;
            scope.spawn(move || shared.work(&made));
        }
        drop(made);
        take(&mut OrderedReceiver {
            shared: &shared,
            batches,
            early: BTreeMap::new(),
            number: 0,
            batch: Batch::default(),
            taken: 0,
            builder,
        })
    })
}

/// What follows one another in the stream's order.
#[derive(Debug, Default)]
struct Batch {
    number: u64,
    ready: Ready,
    /// The first ones of them are this batch's, if a worker made it; the others keep their buffers for later ones.
    records: Vec<Record>,
    is_written: bool,
    /// Positions that were walked over.
    walked: usize,
    /// The last position that was walked over; `None` after the assignment's end.
    last: Option<Position>,
}

struct SharedCursor<'a> {
    records: AssignedRecords<'a>,
    /// The next batch's.
    number: u64,
    ended: bool,
}

struct Shared<'a> {
    cursor: Mutex<SharedCursor<'a>>,
    empty: Mutex<Vec<Batch>>,
    returned: Condvar,
    /// Nobody takes any more.
    over: AtomicBool,
}

impl Shared<'_> {
    /// Makes batches until the assignment ends or nobody takes them.
    fn work(&self, made: &SyncSender<Batch>) {
        // If this thread panics the others must not wait for its batch.
        let _end = EndIfPanicking(self);
        while let Some(mut batch) = self.empty_batch() {
            let Some(builder) = self.walk(&mut batch) else { return };
            let Batch { ready, records, .. } = &mut batch;
            if records.len() < ready.len() {
                records.resize_with(ready.len(), Record::default);
            }
            for (at, record) in records[..ready.len()].iter_mut().enumerate() {
                ready.fill(at, builder, record);
            }
            batch.is_written = true;
            if made.send(batch).is_err() {
                return;
            }
        }
    }

    /// Makes the next batch ready, all but the text of its records, and gives what writes that; `None` after the assignment's end.
    fn walk(&self, batch: &mut Batch) -> Option<&RecordBuilder> {
        let (builder, assignment) = {
            let mut cursor = lock(&self.cursor);
            if cursor.ended {
                return None;
            }
            batch.number = cursor.number;
            cursor.number += 1;
            (batch.walked, batch.last) = cursor.records.walk(BATCH, &mut batch.ready);
            cursor.ended = batch.last.is_none();
            cursor.records.builder()
        };
        batch.ready.make_ready(builder, Some(assignment));
        batch.is_written = false;
        Some(builder)
    }

    fn empty_batch(&self) -> Option<Batch> {
        let mut empty = lock(&self.empty);
        while !self.over.load(Ordering::Relaxed) {
            if let Some(batch) = empty.pop() {
                return Some(batch);
            }
            empty = self.returned.wait(empty).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn end(&self) {
        // Under the lock, so that no worker looks before and waits after.
        let _empty = lock(&self.empty);
        self.over.store(true, Ordering::Relaxed);
        self.returned.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct EndIfPanicking<'s, 'a>(&'s Shared<'a>);

impl Drop for EndIfPanicking<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end();
        }
    }
}

/// Puts batches into order.
struct OrderedReceiver<'s, 'a> {
    shared: &'s Shared<'a>,
    batches: Receiver<Batch>,
    /// Batches that were made before their turn.
    early: BTreeMap<u64, Batch>,
    /// The number of the batch that follows `batch`.
    number: u64,
    batch: Batch,
    /// Records of `batch` that were taken.
    taken: usize,
    builder: &'s RecordBuilder,
}

impl OrderedReceiver<'_, '_> {
    /// Takes the next batch, and makes batches as long as it is not there.
    fn turn(&mut self) {
        let next = loop {
            if let Some(batch) = self.early.remove(&self.number) {
                break batch;
            }
            let batch = match self.batches.try_recv() {
                Ok(batch) => batch,
                Err(_) => match self.made_here() {
                    Some(batch) => batch,
                    // All workers have gone before the assignment's end: one has panicked, and so do we.
                    None => self.batches.recv().unwrap_or_else(|_| {
                        std::panic::resume_unwind(Box::new("a thread that makes records panicked"))
                    }),
                },
            };
            self.early.insert(batch.number, batch);
        };
        self.number += 1;
        self.taken = 0;
        let used = mem::replace(&mut self.batch, next);
        lock(&self.shared.empty).push(used);
        self.shared.returned.notify_one();
    }

    /// A batch that is made here, if one is empty and the assignment has not ended.
    fn made_here(&self) -> Option<Batch> {
        let mut batch = lock(&self.shared.empty).pop()?;
        if self.shared.walk(&mut batch).is_some() {
            return Some(batch);
        }
        lock(&self.shared.empty).push(batch);
        None
    }
}

impl Records for OrderedReceiver<'_, '_> {
    fn step(&mut self, record: &mut Record) -> Step {
        if self.taken == self.batch.ready.len() {
            if self.number > 0 && self.batch.last.is_none() {
                return Step::End;
            }
            self.turn();
            if self.batch.ready.len() == 0 {
                return self.batch.last.map_or(Step::End, |to| Step::Skipped { to, count: self.batch.walked });
            }
        }
        if self.batch.is_written {
            mem::swap(record, &mut self.batch.records[self.taken]);
        } else {
            self.batch.ready.fill(self.taken, self.builder, record);
        }
        self.taken += 1;
        Step::Record
    }
}

impl Drop for OrderedReceiver<'_, '_> {
    fn drop(&mut self) {
        self.shared.end();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generator::spec::{Faults, KeyBy, Layout, StreamSpec};
    use crate::generator::stream::{Assignment, Shard, Stream, Window};

    fn stream() -> Stream {
        Stream::new(&StreamSpec { headers: true, ..StreamSpec::default() }, &Layout::default())
    }

    /// With all planned faults.
    fn faulty_stream() -> Stream {
        let (share, spread) = (|| "0.2".parse().unwrap(), || "0.2:20s".parse().unwrap());
        let faults = Faults {
            late: spread(),
            duplicates: spread(),
            conflicts: spread(),
            orphans: share(),
            boundary: "0.2:1ms,1s,20s".parse().unwrap(),
            malformed: share(),
            invalid: share(),
            tombstones: share(),
            idle: Some("response:10s:1m".parse().unwrap()),
            hot_user: share(),
        };
        let faults = faults.try_into().unwrap();
        let spec = StreamSpec { headers: true, key_by: KeyBy::User, faults, ..StreamSpec::default() };
        Stream::new(&spec, &Layout::default())
    }

    /// All records, and the last position that was passed over.
    fn take_all(records: &mut dyn Records) -> (Vec<Record>, Option<Position>) {
        let (mut all, mut passed, mut record) = (Vec::new(), None, Record::default());
        loop {
            match records.step(&mut record) {
                Step::Record => all.push(record.clone()),
                Step::Skipped { to, .. } => passed = Some(to),
                Step::End => return (all, passed),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// forall windows, shards, numbers of threads, with planned faults and without: the records are those of one thread, in the same order.
        #[test]
        fn the_number_of_threads_changes_nothing(
            start in 0..1u64 << 50,
            count in prop_oneof![0..2_000u64, Just(0), Just(1), 300..310u64],
            shard in prop_oneof![Just("0/1"), Just("1/3"), Just("5/6"), Just("0/64")],
            threads in 2..6usize,
            is_faulty: bool,
        ) {
            let shard: Shard = shard.parse().unwrap();
            let stream = if is_faulty { faulty_stream() } else { stream() };
            // The idle stage is so near the epoch.
            let start = if is_faulty { start % 500 } else { start };
            let part = Assignment::new(Window::auctions(start, count), shard, Default::default());
            let alone = generate_parallel(stream.assigned_records(&part), 1, |records| take_all(records).0);
            let together = generate_parallel(stream.assigned_records(&part), threads, |records| take_all(records).0);
            prop_assert_eq!(alone, together);
        }
    }

    #[test]
    fn whoever_stops_taking_stops_the_threads() {
        let (stream, part) = (stream(), Assignment::from(Window::unbounded(0)));
        for taken in [0, 1, 5_000] {
            let last = generate_parallel(stream.assigned_records(&part), 3, |records| {
                let mut record = Record::default();
                (0..taken).for_each(|_| assert_eq!(records.step(&mut record), Step::Record));
                record.ordinal
            });
            assert!(last <= taken);
        }
    }

    #[test]
    fn a_part_that_is_all_passed_over_says_how_far_it_is() {
        let stream = stream();
        // The last partition of six belongs to the sixth worker; a seventh owns none.
        let part = Assignment::new(Window::auctions(0, 2_000), "6/7".parse().unwrap(), Default::default());
        let (records, passed) = generate_parallel(stream.assigned_records(&part), 2, |records| take_all(records));
        assert_eq!((records.len(), passed.map(|position| position.ordinal > 1_900)), (0, Some(true)));
    }
}
