//! A producer with Kafka's semantics, idempotent or with transactions.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{ByStage, Layout};
use mock_data_gen::kafka::KafkaError;
use mock_data_gen::sink::kafka::Deliveries;
use mock_data_gen::sink::{Sink, SinkError};

use super::SETTLE_MS;
use super::world::{At, Late, Script, Stored, World};

/// A held request to commit comes at most so much later: in the middle of what a writer that was not replaced would do next.
const HELD_MS_MAX: u64 = 400;

#[derive(Debug)]
struct Batch {
    records: Vec<Stored>,
    /// Its first offset, once the broker has stored it.
    stored_at: Option<i64>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Stored>,
    flight: VecDeque<Batch>,
}

/// Batches, five requests in flight a partition, stored in order within a partition, reports in any order between partitions,
/// offsets reported or, after a duplicate-sequence answer, not.
pub(crate) struct Writer<'a> {
    world: &'a RefCell<World>,
    layout: Layout,
    deliveries: Deliveries,
    queues: BTreeMap<At, Queue>,
    /// Its epoch, if it writes transactions.
    epoch: Option<u32>,
    is_open: bool,
    commits: u64,
    /// The broker has refused its epoch.
    fenced: bool,
    /// A request to commit is under way.
    committing: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        world: &'a RefCell<World>,
        layout: &Layout,
        end_offsets: &ByStage<Vec<i64>>,
        epoch: Option<u32>,
    ) -> Self {
        Self {
            world,
            layout: layout.clone(),
            deliveries: Deliveries::new(end_offsets),
            queues: BTreeMap::new(),
            epoch,
            is_open: false,
            commits: 0,
            fenced: false,
            committing: false,
        }
    }

    /// Whether it has written to a partition.
    pub(crate) fn has_written(&self, at: At) -> bool {
        self.queues.contains_key(&at)
    }

    /// A few steps of client and broker.
    fn steps(&mut self, most: u64) -> Result<(), SinkError> {
        let count = self.world.borrow_mut().random.below(most + 1);
        for _ in 0..count {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), SinkError> {
        let mut world = self.world.borrow_mut();
        let script = &mut world.script;
        let mut fires = |fuse: fn(&mut Script) -> &mut Option<u64>| {
            let fuse = fuse(script);
            *fuse = fuse.map(|left| left.saturating_sub(1));
            *fuse == Some(0) && fuse.take().is_some()
        };
        let (killed, forgets, intrudes) = (fires(|s| &mut s.kill), fires(|s| &mut s.forget), fires(|s| &mut s.intrude));
        if fires(|s| &mut s.copy) && self.epoch.is_some() {
            world.take_over();
            world.tell("a second copy takes over".to_owned());
        }
        drop(world);
        if forgets {
            self.broker_forgets();
        }
        if intrudes {
            self.intrude();
        }
        if killed {
            return Err(SinkError::Stdout(io::Error::other("killed")));
        }
        self.work();
        if self.fenced {
            return Err(KafkaError::Fenced.into());
        }
        self.deliveries.problem(&self.layout, || None).map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// One step of one partition: a batch is made, stored, or reported.
    fn work(&mut self) {
        let mut world = self.world.borrow_mut();
        let passes_ms = world.random.below(2);
        world.pass(passes_ms);
        let pick = world.random.below(self.queues.len().max(1) as u64) as usize;
        let Some((&at, queue)) = self.queues.iter_mut().nth(pick) else { return };
        let (stage, partition) = at;
        match world.random.below(8) {
            0..=2 if queue.flight.len() < 5 && !queue.waiting.is_empty() => {
                let count = 1 + world.random.below(4.min(queue.waiting.len() as u64)) as usize;
                queue.flight.push_back(Batch { records: queue.waiting.drain(..count).collect(), stored_at: None });
            }
            3..=5 => {
                let Some(batch) = queue.flight.iter_mut().find(|batch| batch.stored_at.is_none()) else { return };
                batch.stored_at = match self.epoch {
                    None => Some(world.store(at, &batch.records)),
                    // It is told to ask again.
                    Some(_) if world.is_ending() => None,
                    Some(epoch) => {
                        let stored = world.store_in_transaction(at, &batch.records, epoch).ok();
                        self.fenced |= stored.is_none();
                        stored
                    }
                };
            }
            report => {
                let Some(base) = queue.flight.front().and_then(|batch| batch.stored_at) else { return };
                let batch = queue.flight.pop_front().unwrap();
                // An answer that was lost: the request is repeated, and the broker says that it knows it already.
                let base = if report == 7 { -1 } else { base };
                for index in 0..batch.records.len() as i64 {
                    self.deliveries.acked(stage, partition.cast_signed(), base + index);
                }
            }
        }
    }

    /// The broker comes back without its producers: what is sent again is stored again. One that writes transactions is unknown then.
    fn broker_forgets(&mut self) {
        if self.epoch.is_some() {
            return;
        }
        let mut world = self.world.borrow_mut();
        for (&at, queue) in &mut self.queues {
            for batch in queue.flight.iter_mut().filter(|batch| batch.stored_at.is_some()) {
                batch.stored_at = Some(world.store(at, &batch.records));
                world.beyond = true;
                world.tell(format!("{} records are stored twice in {at:?}", batch.records.len()));
            }
        }
    }

    /// Another writer stores something, ours or not.
    fn intrude(&mut self) {
        let mut world = self.world.borrow_mut();
        let count = world.partitions.len() as u64;
        let pick = world.random.below(count) as usize;
        let &at = world.partitions.keys().nth(pick).unwrap();
        // Where retention has left nothing, its last record once more looks like the first one that is left: nobody can tell.
        let last = world.seen(at).last().filter(|_| !world.is_emptied(at)).map(|&last| last.clone());
        let record = last.filter(|_| world.random.percent(50)).unwrap_or_else(Stored::foreign);
        world.store(at, &[record]);
        world.beyond = true;
        world.tell(format!("another writer stores a record in {at:?}"));
    }

    fn drain(&mut self) -> Result<(), SinkError> {
        while self.queues.values().any(|queue| !queue.waiting.is_empty() || !queue.flight.is_empty()) {
            self.step()?;
        }
        Ok(())
    }

    /// Commits the open transaction. An error if nobody knows whether its request may come a second time.
    fn commit(&mut self, epoch: u32) -> Result<(), SinkError> {
        self.drain()?;
        self.committing = true;
        self.steps(4)?;
        let mut world = self.world.borrow_mut();
        let asked_again = world.random.percent(10) && world.script.holds;
        if asked_again {
            let due_ms = world.clock_ms + world.random.below(HELD_MS_MAX);
            world.hold_commit(due_ms, epoch);
            world.tell("a request to commit is held back, and made again".to_owned());
        }
        let committed = world.commit(epoch);
        drop(world);
        self.committing = false;
        if committed.is_err() {
            return Err(KafkaError::Fenced.into());
        }
        self.deliveries.committed();
        self.is_open = false;
        self.commits += 1;
        if asked_again {
            return Err(KafkaError::Uncertain { reason: "asked twice".to_owned() }.into());
        }
        Ok(())
    }

    /// SIGKILL: of the requests under way in each partition the first few arrive later, the others never.
    pub(crate) fn die(self) {
        let mut world = self.world.borrow_mut();
        let very_late = world.random.percent(3);
        for (at, queue) in self.queues {
            let under_way: Vec<Batch> = queue.flight.into_iter().filter(|batch| batch.stored_at.is_none()).collect();
            let arrive = world.random.below(under_way.len() as u64 + 1) as usize;
            let mut due_ms = world.clock_ms;
            for Batch { records, .. } in under_way.into_iter().take(arrive) {
                let latest = world.clock_ms + SETTLE_MS;
                due_ms += world.random.below(latest - due_ms + 1);
                let beyond = very_late && world.random.percent(50);
                due_ms += if beyond { SETTLE_MS * 3 } else { 0 };
                world.late.push(Late { due_ms, at, records, beyond, epoch: self.epoch });
                if beyond {
                    break;
                }
            }
        }
        world.late.sort_by_key(|late| late.due_ms);
        if let (Some(epoch), true) = (self.epoch, self.committing) {
            let due_ms = world.clock_ms + world.random.below(HELD_MS_MAX);
            world.hold_commit(due_ms, epoch);
        }
        let committing = if self.committing { " with a commit under way" } else { "" };
        world.tell(format!("the writer is killed{committing}"));
    }
}

impl Sink for Writer<'_> {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        if let Some(epoch) = self.epoch {
            let due = self.is_open && self.world.borrow_mut().random.percent(15);
            if due {
                self.commit(epoch)?;
            }
            self.is_open = true;
        }
        self.queues.entry((record.stage, record.partition)).or_default().waiting.push_back(record.into());
        self.steps(6)
    }

    fn wait(&mut self, _span: Duration) -> Result<(), SinkError> {
        self.steps(6)
    }

    fn close(&mut self, complete: bool) -> Result<(), SinkError> {
        self.drain()?;
        if let Some(epoch) = self.epoch.filter(|_| self.is_open) {
            match self.commit(epoch) {
                // Nothing follows that a request held back could end.
                Err(SinkError::Kafka(error)) if error.is_uncertain() => {}
                committed => committed?,
            }
            while self.world.borrow().is_ending() {
                self.world.borrow_mut().pass(5);
            }
        }
        let ends = if complete { self.deliveries.written() } else { self.deliveries.unsettled() };
        for (stage, partition, expected) in ends {
            let found = self.world.borrow().partitions[&(stage, partition.cast_unsigned())].end();
            if found != expected {
                let topic = self.layout.topic(stage).name.clone();
                return Err(KafkaError::AnotherWriter { topic, partition, expected, found }.into());
            }
        }
        Ok(())
    }

    fn acked(&self) -> Option<u64> {
        Some(self.deliveries.acked_total())
    }

    fn commits(&self) -> u64 {
        self.commits
    }
}
