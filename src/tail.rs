//! Where a log ends in the stream: the log is its own offset store.
//!
//! ```text
//! end offsets stand still ──> edges placed ──> window ──> heads, tails compared ──> what each partition holds
//!          │                       │                              │
//!      another writer           refused, naming the record and the ways out
//! ```
//!
//! Nothing is written here. The decision is global: all partitions empty means begin, all of them a prefix of the stream's
//! sequence means go on, each behind its own tail; anything else is refused.

mod compare;
mod edges;
mod emptied;
mod error;
mod log;
mod place;
mod read;
mod remembered;
mod sequence;
mod start;
mod topics;

use std::collections::BTreeMap;
use std::time::Duration;

pub use self::error::{Misfit, TailError, Which};
pub use self::log::{Bounds, Each, Log, LogRecord, Range};
pub use self::read::{Feed, Show, read_ranges};
use self::remembered::Remembered;
pub use self::topics::TopicLog;
use crate::generator::spec::Stage;
use crate::generator::stream::{Assignment, Position, Shard, Stream, Window, WindowEnd};
use crate::sink::kafka::{BATCH_RECORDS_MAX, REQUESTS_IN_FLIGHT};
use crate::sink::{KafkaError, Stop};

/// So many last records of each partition must equal the sequence. A writer has at most this many less one in flight there, so
/// where a broker stored its last requests twice the seam lies among them, and below every 64 records.
pub const DEPTH: i64 = (REQUESTS_IN_FLIGHT * BATCH_RECORDS_MAX + 1) as i64;
/// End offsets are watched for at most this many times the settle time.
const SETTLE_ROUNDS: u32 = 10;
/// An open transaction on the shard's partitions is waited for so long. Brokers end one whose writer is gone after that writer's
/// `transaction.timeout.ms`; with other workers, or under another name, it was not ours to end.
pub const OPEN_PATIENCE: Duration = Duration::from_secs(90);
/// A writer's queue of 64 MiB holds fewer auctions. Where a whole topic misses more, it is not that writer's end.
const QUEUE_AUCTIONS: u64 = 200_000;

/// A window from now begins with a request that carries no planned fault, which is looked for among so many.
const PLAIN_WITHIN: u64 = 1_000_000;

/// What a run wants of the log.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The stream, with the partition counts that the topics have.
    pub stream: &'a Stream,
    /// The window.
    pub start: Start,
    /// The partitions that are looked at and gone on with.
    pub shard: Shard,
    /// Whether topics that hold nothing are refused.
    pub require: bool,
    /// Whether this process has made all topics a moment ago, so that nobody can have a request under way.
    pub fresh: bool,
    /// Whether transactions will be written: their ends take offsets too, so offsets count no records.
    pub transactional: bool,
    /// The wish to end.
    pub stop: &'a Stop,
}

/// Where the window starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As was asked for, whatever the log holds.
    Given(Window),
    /// At this auction if the log is empty; else where the log begins.
    Now(u64, WindowEnd),
}

/// Where a log ends in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What is left to play.
    pub part: Assignment,
    /// Whether nothing is there yet.
    pub begins: bool,
    /// Records that the shard's partitions hold, where the last offsets of each show no gap: so many offsets as records.
    pub records: Option<u64>,
    /// The last record in the stream's order that they hold.
    pub furthest: Option<Position>,
    /// Whether the log alone did not tell, and committed offsets did.
    pub by_offsets: bool,
    /// Whether the first record has to be stored before any other is sent: a later run finds the start by it.
    pub first_alone: bool,
    /// Where each partition ended meanwhile, by stage: the next offsets of a lone writer.
    pub end_offsets: [Vec<i64>; 4],
}

/// A partition that holds records.
#[derive(Debug, Clone)]
struct Tail {
    /// From here on its records are compared.
    from: i64,
    /// The offset behind its last record.
    end: i64,
    /// What its first record can be, least first.
    heads: Vec<Position>,
    /// What the first of those that are compared can be, least first.
    firsts: Vec<Position>,
    /// What its last record can be, least first; one, once the others were compared.
    lasts: Vec<Position>,
}

impl Tail {
    /// Its first record, or the least of those that it can be: all of them are of the same event.
    fn head(&self) -> Position {
        self.heads[0]
    }

    /// Likewise the first of those that are compared.
    fn first(&self) -> Position {
        self.firsts[0]
    }

    /// Likewise its last record, the greatest of those.
    fn last(&self) -> Position {
        self.lasts[self.lasts.len() - 1]
    }
}

/// Tails by stage and partition.
type Tails = BTreeMap<(Stage, u32), Tail>;

/// Finds out where a log ends in the stream.
///
/// # Errors
/// If the log is not, partition by partition, a prefix of the window's sequence; the error names the first record that does not
/// belong. Or if another writer is at work, a broker does not answer, or a signal comes.
pub fn find_end(ask: &Ask<'_>, log: &mut impl Log) -> Result<Standing, TailError> {
    let bounds = settle(ask, log)?;
    let end_offsets = bounds.each_ref().map(|partitions| partitions.iter().map(|bounds| bounds.end).collect());
    let mut tails = edges::read_edges(ask, log, &bounds)?;
    if ask.holds_nothing(&bounds, &tails) {
        let (window, first_alone) = ask.first_window()?;
        let part = Assignment::new(window, ask.shard, Default::default());
        return Ok(Standing {
            part,
            begins: true,
            records: Some(0),
            furthest: None,
            by_offsets: false,
            first_alone,
            end_offsets,
        });
    }
    let remembered = Remembered::ask(ask, log, &bounds, &tails)?;
    let (window, known) = match (ask.start, remembered.start(&tails)) {
        (Start::Given(window), _) => (window, true),
        (Start::Now(_, end), Some(start)) => (Window::from_auction(ask.stream.auctions(), start, end)?, true),
        (Start::Now(first, end), None) => start::window(ask, log, &bounds, &tails, (first, end))?,
    };
    let checked = compare::Checked { ask, window, tails: &tails };
    checked.inside()?;
    if known {
        checked.heads(&bounds)?;
    }
    let compare::Compared { lasts, are_gapless } = checked.tails(log, &bounds)?;
    for (at, last) in lasts {
        tails.entry(at).and_modify(|tail| tail.lasts = vec![last]);
    }
    let checked = compare::Checked { ask, window, tails: &tails };
    checked.no_new_topic(&bounds)?;
    let by_offsets = checked.remembered(&bounds, &remembered, are_gapless)?;
    let held = checked.held(&bounds, known, are_gapless, &by_offsets)?;
    let is_start_remembered = matches!(ask.start, Start::Now(..)) && remembered.start(&tails).is_some();
    stands_still(ask, log, &bounds)?;
    let furthest = tails.values().map(Tail::last).max();
    let owned = |(partition, bounds): (u32, &Bounds)| ask.shard.owns(partition).then_some(bounds.end - bounds.low);
    let records = bounds.iter().flat_map(|partitions| (0..).zip(partitions)).filter_map(owned).sum::<i64>();
    let records = are_gapless.then_some(records.cast_unsigned());
    let begins = held.iter().flatten().all(Option::is_none);
    let part = Assignment::new(window, ask.shard, held);
    let by_offsets = is_start_remembered || !by_offsets.is_empty();
    Ok(Standing { part, begins, records, furthest, by_offsets, first_alone: false, end_offsets })
}

impl Ask<'_> {
    /// The window on empty topics.
    fn first_window(&self) -> Result<(Window, bool), TailError> {
        match self.start {
            _ if self.require => Err(TailError::NothingHeld),
            Start::Given(window) => Ok((window, false)),
            Start::Now(first, end) => {
                let auctions = self.stream.auctions();
                let first = auctions.first_plain_request(first, PLAIN_WITHIN).ok_or(TailError::NoPlainRequest)?;
                // A transaction's records are all there or none is, the first among them.
                Ok((Window::from_auction(auctions, first, end)?, !self.transactional))
            }
        }
    }

    /// Whether no record is there, nor was ever. What aborted transactions left is none.
    fn holds_nothing(&self, bounds: &[Vec<Bounds>; 4], tails: &Tails) -> bool {
        let mut all = bounds.iter().flatten();
        let seen_whole = self.shard.is_whole() && tails.is_empty();
        all.all(|bounds| bounds.end == 0 || (seen_whole && bounds.low == 0))
    }

    fn owned(&self, bounds: &[Vec<Bounds>; 4]) -> Vec<(Stage, u32, Bounds)> {
        let of_stage = |stage: Stage| {
            let numbered = (0u32..).zip(&bounds[stage.index()]);
            numbered.filter(|&(p, _)| self.shard.owns(p)).map(move |(p, bounds)| (stage, p, *bounds))
        };
        Stage::ALL.into_iter().flat_map(of_stage).collect()
    }

    fn refuse(&self, stage: Stage, partition: u32, offset: Option<i64>, why: Misfit) -> TailError {
        let topic = self.stream.layout().topic(stage).name.clone();
        TailError::Refused { topic, partition, offset, why: Box::new(why) }
    }

    fn go_on(&self) -> Result<(), TailError> {
        if self.stop.asked() { Err(TailError::Stopped) } else { Ok(()) }
    }
}

/// Waits until no request of a dead writer is under way, and none of its transactions is open, on the shard's partitions.
fn settle(ask: &Ask<'_>, log: &mut impl Log) -> Result<[Vec<Bounds>; 4], TailError> {
    if ask.fresh {
        return log.bounds();
    }
    let mut waited = Duration::ZERO;
    loop {
        let bounds = stand_still(ask, log)?;
        let Some((stage, partition, _)) = ask.owned(&bounds).into_iter().find(|(_, _, bounds)| bounds.is_open()) else {
            return Ok(bounds);
        };
        let topic = ask.stream.layout().topic(stage).name.clone();
        if waited.is_zero() {
            tracing::warn!(target: "mock_data_gen::tail", topic = %topic, partition, "a transaction is open in `{topic}`, partition {partition}: waiting for its end");
        }
        waited += log.settle_time();
        if waited >= OPEN_PATIENCE {
            return Err(TailError::OpenTransaction { topic, partition, seconds: OPEN_PATIENCE.as_secs() });
        }
    }
}

/// Waits until the shard's partitions have stood still for the log's settle time.
fn stand_still(ask: &Ask<'_>, log: &mut impl Log) -> Result<[Vec<Bounds>; 4], TailError> {
    let mut bounds = log.bounds()?;
    let span = log.settle_time();
    let mut moved = None;
    for _ in 0..SETTLE_ROUNDS {
        ask.go_on()?;
        log.pause(span);
        let now = log.bounds()?;
        let before = ask.owned(&bounds);
        moved = ask.owned(&now).into_iter().zip(before).find(|((_, _, now), (_, _, before))| now.end != before.end);
        bounds = now;
        if moved.is_none() {
            return Ok(bounds);
        }
    }
    let (stage, partition) = moved.map_or((Stage::Request, 0), |((stage, partition, _), _)| (stage, partition));
    let topic = ask.stream.layout().topic(stage).name.clone();
    Err(TailError::Unsettled { topic, partition, seconds: (span * SETTLE_ROUNDS).as_secs() })
}

/// Refuses a log that has grown while it was read.
fn stands_still(ask: &Ask<'_>, log: &mut impl Log, before: &[Vec<Bounds>; 4]) -> Result<(), TailError> {
    let now = log.bounds()?;
    for ((stage, partition, now), (_, _, before)) in ask.owned(&now).into_iter().zip(ask.owned(before)) {
        if now.end != before.end {
            let topic = ask.stream.layout().topic(stage).name.clone();
            let (expected, found) = (before.end, now.end);
            return Err(KafkaError::AnotherWriter { topic, partition: partition.cast_signed(), expected, found }.into());
        }
    }
    Ok(())
}
