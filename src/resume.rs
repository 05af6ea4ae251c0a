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
mod error;
mod first_and_last;
mod limits;
mod locate;
mod log;
mod read;
mod remembered;
mod request;
mod sequence;
mod start;
mod tail;
mod topics;
mod truncated;

use std::time::Duration;

pub use self::error::{Mismatch, RecordRef, ResumeError};
pub use self::limits::DEPTH;
pub use self::log::{Each, Log, Offsets, Range};
pub use self::read::{Feed, Show, read_ranges};
use self::remembered::Remembered;
pub use self::request::{ResumeRequest, Start};
use self::tail::{Tail, Tails};
pub use self::topics::TopicLog;
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::{Assignment, Position, Window};
use crate::kafka::KafkaError;

/// End offsets are watched for at most this many times the settle time.
const SETTLE_ROUNDS: u32 = 10;
/// An open transaction on the shard's partitions is waited for so long. Brokers end one whose writer is gone after that writer's
/// `transaction.timeout.ms`; with other workers, or under another name, it was not ours to end.
pub const OPEN_PATIENCE: Duration = Duration::from_secs(90);
/// Where retention removes what is being read, bounds are taken again at most this many times.
const BOUNDS_ROUNDS: u32 = 10;
/// A window from now begins with a request that carries no planned fault, which is looked for among so many.
const PLAIN_WITHIN: u64 = 1_000_000;

/// Where a log ends in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePoint {
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
    pub end_offsets: ByStage<Vec<i64>>,
}

/// Finds out where a log ends in the stream.
///
/// # Errors
/// If the log is not, partition by partition, a prefix of the window's sequence; the error names the first record that does not
/// belong. Or if another writer is at work, a broker does not answer, or a signal comes.
pub fn find_end(ask: &ResumeRequest<'_>, log: &mut impl Log) -> Result<ResumePoint, ResumeError> {
    for _ in 1..BOUNDS_ROUNDS {
        match look(ask, log) {
            Err(ResumeError::Removed) => {}
            found => return found,
        }
    }
    look(ask, log)
}

/// Looks once, within the bounds of this moment; [`ResumeError::Removed`] if retention has moved them meanwhile.
fn look(ask: &ResumeRequest<'_>, log: &mut impl Log) -> Result<ResumePoint, ResumeError> {
    let bounds = settle(ask, log)?;
    let end_offsets = bounds.each_ref().map(|partitions| partitions.iter().map(|bounds| bounds.log_end).collect());
    let mut tails = first_and_last::read_edges(ask, log, &bounds)?;
    if holds_nothing(ask, &bounds, &tails) {
        let (window, first_alone) = first_window(ask)?;
        let part = Assignment::new(window, ask.shard, Default::default());
        return Ok(ResumePoint {
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
    let by_offsets = remembered::positions(&checked, &bounds, &remembered, are_gapless)?;
    let held = truncated::held(&checked, &bounds, known, are_gapless, &by_offsets)?;
    let is_start_remembered = matches!(ask.start, Start::Now(..)) && remembered.start(&tails).is_some();
    stands_still(ask, log, &bounds)?;
    let furthest = tails.values().map(Tail::last).max();
    // Behind the last record, and in partitions without one, stand ends of transactions, which are no records.
    let low = |&(stage, partition): &(Stage, u32)| bounds[stage][partition as usize].log_start;
    let records = tails.iter().map(|(at, tail)| tail.end - low(at)).sum::<i64>();
    let records = are_gapless.then_some(records.cast_unsigned());
    let begins = held.values().flatten().all(Option::is_none);
    let part = Assignment::new(window, ask.shard, held.into_array());
    let by_offsets = is_start_remembered || !by_offsets.is_empty();
    Ok(ResumePoint { part, begins, records, furthest, by_offsets, first_alone: false, end_offsets })
}

/// The window on empty topics.
fn first_window(ask: &ResumeRequest<'_>) -> Result<(Window, bool), ResumeError> {
    match ask.start {
        _ if ask.require => Err(ResumeError::NothingHeld),
        Start::Given(window) => Ok((window, false)),
        Start::Now(first, end) => {
            let auctions = ask.stream.auctions();
            let first = auctions.first_plain_request(first, PLAIN_WITHIN).ok_or(ResumeError::NoPlainRequest)?;
            // A transaction's records are all there or none is, the first among them.
            Ok((Window::from_auction(auctions, first, end)?, !ask.transactional))
        }
    }
}

/// Whether no record is there, nor was ever. What aborted transactions left is none.
fn holds_nothing(ask: &ResumeRequest<'_>, bounds: &ByStage<Vec<Offsets>>, tails: &Tails) -> bool {
    let mut all = bounds.values().flatten();
    let seen_whole = ask.shard.is_whole() && tails.is_empty();
    all.all(|bounds| bounds.log_end == 0 || (seen_whole && bounds.log_start == 0))
}

/// Waits until no request of a dead writer is under way, and none of its transactions is open, on the shard's partitions.
fn settle(ask: &ResumeRequest<'_>, log: &mut impl Log) -> Result<ByStage<Vec<Offsets>>, ResumeError> {
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
            return Err(ResumeError::OpenTransaction { topic, partition, seconds: OPEN_PATIENCE.as_secs() });
        }
    }
}

/// Waits until the shard's partitions have stood still for the log's settle time.
fn stand_still(ask: &ResumeRequest<'_>, log: &mut impl Log) -> Result<ByStage<Vec<Offsets>>, ResumeError> {
    let mut bounds = log.bounds()?;
    let span = log.settle_time();
    let mut moved = None;
    for _ in 0..SETTLE_ROUNDS {
        ask.go_on()?;
        log.pause(span);
        let now = log.bounds()?;
        let before = ask.owned(&bounds);
        moved =
            ask.owned(&now).into_iter().zip(before).find(|((_, _, now), (_, _, before))| now.log_end != before.log_end);
        bounds = now;
        if moved.is_none() {
            return Ok(bounds);
        }
    }
    let (stage, partition) = moved.map_or((Stage::Request, 0), |((stage, partition, _), _)| (stage, partition));
    let topic = ask.stream.layout().topic(stage).name.clone();
    Err(ResumeError::Unsettled { topic, partition, seconds: (span * SETTLE_ROUNDS).as_secs() })
}

/// Refuses a log that has grown while it was read.
fn stands_still(
    ask: &ResumeRequest<'_>,
    log: &mut impl Log,
    before: &ByStage<Vec<Offsets>>,
) -> Result<(), ResumeError> {
    let now = log.bounds()?;
    for ((stage, partition, now), (_, _, before)) in ask.owned(&now).into_iter().zip(ask.owned(before)) {
        if now.log_end != before.log_end {
            let topic = ask.stream.layout().topic(stage).name.clone();
            let (expected, found) = (before.log_end, now.log_end);
            return Err(KafkaError::AnotherWriter { topic, partition: partition.cast_signed(), expected, found }.into());
        }
    }
    Ok(())
}
