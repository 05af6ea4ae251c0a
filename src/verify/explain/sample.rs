//! The first records of logs, and how a stream agrees with them.

use std::time::{Duration, Instant};

use crate::generator::record::{HEADER_NAMES, Record};
use crate::generator::spec::{ByStage, Layout, Stage, StreamSpec};
use crate::generator::stream::{Position, Stream, Window};
use crate::log::record::{LogRecord, Parts};
use crate::source::{LogIndex, LogPlace, Source, SourceError};

/// So many records of each log are read, and so many logs of each topic.
const RECORDS_MAX: usize = 64;
const LOGS_MAX: usize = 64;
/// Auctions over which a stream is tried.
const AUCTIONS_MAX: u64 = 5_000;
/// At usual rates it takes about a second; at the highest, where a click may belong to millions of auctions, it is given up then.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first records of logs.
#[derive(Debug)]
pub(super) struct Sample {
    layout: Layout,
    places: Vec<LogPlace>,
    logs: Vec<Vec<LogRecord>>,
    /// The first auction that the logs should hold, where that is known.
    start: Option<u64>,
    until: Instant,
}

/// How a stream agrees with a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The logs begin with its records, without a gap.
    Whole,
    /// It has a record that the logs do not have.
    TooMany,
    /// The logs have a record that it does not have.
    TooFew,
}

impl Sample {
    /// `None` where too little is known of the records.
    pub(super) fn read(source: &mut dyn Source, start: Option<u64>) -> Result<Option<Self>, SourceError> {
        let places = source.logs().to_vec();
        let mut logs = Vec::with_capacity(places.len());
        let mut of_topic = ByStage::<usize>::default();
        for (number, place) in places.iter().enumerate() {
            let mut records = Vec::new();
            of_topic[place.stage] += 1;
            while records.len() < RECORDS_MAX && of_topic[place.stage] <= LOGS_MAX {
                let mut record = LogRecord::default();
                if !source.next(number, &mut record)? {
                    break;
                }
                if record.parts != Parts::All {
                    return Ok(None);
                }
                records.push(record);
            }
            logs.push(records);
        }
        let until = Instant::now() + PATIENCE;
        let is_known = logs.iter().any(|records| !records.is_empty());
        Ok(is_known.then(|| Self { layout: source.layout().clone(), places, logs, start, until }))
    }

    /// How the stream of a spec agrees with it; `None` once it has been looked at for too long.
    pub(super) fn fit(&self, spec: &StreamSpec) -> Option<Fit> {
        self.fit_within(spec, Stage::Request, Stage::Click)
    }

    /// The same of the stages from one to another one.
    pub(super) fn fit_within(&self, spec: &StreamSpec, first: Stage, last: Stage) -> Option<Fit> {
        let stream = Stream::new(spec, &self.layout);
        for &stage in &Stage::ALL[first.index()..=last.index()] {
            let fit = self.fit_of(&stream, stage)?;
            if fit != Fit::Whole {
                return Some(fit);
            }
        }
        Some(Fit::Whole)
    }

    fn fit_of(&self, stream: &Stream, stage: Stage) -> Option<Fit> {
        let index = LogIndex::new(&self.places);
        let place = |record: &LogRecord| {
            let key = record.key.as_deref()?;
            stream.locate(stage, record.timestamp_ms, key).into_iter().min()
        };
        // Where each log begins.
        let mut firsts: Vec<Option<Position>> = vec![None; self.logs.len()];
        for (log, records) in self.logs.iter().enumerate().filter(|&(log, _)| self.places[log].stage == stage) {
            let Some(first) = records.first() else { continue };
            if Instant::now() > self.until {
                return None;
            }
            let here = |position: &Position| index.of(stage, stream.partition(*position)) == log;
            let Some(position) = place(first).filter(here) else { return Some(Fit::TooFew) };
            firsts[log] = Some(position);
        }
        let Some(begin) = firsts.iter().flatten().min() else { return Some(Fit::Whole) };
        let lag_ms = stream.auctions().spec().lag_ms_max();
        let from = self.start.unwrap_or_else(|| stream.auctions().first_from_ms(begin.emit_ms - lag_ms));
        let mut seen = vec![0; self.logs.len()];
        let mut record = Record::default();
        for position in stream.positions(stage, Window::auctions(from, AUCTIONS_MAX)) {
            let log = index.of(stage, stream.partition(position));
            let is_begun = firsts[log].is_some_and(|first| position >= first);
            let starts_here = self.start.is_some() && self.places[log].log_start_offset.is_none();
            let Some(found) = self.logs[log].get(seen[log]).filter(|_| is_begun || starts_here) else { continue };
            stream.fill(position, &mut record);
            if !is_equal(found, &record) {
                let is_to_come = place(found).is_some_and(|found| found > position);
                return Some(if is_to_come { Fit::TooMany } else { Fit::TooFew });
            }
            seen[log] += 1;
        }
        Some(Fit::Whole)
    }

    fn records(&self) -> impl Iterator<Item = &LogRecord> {
        self.logs.iter().flatten()
    }

    pub(super) fn has_headers(&self) -> bool {
        self.records().all(|record| !record.headers.is_empty())
    }

    /// What the first record's headers say of its stream.
    pub(super) fn stream_id(&self) -> Option<String> {
        let mut headers = self.records().next()?.headers.iter();
        let (_, value) = headers.find(|(name, _)| name == HEADER_NAMES[0].as_bytes())?;
        String::from_utf8(value.clone()?).ok()
    }

    /// How many records of a stage it has.
    pub(super) fn count(&self, stage: Stage) -> usize {
        let of_stage = self.places.iter().zip(&self.logs).filter(|(place, _)| place.stage == stage);
        of_stage.map(|(_, records)| records.len()).sum()
    }
}

/// Whether two records are equal but for their headers, which name the whole stream.
fn is_equal(found: &LogRecord, expected: &Record) -> bool {
    found.timestamp_ms == expected.timestamp_ms
        && found.partition == expected.partition
        && found.key.as_deref() == Some(expected.key.as_slice())
        && found.value.as_deref() == expected.payload()
}
