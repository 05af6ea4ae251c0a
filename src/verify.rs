//! Verify: prove that logs hold exactly a window of the stream, or say what they hold instead.
//!
//! ```text
//! Stream ──> expected record ──> its log ──> held records ──> Counts, the first Difference
//!                                   ^
//!             Source (bounded queues, files, memory)
//! ```
//!
//! Generation drives: each expected record is compared with the next one of its log, byte by byte. Where they part, the found
//! record is identified: by its timestamp and key, by what its value says, by its headers. So one lost record is one difference,
//! however much follows, and what is read ahead stays small.

mod classify;
mod context;
mod edge;
mod expected_range;
mod explain;
mod finding;
mod missing;
mod read_ahead;
mod table;
mod verdict;

use self::classify::{LOOK, Log};
use self::context::Context;
use self::edge::{Edge, End};
use self::expected_range::{Begin, ExpectedRange};
pub use self::explain::{Explanation, explain};
pub use self::finding::{Class, Counts, Difference, Shown};
pub use self::verdict::{Hint, LogVerdict, Outcome, Verdict};
use crate::generator::fingerprint::Fingerprints;
use crate::generator::record::Record;
use crate::generator::spec::Stage;
use crate::generator::stream::parallel::generate_parallel;
use crate::generator::stream::{Assignment, Position, Step, Stream, Window};
use crate::log::identify::Identifier;
use crate::log::record::LogRecord;
use crate::log::shutdown::Shutdown;
use crate::source::{LogIndex, LogPlace, Source, SourceError};

/// What logs are to hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions {
    /// Exactly this window; without an end, all up to one place from its start on. `None`: a window of the stream, whichever.
    pub window: Option<Window>,
    /// Whether logs may end early: each holds a beginning of its sequence.
    pub prefix: bool,
    /// Whether the fingerprints of what the logs hold are wanted. They need keys and timestamps.
    pub fingerprint: bool,
    /// How many threads make the expected records; up to one, they are made where they are compared.
    pub threads: usize,
}

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The logs cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// They hold nothing, and nothing says what they should hold.
    #[error("there are no records, and nothing says what should be there")]
    Empty,
}

/// Compares the logs of a source with the stream. The stream's layout is the source's.
///
/// `progress` is called with the ordinal of each request that was expected, after the window, if that is bounded.
///
/// # Errors
/// If the source cannot be read, a signal asks to stop, or all logs are empty and no window is demanded.
pub fn verify(
    stream: &Stream,
    source: &mut dyn Source,
    demand: VerifyOptions,
    stop: &Shutdown,
    mut progress: impl FnMut(Window, u64),
) -> Result<Verdict, VerifyError> {
    let places = source.logs().to_vec();
    let is_bounded = demand.window.is_some_and(|window| window.end().is_some());
    let is_cut = places.iter().any(|place| place.log_start_offset.is_some());
    let is_nothing_there = |places: &[LogPlace]| !is_bounded && !is_cut && places.iter().all(|place| place.is_empty);
    if is_nothing_there(&places) {
        return Err(VerifyError::Empty);
    }
    let look = edge_records(stream);
    let tails = if is_bounded { None } else { Some(source.tails(look)?) };
    let mut fingerprints = demand.fingerprint.then(|| Fingerprints::new(stream.layout()));
    let mut logs: Vec<Log> = places.iter().enumerate().map(|(number, place)| Log::new(number, *place)).collect();
    for log in &mut logs {
        let count = if is_bounded && !is_cut { 1 } else { look };
        log.read.hold(source, &mut fingerprints, count)?;
        // A log may have offsets and no records: transactions leave their ends.
        log.place.is_empty = log.read.records() == 0;
    }
    let places: Vec<LogPlace> = logs.iter().map(|log| log.place).collect();
    if is_nothing_there(&places) {
        return Err(VerifyError::Empty);
    }
    let identifier = Identifier::new(stream);
    let span = span(stream, &identifier, &places, demand, &logs, tails.as_deref());
    let index = LogIndex::new(&places);
    let prefix = demand.prefix;
    let (found, other) = (None, Record::default());
    let mut with = Context { stream, identifier, span, found, index, source, prefix, fingerprints, stop, other };
    compare(&mut with, &mut logs, demand.threads, &mut progress)?;
    with.span.settle(stream, with.found);
    for log in &mut logs {
        log.conclude(&mut with);
    }
    Ok(Verdict::new(&with, &logs))
}

/// How many records at the ends of each log are looked at to find the window's ends. Where planned faults hold records back, the first and
/// the last auction may stand behind others.
fn edge_records(stream: &Stream) -> usize {
    /// Held in memory, of each log.
    const MAX: u64 = 24;
    let spec = stream.auctions().spec();
    let delay_ms = Stage::ALL.into_iter().map(|stage| spec.faults.delay_ms_max(stage)).max().unwrap_or(0);
    let held_back = delay_ms.unsigned_abs().saturating_mul(spec.events_per_second.micros()) / 1_000_000_000;
    LOOK + held_back.min(MAX) as usize
}

fn span(
    stream: &Stream,
    identifier: &Identifier<'_>,
    places: &[LogPlace],
    demand: VerifyOptions,
    logs: &[Log],
    tails: Option<&[Vec<LogRecord>]>,
) -> ExpectedRange {
    let look = edge_records(stream);
    let heads = Edge::new(stream, identifier, places, (End::Head, look), logs.iter().map(|log| log.read.heads()));
    let of_tails = |tails: &[Vec<LogRecord>]| {
        let records = tails.iter().map(|tail| tail.iter().collect());
        Edge::new(stream, identifier, places, (End::Tail, look), records)
    };
    let tails = tails.map(of_tails);
    ExpectedRange::infer(stream, places, demand.window, &heads, tails.as_ref())
}

fn compare(
    with: &mut Context<'_>,
    logs: &mut [Log],
    threads: usize,
    progress: &mut impl FnMut(Window, u64),
) -> Result<(), SourceError> {
    let window = with.span.window;
    if with.span.begins.iter().all(|&begin| begin == Begin::Nothing) {
        return Ok(());
    }
    let (stream, last) = (with.stream, with.span.last);
    let part = Assignment::from(window);
    let records = match with.span.first(stream) {
        Some(first) => stream.assigned_records_from(&part, first),
        None => stream.assigned_records(&part),
    };
    generate_parallel(records, threads, |records| -> Result<(), SourceError> {
        let mut expected = Record::default();
        while records.step(&mut expected) == Step::Record && last.is_none_or(|last| Position::from(&expected) <= last) {
            if expected.stage == Stage::Request {
                progress(window, expected.ordinal);
            }
            let log = with.index.of(expected.stage, expected.partition);
            if !logs[log].expect(with, &expected)? && with.prefix && have_ended(with, logs)? {
                break;
            }
        }
        Ok(())
    })?;
    logs.iter_mut().try_for_each(|log| log.finish(with))
}

fn have_ended(with: &mut Context<'_>, logs: &mut [Log]) -> Result<bool, SourceError> {
    for log in logs {
        if !log.has_ended(with)? {
            return Ok(false);
        }
    }
    Ok(true)
}
