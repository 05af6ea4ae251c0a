//! The state machine of writing, crashing and resuming as a model: random schedules over a scripted log drive the shipped `resume`
//! and `run`, and the shipped bookkeeping of delivery offsets.
//!
//! Three invariants, which are the theorem of the design:
//!
//! - as long as a dead writer's requests arrive within the settle time and the broker knows its producers, every partition is a
//!   prefix of the sequence at every instant, nobody complains, and the window gets complete;
//! - beyond that (a broker that forgot its producers, another writer, a request that comes after the settle time) damage may
//!   happen, but the run that meets it fails by name, and no later run builds upon it;
//! - where transactions are written, what a read-committed reader sees is a prefix at every instant, whatever is killed, comes late, is
//!   asked for twice or is fenced by a second copy.
//!
//! Every second schedule is about a stream with planned faults, which repeats and reorders its own records; every third pair writes
//! transactions.
//!
//! `MODEL_SEED=n` plays schedule n alone and prints what happened; `MODEL_SCHEDULES=n` plays so many, from `MODEL_FIRST` on.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a failing schedule is told")]

mod world;
mod writer;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::rc::Rc;

use mock_data_gen::generator::spec::{
    EventsPerSecond, FaultPlan, Faults, KeyBy, Layout, Partitions, Rate, Stage, StreamSpec,
};
use mock_data_gen::generator::stream::{Shard, Stream, Window, WindowEnd};
use mock_data_gen::kafka::KafkaError;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::player::pace::{Pace, Pacer};
use mock_data_gen::player::play::{self, PlayOptions};
use mock_data_gen::resume::{Mismatch, ResumeError, ResumePoint, ResumeRequest, Start, find_end};
use mock_data_gen::sink::SinkError;

use self::world::{At, Script, ScriptedLog, Stored, World};
use self::writer::Writer;
use crate::choices::Choices;

const SCHEDULES: u64 = 10_000;
/// What the scripted log asks for, and what late requests take at most, in milliseconds.
const SETTLE_MS: u64 = 500;

fn is_ambiguous(error: &ResumeError) -> bool {
    matches!(error, ResumeError::Refused { why, .. } if matches!(**why, Mismatch::Ambiguous { .. }))
}

/// All planned faults, so rare that a window from now soon finds a plain request.
fn faults(random: &mut Choices) -> FaultPlan {
    let share = |random: &mut Choices| if random.percent(40) { "0" } else { "0.1" }.parse().unwrap();
    let spread = |random: &mut Choices| {
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
    /// Whether transactions are written.
    transactional: bool,
    world: RefCell<World>,
    stop: Shutdown,
    /// The sequences of the window from a start on, which is asked for often.
    sequences: RefCell<Option<(Window, Rc<Sequences>)>>,
}

type Sequences = BTreeMap<At, Vec<Stored>>;

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut random = Choices(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed);
        let spec = StreamSpec {
            seed: random.next(),
            // Slow enough that a click's lag is a short search, fast enough that records of neighbours change places.
            events_per_second: EventsPerSecond::new(100),
            bid_response_rate: Rate::from_percent(70),
            win_rate: Rate::from_percent(70),
            click_rate: Rate::from_percent(70),
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
        let all = Stage::ALL
            .into_iter()
            .flat_map(|stage| (0..layout.topic(stage).partitions.count()).map(move |partition| (stage, partition)));
        let world = World::new(random, all);
        Self {
            stream,
            window,
            now_until,
            transactional: seed / 2 % 3 == 1,
            world: RefCell::new(world),
            stop: Shutdown::default(),
            sequences: RefCell::default(),
        }
    }

    /// Runs, with crashes and uncertain commits between, until the window is complete or damage was named.
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
                Ok((standing, epoch)) => {
                    if self.run(&standing, epoch)? {
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
        Script { kill: fuse(80), forget: fuse(12), intrude: fuse(4), copy: fuse(10), holds: attempt < 6 }
    }

    fn retention(&self) {
        let mut world = self.world.borrow_mut();
        // What is removed can no longer be told to be damaged, nor what comes late behind it, so retention touches sound logs only.
        if world.beyond || world.late.iter().any(|late| late.beyond) || !world.random.percent(25) {
            return;
        }
        let ats: Vec<At> = world.partitions.keys().copied().collect();
        for at in ats {
            // Brokers remove nothing behind the begin of an open transaction.
            let left = world.last_stable(at) - world.partitions[&at].low as i64;
            if left > 0 && world.random.percent(30) {
                let removed = world.random.below(left.unsigned_abs() + 1) as usize;
                world.partitions.get_mut(&at).unwrap().low += removed;
            }
        }
        let lows: Vec<_> = world.partitions.iter().map(|(at, p)| (*at, p.low, p.end())).collect();
        world.tell(format!("retention: {lows:?}"));
    }

    fn start(&self, attempt: u64) -> Result<(ResumePoint, Option<u32>), ResumeError> {
        let delay_ms = self.world.borrow_mut().random.below(SETTLE_MS * 2);
        let at_once = self.world.borrow_mut().random.percent(50);
        self.world.borrow_mut().pass(if at_once { 0 } else { delay_ms });
        let first = self.window.start() + attempt;
        let start = self.now_until.map_or(Start::Given(self.window), |end| Start::Now(first, end));
        let ask = ResumeRequest {
            stream: &self.stream,
            start,
            shard: Shard::WHOLE,
            require: false,
            fresh: attempt == 0,
            transactional: self.transactional,
            stop: &self.stop,
        };
        let epoch = self.transactional.then(|| self.world.borrow_mut().take_over());
        let standing = find_end(&ask, &mut ScriptedLog(&self.world));
        self.world.borrow_mut().tell(match &standing {
            Ok(standing) => format!("going on behind {:?} records", standing.records),
            Err(error) => format!("refused: {error}"),
        });
        Ok((standing?, epoch))
    }

    /// A refusal is right on a damaged log, where another writer moves, and where retention has removed what is needed. True if
    /// nothing more can follow.
    fn judge_refusal(&self, error: &ResumeError) -> Result<bool, String> {
        let another =
            matches!(error, ResumeError::Unsettled { .. } | ResumeError::Kafka(KafkaError::AnotherWriter { .. }));
        let world = self.world.borrow();
        let removed = world.partitions.values().any(|partition| partition.low > 0);
        let emptied = world.partitions.keys().any(|&at| world.is_emptied(at));
        match () {
            () if self.is_damaged(&world) => Ok(!another),
            () if another && world.beyond => Ok(false),
            () if matches!(error, ResumeError::StartUnknown { .. }) && removed => Ok(true),
            () if is_ambiguous(error) && removed => Ok(true),
            // So few requests are plain that the first one lies behind the window's end.
            () if matches!(error, ResumeError::Window(_)) && world.start().is_none() => Ok(true),
            () if (self.now_until.is_some() || self.transactional) && emptied => Ok(true),
            () => Err(format!("a sound log is refused: {error}")),
        }
    }

    /// Plays what is left. True if the run says that all is done.
    fn run(&self, standing: &ResumePoint, epoch: Option<u32>) -> Result<bool, String> {
        if let Some((_, damage)) = self.damage(&self.world.borrow()).first() {
            return Err(format!("a damaged log is built upon: {damage}"));
        }
        let mut writer = Writer::new(&self.world, self.stream.layout(), &standing.end_offsets, epoch);
        let manner = PlayOptions { first_alone: standing.first_alone, threads: 1 };
        let mut pacer = Pacer::new(Pace::Fast, 0);
        match play::play(
            &self.stream,
            &standing.part,
            &mut writer,
            &mut pacer,
            &self.stop,
            manner,
            &mut play::Totals::new(None),
        ) {
            Ok(_) => {
                self.world.borrow_mut().tell("the run says that all is done".to_owned());
                // Offsets tell of damage where the run wrote; elsewhere the next start does.
                let damage = self.damage(&self.world.borrow());
                if let Some((_, damage)) = damage.iter().find(|(at, _)| writer.has_written(*at)) {
                    return Err(format!("damage was not named: {damage}"));
                }
                Ok(true)
            }
            Err(SinkError::Stdout(_)) => {
                writer.die();
                let world = self.world.borrow();
                match self.damage(&world).first() {
                    Some((_, damage)) if !world.beyond => Err(format!("damage without a cause: {damage}")),
                    _ => Ok(false),
                }
            }
            Err(error) => {
                let mut world = self.world.borrow_mut();
                world.tell(format!("the run fails: {error}"));
                let goes_on = |error: &KafkaError| error.is_uncertain() || matches!(error, KafkaError::Fenced);
                let passes = self.transactional && matches!(&error, SinkError::Kafka(error) if goes_on(error));
                if world.beyond || (passes && !self.is_damaged(&world)) {
                    Ok(false)
                } else {
                    Err(format!("a false alarm: {error}"))
                }
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
        let ordinals = |records: &[&Stored]| records.iter().map(|record| record.ordinal).collect::<Vec<_>>();
        let mut damage = Vec::new();
        for &at in world.partitions.keys() {
            let (whole, seen) = (expected.get(&at).map_or(&[][..], Vec::as_slice), world.seen(at));
            if !whole.iter().zip(&seen).all(|(one, other)| one == *other) || seen.len() > whole.len() {
                let should: Vec<&Stored> = whole.iter().take(seen.len()).collect();
                damage.push((at, format!("{at:?} holds {:?}, not {:?}", ordinals(&seen), ordinals(&should))));
            }
        }
        damage
    }

    /// The log is whole, and a further run finds nothing to do.
    fn complete(&self, attempt: u64) -> Result<(), String> {
        let whole = |world: &World| {
            let expected = self.expected(world);
            world.partitions.keys().all(|&at| expected.get(&at).map_or(0, Vec::len) == world.seen(at).len())
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
            Ok((standing, _)) => match self.stream.assigned_records(&standing.part).next() {
                Some(record) => Err(format!("a complete window is gone on with at auction {}", record.ordinal)),
                None => Ok(()),
            },
        }
    }
}

/// Counts how far schedules got, so that the test cannot pass by never getting anywhere.
#[derive(Debug, Default)]
struct Totals {
    schedules: u64,
    kills: u64,
    late: u64,
    twice: u64,
    refused: u64,
    complete: u64,
    /// Of those that write transactions.
    held: u64,
    fenced: u64,
}

fn play(seeds: impl Iterator<Item = u64>) -> Result<Totals, String> {
    let mut tally = Totals::default();
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
        tally.held += count("a held request to commit arrives");
        tally.fenced += count("has taken over the transactions");
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
    let first = number("MODEL_FIRST").unwrap_or(0);
    let schedules = number("MODEL_SCHEDULES").unwrap_or(SCHEDULES);
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let tallies: Vec<_> = std::thread::scope(|scope| {
        let play_share = |worker: u64| play((first..first + schedules).filter(move |seed| seed % workers == worker));
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || play_share(worker))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut total = Totals::default();
    for tally in tallies {
        let Totals { schedules, kills, late, twice, refused, complete, held, fenced } =
            tally.unwrap_or_else(|why| panic!("{why}"));
        total.schedules += schedules;
        total.kills += kills;
        total.late += late;
        total.twice += twice;
        total.refused += refused;
        total.complete += complete;
        total.held += held;
        total.fenced += fenced;
    }
    println!("{total:?}");
    assert_eq!(total.schedules, schedules);
    // Each kind of trouble was really met.
    assert!(total.kills > schedules && total.complete > schedules / 2, "{total:?}");
    assert!(
        total.late > schedules / 10 && total.twice > schedules / 100 && total.refused > schedules / 100,
        "{total:?}"
    );
    assert!(total.held > schedules / 20 && total.fenced > schedules / 100, "{total:?}");
}
