//! The state machine of writing, crashing and resuming as a model: random schedules over a scripted log drive the shipped `tail`
//! and `run`, and the shipped bookkeeping of delivery offsets.
//!
//! Two invariants, which are the theorem of the design:
//!
//! - as long as a dead writer's requests arrive within the settle time and the broker knows its producers, every partition is a
//!   prefix of the sequence at every instant, nobody complains, and the window gets complete;
//! - beyond that (a broker that forgot its producers, another writer, a request that comes after the settle time) damage may
//!   happen, but the run that meets it fails by name, and no later run builds upon it.
//!
//! Every second schedule is about a stream with planned faults, which repeats and reorders its own records.
//!
//! `MODEL_SEED=n` plays schedule n alone and prints what happened; `MODEL_SCHEDULES=n` plays so many.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a failing schedule is told")]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use mock_data_gen::pace::{Pace, Pacer};
use mock_data_gen::record::{Header, Record};
use mock_data_gen::run::{Manner, run};
use mock_data_gen::sink::kafka::Deliveries;
use mock_data_gen::sink::{KafkaError, Sink, SinkError, Stop};
use mock_data_gen::spec::{FaultPlan, Faults, KeyBy, Layout, Partitions, Stage, StreamSpec};
use mock_data_gen::stream::{Shard, Stream, Window, WindowEnd};
use mock_data_gen::tail::{Ask, Bounds, Each, Log, LogRecord, Misfit, Range, Standing, Start, TailError, find_end};

const SCHEDULES: u64 = 10_000;
/// What the scripted log asks for, and what late requests take at most, in milliseconds.
const SETTLE_MS: u64 = 500;

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

type At = (Stage, u32);

/// A record in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    ordinal: u64,
    timestamp_ms: i64,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

impl From<&Record> for Stored {
    fn from(record: &Record) -> Self {
        let Record { ordinal, timestamp_ms, key, headers, .. } = record.clone();
        let value = record.payload().map(<[u8]>::to_vec);
        Self { ordinal, timestamp_ms, key, value, headers }
    }
}

/// All that a partition ever held; what is below `low` is removed.
#[derive(Debug, Default)]
struct Partition {
    records: Vec<Stored>,
    low: usize,
}

#[derive(Debug)]
struct Batch {
    records: Vec<Stored>,
    /// Its first offset, once the broker has stored it.
    stored_at: Option<i64>,
}

/// A request of a dead writer that is still on its way.
struct Late {
    due_ms: u64,
    at: At,
    records: Vec<Stored>,
    beyond: bool,
}

/// What goes wrong while a run writes, and after how many steps.
#[derive(Debug, Clone, Copy, Default)]
struct Script {
    kill: Option<u64>,
    forget: Option<u64>,
    intrude: Option<u64>,
}

/// The broker, its clock and its faults.
struct World {
    random: Random,
    partitions: BTreeMap<At, Partition>,
    clock_ms: u64,
    late: Vec<Late>,
    script: Script,
    /// Whether something happened that idempotent delivery does not promise to survive.
    beyond: bool,
    events: Vec<String>,
}

impl World {
    #[expect(clippy::needless_pass_by_value, reason = "every caller formats its event")]
    fn tell(&mut self, event: String) {
        self.events.push(format!("{:>6} ms  {event}", self.clock_ms));
    }

    fn store(&mut self, at: At, records: &[Stored]) -> i64 {
        let partition = self.partitions.get_mut(&at).unwrap();
        let base = partition.records.len() as i64;
        partition.records.extend_from_slice(records);
        base
    }

    fn pass(&mut self, ms: u64) {
        self.clock_ms += ms;
        let now_ms = self.clock_ms;
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|late| late.due_ms <= now_ms);
        self.late = late;
        let due: Vec<Late> = due;
        for Late { at, records, beyond, .. } in due {
            self.beyond |= beyond;
            let ordinals: Vec<u64> = records.iter().map(|record| record.ordinal).collect();
            self.tell(format!("records of a dead writer arrive in {at:?}: auctions {ordinals:?}, beyond {beyond}"));
            self.store(at, &records);
        }
    }

    /// The first record that the log ever held is the window's start, where the window starts now.
    fn start(&self) -> Option<u64> {
        self.partitions.values().filter_map(|partition| partition.records.first()).map(|first| first.ordinal).min()
    }
}

/// The broker as resuming reads it.
struct ScriptedLog<'a>(&'a RefCell<World>);

impl Log for ScriptedLog<'_> {
    fn bounds(&mut self) -> Result<[Vec<Bounds>; 4], TailError> {
        let mut world = self.0.borrow_mut();
        world.pass(2);
        let mut bounds: [Vec<Bounds>; 4] = Default::default();
        for ((stage, _), partition) in &world.partitions {
            let (low, end) = (partition.low as i64, partition.records.len() as i64);
            bounds[stage.index()].push(Bounds { low, end });
        }
        Ok(bounds)
    }

    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), TailError> {
        self.0.borrow_mut().pass(20);
        let world = self.0.borrow();
        for range in ranges {
            let partition = &world.partitions[&(range.stage, range.partition)];
            assert!(range.from >= partition.low as i64, "read below the first offset");
            for offset in range.from..range.end {
                let stored = &partition.records[usize::try_from(offset).unwrap()];
                let header = |header: &'_ Header| (header.name.as_bytes(), header.value.clone());
                let headers: Vec<_> = stored.headers.iter().map(header).collect();
                let headers = headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect();
                let (key, value) = (Some(stored.key.as_slice()), stored.value.as_deref());
                each(range, &LogRecord { offset, timestamp_ms: stored.timestamp_ms, key, value, headers })?;
            }
        }
        Ok(())
    }

    fn pause(&mut self, span: Duration) {
        self.0.borrow_mut().pass(span.as_millis() as u64);
    }

    fn settle_time(&self) -> Duration {
        Duration::from_millis(SETTLE_MS)
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Stored>,
    flight: VecDeque<Batch>,
}

/// A producer with Kafka's semantics: batches, five requests in flight a partition, stored in order within a partition, reports
/// in any order between partitions, offsets reported or, after a duplicate-sequence answer, not.
struct Writer<'a> {
    world: &'a RefCell<World>,
    layout: Layout,
    deliveries: Deliveries,
    queues: BTreeMap<At, Queue>,
}

impl Writer<'_> {
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
                batch.stored_at = Some(world.store(at, &batch.records));
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

    /// The broker comes back without its producers: what is sent again is stored again.
    fn broker_forgets(&mut self) {
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
        let (&at, partition) = world.partitions.iter().nth(pick).unwrap();
        let foreign =
            Stored { ordinal: 0, timestamp_ms: 7, key: b"k".into(), value: Some(b"v".into()), headers: vec![] };
        let record = partition.records.last().filter(|_| partition.records.len() % 2 == 0).unwrap_or(&foreign).clone();
        world.store(at, &[record]);
        world.beyond = true;
        world.tell(format!("another writer stores a record in {at:?}"));
    }

    /// SIGKILL: of the requests under way in each partition the first few arrive later, the others never.
    fn die(self) {
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
                world.late.push(Late { due_ms, at, records, beyond });
                if beyond {
                    break;
                }
            }
        }
        world.late.sort_by_key(|late| late.due_ms);
        world.tell("the writer is killed".to_owned());
    }
}

impl Sink for Writer<'_> {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        self.queues.entry((record.stage, record.partition)).or_default().waiting.push_back(record.into());
        self.steps(6)
    }

    fn wait(&mut self, _span: Duration) -> Result<(), SinkError> {
        self.steps(6)
    }

    fn close(&mut self, complete: bool) -> Result<(), SinkError> {
        while self.queues.values().any(|queue| !queue.waiting.is_empty() || !queue.flight.is_empty()) {
            self.step()?;
        }
        let ends = if complete { self.deliveries.written() } else { self.deliveries.unsettled() };
        for (stage, partition, expected) in ends {
            let found = self.world.borrow().partitions[&(stage, partition.cast_unsigned())].records.len() as i64;
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
}

fn is_ambiguous(error: &TailError) -> bool {
    matches!(error, TailError::Refused { why, .. } if matches!(**why, Misfit::Ambiguous { .. }))
}

/// All planned faults, so rare that a window from now soon finds a plain request.
fn faults(random: &mut Random) -> FaultPlan {
    let share = |random: &mut Random| if random.percent(40) { "0" } else { "0.1" }.parse().unwrap();
    let spread = |random: &mut Random| {
        let text = format!("{}:{}ms", ["0", "0.1", "0.2"][random.below(3) as usize], 1 + random.below(1_000));
        text.parse().unwrap()
    };
    let faults = Faults {
        late: spread(random),
        duplicates: spread(random),
        conflicts: spread(random),
        orphans: share(random),
        boundary: if random.percent(50) { "0" } else { "0.3:20ms,200ms,2s" }.parse().unwrap(),
        malformed: share(random),
        invalid: share(random),
        tombstones: share(random),
        idle: random.percent(20).then(|| "response:50ms:100ms".parse().unwrap()),
        hot_user: share(random),
    };
    faults.try_into().unwrap()
}

/// One schedule.
struct Schedule {
    stream: Stream,
    window: Window,
    now_until: Option<WindowEnd>,
    world: RefCell<World>,
    stop: Stop,
    /// The sequences of the window from a start on, which is asked for often.
    sequences: RefCell<Option<(Window, Rc<Sequences>)>>,
}

type Sequences = BTreeMap<At, Vec<Stored>>;

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed);
        let spec = StreamSpec {
            seed: random.next(),
            // Slow enough that a click's lag is a short search, fast enough that records of neighbours change places.
            events_per_second: "100".parse().unwrap(),
            bid_response_rate: "0.7".parse().unwrap(),
            win_rate: "0.7".parse().unwrap(),
            click_rate: "0.7".parse().unwrap(),
            key_by: if random.percent(50) { KeyBy::Id } else { KeyBy::Request },
            headers: random.percent(30),
            ..StreamSpec::default()
        };
        let is_faulty = seed % 2 == 1;
        let spec = if is_faulty { StreamSpec { faults: faults(&mut random), ..spec } } else { spec };
        let partitions = [0; 4].map(|_| Partitions::new(1 + random.below(3) as u32).unwrap());
        let layout = Layout::default().with_partitions(partitions);
        let stream = Stream::new(&spec, &layout);
        let start = random.below(100_000);
        let window = Window::auctions(start, 3 + random.below(16));
        let now = random.percent(30);
        let end_ms = stream.auctions().plan(window.end().unwrap()).request_ms;
        let now_until = now.then_some(WindowEnd::ToMs(end_ms + if is_faulty { 200 } else { 20 }));
        let all = Stage::ALL.into_iter().flat_map(|stage| {
            (0..layout.topic(stage).partitions.count()).map(move |partition| ((stage, partition), Partition::default()))
        });
        let world = World {
            random,
            partitions: all.collect(),
            clock_ms: 0,
            late: Vec::new(),
            script: Script::default(),
            beyond: false,
            events: Vec::new(),
        };
        Self {
            stream,
            window,
            now_until,
            world: RefCell::new(world),
            stop: Stop::default(),
            sequences: RefCell::default(),
        }
    }

    /// Runs, with crashes between, until the window is complete or damage was named.
    fn play(&self) -> Result<(), String> {
        for attempt in 0..8 {
            self.retention();
            self.world.borrow_mut().script = self.script(attempt);
            match self.start(attempt) {
                Err(error) => {
                    if self.judge_refusal(&error)? {
                        return Ok(());
                    }
                }
                Ok(standing) => {
                    if self.run(&standing)? {
                        return self.complete(attempt);
                    }
                }
            }
        }
        if self.world.borrow().beyond { Ok(()) } else { Err("the window never got complete".to_owned()) }
    }

    /// The last attempts meet no trouble; most schedules stay within what is promised.
    fn script(&self, attempt: u64) -> Script {
        let random = &mut self.world.borrow_mut().random;
        let mut fuse = |percent| (attempt < 6 && random.percent(percent)).then(|| 1 + random.below(150));
        Script { kill: fuse(80), forget: fuse(12), intrude: fuse(4) }
    }

    fn retention(&self) {
        let mut world = self.world.borrow_mut();
        // What is removed can no longer be told to be damaged, nor what comes late behind it, so retention touches sound logs only.
        if world.beyond || world.late.iter().any(|late| late.beyond) || !world.random.percent(25) {
            return;
        }
        let World { random, partitions, .. } = &mut *world;
        for partition in partitions.values_mut().filter(|partition| !partition.records.is_empty()) {
            if random.percent(30) {
                let left = partition.records.len() - partition.low;
                partition.low += random.below(left as u64 + 1) as usize;
            }
        }
        let lows: Vec<_> = world.partitions.iter().map(|(at, p)| (*at, p.low, p.records.len())).collect();
        world.tell(format!("retention: {lows:?}"));
    }

    fn start(&self, attempt: u64) -> Result<Standing, TailError> {
        let delay_ms = self.world.borrow_mut().random.below(SETTLE_MS * 2);
        let at_once = self.world.borrow_mut().random.percent(50);
        self.world.borrow_mut().pass(if at_once { 0 } else { delay_ms });
        let first = self.window.start() + attempt;
        let start = self.now_until.map_or(Start::Given(self.window), |end| Start::Now(first, end));
        let ask = Ask {
            stream: &self.stream,
            start,
            shard: Shard::WHOLE,
            require: false,
            fresh: attempt == 0,
            stop: &self.stop,
        };
        let standing = find_end(&ask, &mut ScriptedLog(&self.world));
        self.world.borrow_mut().tell(match &standing {
            Ok(standing) => format!("going on behind {} records", standing.records),
            Err(error) => format!("refused: {error}"),
        });
        standing
    }

    /// A refusal is right on a damaged log, where another writer moves, and where retention has removed what is needed. True if
    /// nothing more can follow.
    fn judge_refusal(&self, error: &TailError) -> Result<bool, String> {
        let another = matches!(error, TailError::Unsettled { .. } | TailError::Kafka(KafkaError::AnotherWriter { .. }));
        let world = self.world.borrow();
        let removed = world.partitions.values().any(|partition| partition.low > 0);
        let emptied = world.partitions.values().any(|p| p.low > 0 && p.low == p.records.len());
        match () {
            () if self.is_damaged(&world) => Ok(!another),
            () if another && world.beyond => Ok(false),
            () if matches!(error, TailError::StartUnknown { .. }) && removed => Ok(true),
            () if is_ambiguous(error) && removed => Ok(true),
            // So few requests are plain that the first one lies behind the window's end.
            () if matches!(error, TailError::Window(_)) && world.start().is_none() => Ok(true),
            () if self.now_until.is_some() && emptied => Ok(true),
            () => Err(format!("a sound log is refused: {error}")),
        }
    }

    /// Plays what is left. True if the run says that all is done.
    fn run(&self, standing: &Standing) -> Result<bool, String> {
        if let Some((_, damage)) = self.damage(&self.world.borrow()).first() {
            return Err(format!("a damaged log is built upon: {damage}"));
        }
        let mut writer = Writer {
            world: &self.world,
            layout: self.stream.layout().clone(),
            deliveries: Deliveries::new(&standing.end_offsets),
            queues: BTreeMap::new(),
        };
        let manner = Manner { fingerprint: false, first_alone: standing.first_alone, threads: 1 };
        let mut pacer = Pacer::new(Pace::Fast, 0);
        match run(&self.stream, &standing.part, &mut writer, &mut pacer, &self.stop, manner, |_| {}) {
            Ok(_) => {
                self.world.borrow_mut().tell("the run says that all is done".to_owned());
                // Offsets tell of damage where the run wrote; elsewhere the next start does.
                let damage = self.damage(&self.world.borrow());
                if let Some((_, damage)) = damage.iter().find(|(at, _)| writer.queues.contains_key(at)) {
                    return Err(format!("damage was not named: {damage}"));
                }
                Ok(true)
            }
            Err(SinkError::Stdout(_)) => {
                writer.die();
                let world = self.world.borrow();
                if self.is_damaged(&world) && !world.beyond {
                    Err("damage without a cause".to_owned())
                } else {
                    Ok(false)
                }
            }
            Err(error) => {
                let mut world = self.world.borrow_mut();
                world.tell(format!("the run fails: {error}"));
                if world.beyond { Ok(false) } else { Err(format!("a false alarm: {error}")) }
            }
        }
    }

    /// What the partitions should hold in the end.
    fn expected(&self, world: &World) -> Rc<Sequences> {
        let window = match (self.now_until, world.start()) {
            (Some(end), Some(start)) => Window::from_auction(self.stream.auctions(), start, end).unwrap(),
            _ => self.window,
        };
        if let Some((of, sequences)) = &*self.sequences.borrow()
            && *of == window
        {
            return Rc::clone(sequences);
        }
        let mut expected = Sequences::new();
        for record in self.stream.records(window) {
            expected.entry((record.stage, record.partition)).or_default().push(Stored::from(&record));
        }
        let expected = Rc::new(expected);
        *self.sequences.borrow_mut() = Some((window, Rc::clone(&expected)));
        expected
    }

    /// Whether a partition is no prefix of the sequence.
    fn is_damaged(&self, world: &World) -> bool {
        !self.damage(world).is_empty()
    }

    /// The damaged partitions, and what they hold and should hold, as ordinals.
    fn damage(&self, world: &World) -> Vec<(At, String)> {
        let expected = self.expected(world);
        let ordinals = |records: &[Stored]| records.iter().map(|record| record.ordinal).collect::<Vec<_>>();
        let mut damage = Vec::new();
        for (&at, Partition { records, .. }) in &world.partitions {
            let whole = expected.get(&at).map_or(&[][..], Vec::as_slice);
            if !whole.starts_with(records) {
                let should = ordinals(&whole[..whole.len().min(records.len())]);
                damage.push((at, format!("{at:?} holds {:?}, not {should:?}", ordinals(records))));
            }
        }
        damage
    }

    /// The log is whole, and a further run finds nothing to do.
    fn complete(&self, attempt: u64) -> Result<(), String> {
        let whole = |world: &World| {
            let expected = self.expected(world);
            world.partitions.iter().all(|(at, p)| expected.get(at).map_or(0, Vec::len) == p.records.len())
        };
        if self.is_damaged(&self.world.borrow()) {
            let Err(error) = self.start(attempt + 1) else { return Err("a damaged log is gone on with".to_owned()) };
            return self.judge_refusal(&error).map(|_| ());
        }
        if !whole(&self.world.borrow()) {
            return Err("the run says that all is done, and records are missing".to_owned());
        }
        match self.start(attempt + 1) {
            Err(error) => self.judge_refusal(&error).map(|_| ()),
            Ok(standing) => match self.stream.records_of_part(&standing.part).next() {
                Some(record) => Err(format!("a complete window is gone on with at auction {}", record.ordinal)),
                None => Ok(()),
            },
        }
    }
}

/// Counts how far schedules got, so that the test cannot pass by never getting anywhere.
#[derive(Debug, Default)]
struct Tally {
    schedules: u64,
    kills: u64,
    late: u64,
    twice: u64,
    refused: u64,
    complete: u64,
}

fn play(seeds: impl Iterator<Item = u64>) -> Result<Tally, String> {
    let mut tally = Tally::default();
    for seed in seeds {
        let schedule = Schedule::new(seed);
        let result = schedule.play();
        let world = schedule.world.borrow();
        if let Err(why) = &result {
            return Err(format!("MODEL_SEED={seed}: {why}\n{}", world.events.join("\n")));
        }
        let count = |what: &str| world.events.iter().filter(|event| event.contains(what)).count() as u64;
        tally.schedules += 1;
        tally.kills += count("is killed");
        tally.late += count("of a dead writer arrive");
        tally.twice += count("stored twice");
        tally.refused += count("refused");
        tally.complete += count("all is done").min(1);
    }
    Ok(tally)
}

#[test]
fn every_partition_stays_a_prefix_or_damage_is_named_and_never_built_upon() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a whole number"));
    if let Some(seed) = number("MODEL_SEED") {
        let schedule = Schedule::new(seed);
        let result = schedule.play();
        println!("{}", schedule.world.borrow().events.join("\n"));
        return result.unwrap();
    }
    let schedules = number("MODEL_SCHEDULES").unwrap_or(SCHEDULES);
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let tallies: Vec<_> = std::thread::scope(|scope| {
        let play_share = |worker: u64| play((0..schedules).filter(move |seed| seed % workers == worker));
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || play_share(worker))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut total = Tally::default();
    for tally in tallies {
        let Tally { schedules, kills, late, twice, refused, complete } = tally.unwrap_or_else(|why| panic!("{why}"));
        total.schedules += schedules;
        total.kills += kills;
        total.late += late;
        total.twice += twice;
        total.refused += refused;
        total.complete += complete;
    }
    println!("{total:?}");
    assert_eq!(total.schedules, schedules);
    // Each kind of trouble was really met.
    assert!(total.kills > schedules && total.complete > schedules / 2, "{total:?}");
    assert!(
        total.late > schedules / 10 && total.twice > schedules / 100 && total.refused > schedules / 100,
        "{total:?}"
    );
}
