//! Verify sees everything, and nothing that is not there: each way to damage a log, at seeded random places of random streams, is
//! named rightly; clean logs are found clean. With planned faults and without: a damage done to a stream that repeats its records is
//! still told from what the stream does itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "how often a damage is told otherwise is shown with --nocapture")]

mod command_line;
mod damage;
mod files;
mod inference;

use mock_data_gen::generator::spec::{FaultPlan, Faults, KeyBy, Layout, Partitions, Stage, StreamSpec, Topic};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::source::memory::Memory;
use mock_data_gen::verify::{Class, Counts, Verdict, VerifyOptions, verify};

use crate::choices::Choices;

/// Places at which each damage is done.
const PLACES: u64 = 100;
/// Of damages to streams that repeat their records so many may be told in another way than they were done.
const OTHERWISE_PERCENT_MAX: usize = 5;
/// Heads and tails that the window is inferred from; damage there can change what is inferred.
const EDGE: usize = 8;

/// Faults of all kinds, each often off.
fn faults(choices: &mut Choices) -> FaultPlan {
    let spread = ["0", "0.1:20s", "0.3:2s", "0.5:300ms"];
    let share = ["0", "0", "0.05", "0.3"];
    let faults = Faults {
        late: choices.of(&spread).parse().unwrap(),
        duplicates: choices.of(&["0", "0.1:20s", "0.3:2s", "0.5:5ms", "1:1s"]).parse().unwrap(),
        conflicts: choices.of(&spread).parse().unwrap(),
        orphans: choices.of(&share).parse().unwrap(),
        boundary: choices.of(&["0", "0.2", "0.5:1ms,200ms,2s"]).parse().unwrap(),
        malformed: choices.of(&share).parse().unwrap(),
        invalid: choices.of(&share).parse().unwrap(),
        tombstones: choices.of(&share).parse().unwrap(),
        idle: ["", "impression:10s:20s", "request:5s:5s"].map(|text| text.parse().ok())[choices.index(3)],
        hot_user: choices.of(&["0", "0.5", "1"]).parse().unwrap(),
    };
    faults.try_into().unwrap()
}

/// A random stream with planned faults, and a window of it.
fn faulty_stream(choices: &mut Choices) -> (Stream, Window) {
    let (plain, wanted) = stream(choices);
    let mut spec = StreamSpec { faults: faults(choices), ..plain.auctions().spec().clone() };
    if spec.events_per_second.micros() > 50_500_000 {
        // What can stand at a click's time is searched for every record at the ends.
        spec.events_per_second = "50.5".parse().unwrap();
    }
    if choices.index(3) == 0 {
        spec.key_by = KeyBy::User;
    }
    // An idle stage is so from the epoch on.
    let start = if spec.faults.idle.is_some() { choices.index(20) as u64 } else { wanted.start() };
    let count = wanted.end().unwrap() - wanted.start();
    (Stream::new(&spec, plain.layout()), Window::auctions(start, count))
}

/// A random stream, and a window of it.
fn stream(choices: &mut Choices) -> (Stream, Window) {
    let spec = StreamSpec {
        seed: choices.next(),
        epoch: choices.of(&["2026-01-01T00:00:00Z", "1999-12-31T23:59:59.999Z"]).parse().unwrap(),
        events_per_second: choices.of(&["0.5", "3", "10", "50.5", "200"]).parse().unwrap(),
        bid_response_rate: choices.of(&["0.6", "1", "0.3"]).parse().unwrap(),
        win_rate: choices.of(&["0.15", "0.5", "1"]).parse().unwrap(),
        click_rate: choices.of(&["0.02", "0.5", "1"]).parse().unwrap(),
        key_by: if choices.index(2) == 0 { KeyBy::Id } else { KeyBy::Request },
        headers: choices.index(2) == 0,
        ..StreamSpec::default()
    };
    let topic = |topic: Topic| Topic { partitions: Partitions::new(1 + choices.index(6) as u32).unwrap(), ..topic };
    let layout = Layout::new(Layout::default().topics().clone().map(topic)).unwrap();
    let (start, count) = (choices.next() % 1_000_000_000, 100 + choices.next() % 300);
    (Stream::new(&spec, &layout), Window::auctions(start, count))
}

/// Logs of a layout's partitions, by stage and partition.
type Logs = Vec<Vec<LogRecord>>;

fn logs(stream: &Stream, records: impl Iterator<Item = mock_data_gen::generator::record::Record>) -> Logs {
    let layout = stream.layout();
    let firsts = Stage::ALL.map(|stage| {
        Stage::ALL[..stage.index()]
            .iter()
            .map(|&before| layout.topic(before).partitions.count() as usize)
            .sum::<usize>()
    });
    let count = layout.topics().iter().map(|topic| topic.partitions.count() as usize).sum();
    let mut logs = vec![Vec::new(); count];
    for record in records {
        let log: &mut Vec<LogRecord> = &mut logs[firsts[record.stage.index()] + record.partition as usize];
        log.push(LogRecord::of(&record, log.len() as i64));
    }
    logs
}

/// Offsets as a broker gives them, and the partition that it is.
fn renumber(stream: &Stream, logs: &mut Logs) {
    let layout = stream.layout();
    let partitions = Stage::ALL.into_iter().flat_map(|stage| 0..layout.topic(stage).partitions.count());
    for (partition, log) in partitions.zip(logs) {
        for (offset, record) in (0..).zip(log) {
            record.offset = offset;
            record.partition = partition;
        }
    }
}

fn verdict(stream: &Stream, logs: &Logs, demand: VerifyOptions) -> Verdict {
    let mut source = Memory::new(stream.layout(), logs.clone());
    verify(stream, &mut source, demand, &Shutdown::default(), |_, _| {}).unwrap()
}

fn window(window: Window) -> VerifyOptions {
    VerifyOptions { window: Some(window), ..VerifyOptions::default() }
}

/// Counts in one order: records, matched, missing, extra, duplicated, reordered, altered, foreign.
fn plain(c: &Counts) -> [u64; 8] {
    [c.records, c.matched, c.missing, c.extra, c.duplicated, c.reordered, c.altered, c.foreign]
}

fn one(class: Class) -> Counts {
    let mut counts = Counts::default();
    match class {
        Class::Missing => counts.missing = 1,
        Class::Extra => counts.extra = 1,
        Class::Duplicated => counts.duplicated = 1,
        Class::Reordered => counts.reordered = 1,
        Class::Altered => counts.altered = 1,
        Class::Foreign => counts.foreign = 1,
    }
    counts
}

/// Logs of a plain stream, from its first auction on.
fn plain_logs(count: u64) -> (Stream, Logs) {
    let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    let logs = logs(&stream, stream.records(Window::auctions(0, count)));
    (stream, logs)
}

/// Flips one bit; gives the byte.
fn flip(choices: &mut Choices, bytes: &mut [u8]) -> usize {
    let byte = choices.index(bytes.len());
    bytes[byte] ^= 1 << choices.index(8);
    byte
}

/// The window that a verdict is about.
fn window_of(verdict: &Verdict) -> (u64, Option<u64>) {
    let json = serde_json::to_value(verdict).unwrap();
    let number = |name: &str| json["window"][name].as_u64();
    (number("first_ordinal").unwrap_or(0), number("end_ordinal"))
}
