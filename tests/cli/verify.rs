//! Verify sees everything, and nothing that is not there: each way to damage a log, at seeded random places of random streams, is
//! named rightly; clean logs are found clean. With planned faults and without: a damage done to a stream that repeats its records is
//! still told from what the stream does itself.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "how often a damage is told otherwise is shown with --nocapture")]

use mock_data_gen::generator::spec::{FaultPlan, Faults, KeyBy, Layout, Partitions, Stage, StreamSpec, Topic};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::sink::Sink;
use mock_data_gen::source::memory::Memory;
use mock_data_gen::source::{LogPlace, Source, SourceError};
use mock_data_gen::verify::{
    Class, Counts, Explanation, Outcome, Verdict, VerifyError, VerifyOptions, explain, verify,
};

/// Places at which each damage is done.
const PLACES: u64 = 100;
/// Of damages to streams that repeat their records so many may be told in another way than they were done.
const OTHERWISE_PERCENT_MAX: usize = 5;
/// Heads and tails that the window is inferred from; damage there can change what is inferred.
const EDGE: usize = 8;

/// `SplitMix64`: a test's choices follow from its seed.
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

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
        idle: ["", "impression:10s:20s", "request:5s:5s"].map(|text| text.parse().ok())[choices.below(3)],
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
    if choices.below(3) == 0 {
        spec.key_by = KeyBy::User;
    }
    // An idle stage is so from the epoch on.
    let start = if spec.faults.idle.is_some() { choices.below(20) as u64 } else { wanted.start() };
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
        key_by: if choices.below(2) == 0 { KeyBy::Id } else { KeyBy::Request },
        headers: choices.below(2) == 0,
        ..StreamSpec::default()
    };
    let topic = |topic: Topic| Topic { partitions: Partitions::new(1 + choices.below(6) as u32).unwrap(), ..topic };
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

/// What a damage is to be called.
#[derive(Debug)]
struct Expected {
    counts: Counts,
    log: usize,
    class: Class,
    offset: Option<i64>,
    part: Option<(&'static str, Option<usize>)>,
}

/// What a damage to a stream that repeats its records is to be called.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Faulty {
    /// The same as in any other.
    Alike,
    /// So too, or less: what is moved may stand for its equal.
    AtMost,
    /// Something.
    Any,
}

/// Random streams, each with one place that is neither among the first nor among the last records of its log; without faults and with.
fn places(
    seed: u64,
    faulty: Faulty,
    mut damage: impl FnMut(&mut Choices, &Stream, &mut Logs, usize, usize) -> Option<Expected>,
) {
    for with_faults in [None, Some(faulty)] {
        let (mut done, mut told, mut otherwise) = (0, 0, 0);
        let mut round = 0;
        while done < PLACES {
            round += 1;
            assert!(round < 20 * PLACES, "no place to damage");
            let mut choices = Choices(seed * 1_000_000 + round + if with_faults.is_some() { 500_000 } else { 0 });
            let (stream, wanted) =
                if with_faults.is_some() { faulty_stream(&mut choices) } else { stream(&mut choices) };
            let clean = logs(&stream, stream.records(wanted));
            let log = choices.below(clean.len());
            let Some(room) = clean[log].len().checked_sub(2 * EDGE + 4).filter(|&room| room > 0) else { continue };
            let at = EDGE + 2 + choices.below(room);
            let mut damaged = clean.clone();
            let Some(mut expected) = damage(&mut choices, &stream, &mut damaged, log, at) else { continue };
            renumber(&stream, &mut damaged);
            if with_faults.is_some() {
                // Where records are equal, what was lost or added is the last of them.
                let Some(first) = first_difference(&clean[expected.log], &damaged[expected.log]) else { continue };
                expected.offset = Some(first as i64);
            }
            let total = clean.iter().map(Vec::len).sum::<usize>() as u64;
            for demand in [window(wanted), VerifyOptions::default()] {
                let found = verdict(&stream, &damaged, demand);
                let at =
                    format!("seed {seed}, round {round}, log {log}, at {at}, {demand:?}, {with_faults:?}: {found}");
                let records = damaged.iter().map(Vec::len).sum::<usize>() as u64;
                if with_faults.is_some() && window_of(&found) != (wanted.start(), wanted.end()) {
                    // What is left shows another window.
                    assert!(demand.window.is_none(), "{at}");
                    continue;
                }
                assert_counted(&found, (total, records), &at);
                let why = named_otherwise(&found, &expected, (total, records), with_faults.unwrap_or(Faulty::Alike));
                assert!(why.is_none() || with_faults.is_some(), "{why:?} {at}");
                told += 1;
                otherwise += usize::from(why.is_some());
            }
            done += 1;
        }
        // Where records stand twice, the same log can come about in more than one way, and seldom another one is told.
        println!("damage {seed}, {with_faults:?}: {otherwise} of {told} told otherwise");
        assert!(otherwise * 100 <= told * OTHERWISE_PERCENT_MAX, "{otherwise} of {told} told otherwise");
    }
}

/// Damage is never taken for sound, and each record, found or expected, is counted once.
fn assert_counted(found: &Verdict, (total, records): (u64, u64), at: &str) {
    let f = found.counts();
    assert!(!found.is_clean() && f.differences() > 0, "{at}");
    assert_eq!(f.records, records, "{at}");
    assert_eq!(f.matched + f.extra + f.duplicated + f.reordered + f.altered + f.foreign, records, "{at}");
    assert_eq!(f.matched + f.missing + f.reordered + f.altered, total, "{at}");
}

/// In what a damage is named otherwise than expected.
fn named_otherwise(
    found: &Verdict,
    expected: &Expected,
    (total, records): (u64, u64),
    faulty: Faulty,
) -> Option<&'static str> {
    let (c, f) = (expected.counts, found.counts());
    let matched = total - c.missing - c.reordered - c.altered;
    let are_right = match faulty {
        Faulty::Alike => plain(f) == plain(&Counts { matched, records, ..c }),
        Faulty::AtMost => plain(f)[2..].iter().zip(&plain(&c)[2..]).all(|(found, expected)| found <= expected),
        Faulty::Any => return None,
    };
    let Some(first) = &found.logs()[expected.log].first_difference else { return Some("no first difference") };
    let part = first.divergence.as_ref().map(|parting| (parting.part, parting.byte));
    match () {
        () if !are_right => Some("counts"),
        () if (first.class, first.offset) != (expected.class, expected.offset) => Some("first difference"),
        () if expected.part.is_some() && part != expected.part => Some("part"),
        () => None,
    }
}

/// The first record in which two logs differ, for a reader.
fn first_difference(clean: &[LogRecord], damaged: &[LogRecord]) -> Option<usize> {
    let seen = |record: &LogRecord| LogRecord { offset: 0, ..record.clone() };
    let same = clean.iter().map(seen).zip(damaged.iter().map(seen)).take_while(|(a, b)| a == b).count();
    (same < clean.len().max(damaged.len())).then_some(same)
}

/// The window that a verdict is about.
fn window_of(verdict: &Verdict) -> (u64, Option<u64>) {
    let json = serde_json::to_value(verdict).unwrap();
    let number = |name: &str| json["window"][name].as_u64();
    (number("first_ordinal").unwrap_or(0), number("end_ordinal"))
}

/// Counts in one order: records, matched, missing, extra, duplicated, reordered, altered, foreign.
fn plain(c: &Counts) -> [u64; 8] {
    [c.records, c.matched, c.missing, c.extra, c.duplicated, c.reordered, c.altered, c.foreign]
}

fn expect(counts: Counts, log: usize, class: Class, offset: usize) -> Expected {
    Expected { counts, log, class, offset: Some(offset as i64), part: None }
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

#[test]
fn a_lost_record_is_one_missing() {
    places(1, Faulty::Alike, |_, _, logs, log, at| {
        logs[log].remove(at);
        Some(expect(one(Class::Missing), log, Class::Missing, at))
    });
}

#[test]
fn a_lost_batch_is_so_many_missing() {
    places(2, Faulty::Alike, |choices, _, logs, log, at| {
        let count = 1 + choices.below(logs[log].len() - EDGE - at);
        logs[log].drain(at..at + count);
        Some(expect(Counts { missing: count as u64, ..Counts::default() }, log, Class::Missing, at))
    });
}

#[test]
fn a_doubled_record_is_one_duplicated() {
    places(3, Faulty::Alike, |choices, _, logs, log, at| {
        let doubled = logs[log][at].clone();
        let place = at + 1 + choices.below(logs[log].len() - EDGE - at);
        logs[log].insert(place, doubled);
        Some(expect(one(Class::Duplicated), log, Class::Duplicated, place))
    });
}

#[test]
fn a_doubled_batch_is_so_many_duplicated() {
    places(4, Faulty::Alike, |choices, _, logs, log, at| {
        let count = 1 + choices.below(logs[log].len() - EDGE - at);
        let batch = logs[log][at..at + count].to_vec();
        logs[log].splice(at + count..at + count, batch);
        let counts = Counts { duplicated: count as u64, ..Counts::default() };
        Some(expect(counts, log, Class::Duplicated, at + count))
    });
}

#[test]
fn two_neighbours_that_changed_places_are_one_reordered() {
    places(5, Faulty::Alike, |_, _, logs, log, at| {
        logs[log].swap(at, at + 1);
        Some(expect(one(Class::Reordered), log, Class::Reordered, at))
    });
}

#[test]
fn two_records_that_changed_places_from_afar_are_two_reordered() {
    places(6, Faulty::AtMost, |choices, _, logs, log, at| {
        let room = (logs[log].len() - EDGE).checked_sub(at + 2).filter(|&room| room > 0)?;
        logs[log].swap(at, at + 2 + choices.below(room));
        Some(expect(Counts { reordered: 2, ..Counts::default() }, log, Class::Reordered, at))
    });
}

#[test]
fn a_record_that_came_too_late_or_too_early_is_one_reordered() {
    places(7, Faulty::Alike, |choices, _, logs, log, at| {
        let to = EDGE + choices.below(logs[log].len() - 2 * EDGE);
        if at.abs_diff(to) < 2 {
            return None;
        }
        let moved = logs[log].remove(at);
        logs[log].insert(to, moved);
        Some(expect(one(Class::Reordered), log, Class::Reordered, at.min(to)))
    });
}

/// Flips one bit; gives the byte.
fn flip(choices: &mut Choices, bytes: &mut [u8]) -> usize {
    let byte = choices.below(bytes.len());
    bytes[byte] ^= 1 << choices.below(8);
    byte
}

#[test]
fn a_flipped_bit_in_a_key_is_one_altered() {
    places(8, Faulty::Alike, |choices, _, logs, log, at| {
        let byte = flip(choices, logs[log][at].key.as_mut().unwrap());
        let expected = expect(one(Class::Altered), log, Class::Altered, at);
        Some(Expected { part: Some(("key", Some(byte))), ..expected })
    });
}

#[test]
fn a_flipped_bit_in_a_value_is_one_altered() {
    places(9, Faulty::Alike, |choices, _, logs, log, at| {
        let byte = flip(choices, logs[log][at].value.as_mut()?);
        let expected = expect(one(Class::Altered), log, Class::Altered, at);
        Some(Expected { part: Some(("value", Some(byte))), ..expected })
    });
}

#[test]
fn another_timestamp_is_one_altered() {
    places(10, Faulty::Alike, |choices, _, logs, log, at| {
        logs[log][at].timestamp_ms += [-3_600_000, -1, 1, 7, 86_400_000][choices.below(5)];
        let expected = expect(one(Class::Altered), log, Class::Altered, at);
        Some(Expected { part: Some(("timestamp", None)), ..expected })
    });
}

#[test]
fn another_header_is_one_altered() {
    places(11, Faulty::Alike, |choices, stream, logs, log, at| {
        let headers = &mut logs[log][at].headers;
        let part = if stream.auctions().spec().headers && choices.below(2) == 0 {
            // The last one is the copy: one bit more makes its equal of a record.
            let header = choices.below(headers.len() - 1);
            let byte = flip(choices, headers[header].1.as_mut().unwrap());
            ("header", Some(byte))
        } else if stream.auctions().spec().headers {
            headers.pop();
            ("headers", None)
        } else {
            headers.push((b"trace".to_vec(), None));
            ("headers", None)
        };
        Some(Expected { part: Some(part), ..expect(one(Class::Altered), log, Class::Altered, at) })
    });
}

#[test]
fn a_tombstone_in_place_of_a_record_is_one_altered() {
    places(12, Faulty::Alike, |_, _, logs, log, at| {
        logs[log][at].value.take()?;
        let expected = expect(one(Class::Altered), log, Class::Altered, at);
        Some(Expected { part: Some(("value", Some(0))), ..expected })
    });
}

#[test]
fn a_record_in_another_partition_is_missing_there_and_extra_here() {
    places(13, Faulty::Alike, |choices, stream, logs, log, at| {
        let layout = stream.layout();
        let stages = Stage::ALL.into_iter();
        let stages = stages.flat_map(|stage| vec![stage; layout.topic(stage).partitions.count() as usize]);
        let stages: Vec<Stage> = stages.collect();
        let others = (0..logs.len()).filter(|&other| other != log && stages[other] == stages[log]);
        let others: Vec<usize> = others.filter(|&other| logs[other].len() > 2 * EDGE).collect();
        let other = *others.get(choices.below(others.len().max(1)))?;
        let moved = logs[log].remove(at);
        let place = EDGE + choices.below(logs[other].len() - 2 * EDGE);
        logs[other].insert(place, moved);
        let counts = Counts { missing: 1, extra: 1, ..Counts::default() };
        Some(if choices.below(2) == 0 {
            expect(counts, log, Class::Missing, at)
        } else {
            expect(counts, other, Class::Extra, place)
        })
    });
}

/// A record that nothing of this stream says of itself.
fn foreign(choices: &mut Choices, stream: &Stream, near: &LogRecord) -> LogRecord {
    let spec = stream.auctions().spec();
    match choices.below(4) {
        0 => LogRecord { key: None, value: None, headers: Vec::new(), ..near.clone() },
        1 => {
            LogRecord { key: Some(b"k".to_vec()), value: Some(b"hello".to_vec()), headers: Vec::new(), ..near.clone() }
        }
        2 => LogRecord {
            timestamp_ms: 0,
            key: Some(vec![0xff; 36]),
            value: Some(br#"{"id":"x","event_timestamp":"soon"}"#.to_vec()),
            headers: Vec::new(),
            ..near.clone()
        },
        _ => {
            let other = Stream::new(&StreamSpec { seed: spec.seed ^ 1, ..spec.clone() }, stream.layout());
            let record = other.records(Window::auctions(choices.next() % 1_000_000, 100)).next().unwrap();
            LogRecord { timestamp_ms: near.timestamp_ms, ..LogRecord::of(&record, 0) }
        }
    }
}

#[test]
fn a_foreign_record_in_the_middle_is_one_foreign() {
    places(14, Faulty::Alike, |choices, stream, logs, log, at| {
        let foreign = foreign(choices, stream, &logs[log][at]);
        logs[log].insert(at, foreign);
        Some(expect(one(Class::Foreign), log, Class::Foreign, at))
    });
}

#[test]
fn a_lost_record_before_an_altered_one_is_one_of_each() {
    places(15, Faulty::Any, |choices, _, logs, log, at| {
        flip(choices, logs[log][at + 1].key.as_mut().unwrap());
        logs[log].remove(at);
        Some(expect(Counts { missing: 1, altered: 1, ..Counts::default() }, log, Class::Missing, at))
    });
}

#[test]
fn a_truncated_tail_is_so_many_missing_at_the_end() {
    for round in 0..PLACES {
        let mut choices = Choices(16_000_000 + round);
        let (stream, wanted) = stream(&mut choices);
        let mut logs = logs(&stream, stream.records(wanted));
        let filled: Vec<usize> = (0..logs.len()).filter(|&log| !logs[log].is_empty()).collect();
        let log = filled[choices.below(filled.len())];
        let count = 1 + choices.below(logs[log].len());
        let kept = logs[log].len() - count;
        logs[log].truncate(kept);
        let found = verdict(&stream, &logs, window(wanted));
        let counts = plain(found.counts());
        assert_eq!(counts[2..], [count as u64, 0, 0, 0, 0, 0], "round {round}: {found}");
        let end = &found.logs()[log];
        assert_eq!(end.missing_at_end, count as u64, "round {round}: {found}");
        let first = end.first_difference.as_ref().unwrap();
        let behind = kept.checked_sub(1).map(|last| last as i64);
        assert_eq!((first.class, first.offset, first.behind), (Class::Missing, None, behind), "round {round}: {found}");
        // A log that still grows holds a beginning.
        let grows = verdict(&stream, &logs, VerifyOptions { prefix: true, ..window(wanted) });
        assert!(grows.is_clean(), "round {round}: {grows}");
    }
}

#[test]
fn records_of_another_seed_are_all_foreign_and_that_is_said_once() {
    for round in 0..PLACES {
        let mut choices = Choices(17_000_000 + round);
        let (stream, wanted) = stream(&mut choices);
        let spec =
            StreamSpec { seed: stream.auctions().spec().seed.wrapping_add(1), ..stream.auctions().spec().clone() };
        let other = Stream::new(&spec, stream.layout());
        let logs = logs(&other, other.records(wanted));
        let total = logs.iter().map(Vec::len).sum::<usize>() as u64;
        let found = verdict(&stream, &logs, VerifyOptions::default());
        assert_eq!(plain(found.counts()), [total, 0, 0, 0, 0, 0, 0, total], "round {round}: {found}");
        assert_eq!(found.to_string().matches("none of the records is of this stream").count(), 1, "{found}");
        let asked = verdict(&stream, &logs, window(wanted));
        let expected = stream.records(wanted).count() as u64;
        assert_eq!(plain(asked.counts()), [total, 0, expected, 0, 0, 0, 0, total], "round {round}: {asked}");
    }
}

#[test]
fn clean_logs_raise_no_alarm() {
    for round in 0..1_300 {
        let mut choices = Choices(18_000_000 + round);
        let (stream, wanted) = if round < 1_000 { stream(&mut choices) } else { faulty_stream(&mut choices) };
        let kind = choices.below(6);
        let start = wanted.start();
        let without_end = stream.records(Window::unbounded(start));
        let (logs, demand) = match kind {
            0 => (logs(&stream, stream.records(wanted)), window(wanted)),
            1 => (logs(&stream, stream.records(wanted)), VerifyOptions::default()),
            2 | 3 => {
                let stopped = logs(&stream, without_end.take(1 + choices.below(900)));
                (stopped, if kind == 2 { VerifyOptions::default() } else { window(Window::unbounded(start)) })
            }
            4 => {
                // A log that still grows: each partition as far as it got.
                let mut grown = logs(&stream, without_end.take(900));
                for log in &mut grown {
                    let kept = choices.below(log.len() + 1);
                    log.truncate(kept.max(usize::from(!log.is_empty())));
                }
                (grown, VerifyOptions { prefix: true, ..window(Window::unbounded(start)) })
            }
            _ => {
                // Retention has cut some heads off; each partition keeps something.
                let mut cut = logs(&stream, without_end.take(900));
                for log in &mut cut {
                    if choices.below(3) > 0 && !log.is_empty() {
                        let gone = choices.below(log.len());
                        log.drain(..gone);
                    }
                }
                (cut, if choices.below(2) == 0 { VerifyOptions::default() } else { window(Window::unbounded(start)) })
            }
        };
        let found = verdict(&stream, &logs, demand);
        assert!(found.is_clean(), "round {round}, kind {kind}, {wanted:?}: {found}");
        let total = logs.iter().map(Vec::len).sum::<usize>() as u64;
        assert_eq!(
            (found.counts().records, found.counts().matched),
            (total, total),
            "round {round}, kind {kind}: {found}"
        );
    }
}

/// Logs of a plain stream, from its first auction on.
fn plain_logs(count: u64) -> (Stream, Logs) {
    let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    let logs = logs(&stream, stream.records(Window::auctions(0, count)));
    (stream, logs)
}

#[test]
fn a_lost_head_is_seen_where_retention_has_cut_other_partitions() {
    let (stream, mut logs) = plain_logs(2_000);
    // Retention cut the first partition of the requests; the last one of the impressions was never cut, and misses its beginning.
    let lost = 17;
    assert!(logs[lost].len() > 20);
    logs[0].drain(..20);
    assert!(verdict(&stream, &logs, VerifyOptions::default()).is_clean());
    let beginning = logs[lost].len() / 2;
    logs[lost].drain(..beginning);
    for (offset, record) in (0..).zip(&mut logs[lost]) {
        record.offset = offset;
    }
    let found = verdict(&stream, &logs, VerifyOptions::default());
    assert_eq!((found.is_clean(), found.counts().missing), (false, beginning as u64), "{found}");
}

#[test]
fn a_block_that_moved_and_was_doubled_in_part_is_counted_once() {
    let (stream, mut logs) = plain_logs(400);
    let clean = logs[0].clone();
    assert!(clean.len() > 40);
    // 20 to 26 as 22, 20, 24, 25, 21, 22, 23, and with 26 behind them.
    for (place, from) in (20..).zip([22, 20, 24, 25, 21, 22, 23]) {
        logs[0][place] = clean[from].clone();
    }
    logs[0].insert(27, clean[26].clone());
    for (offset, record) in (0..).zip(&mut logs[0]) {
        record.offset = offset;
    }
    for demand in [VerifyOptions::default(), window(Window::auctions(0, 400))] {
        let found = verdict(&stream, &logs, demand);
        let counts = found.counts();
        assert_eq!((counts.missing, counts.duplicated, counts.foreign), (0, 1, 0), "{found}");
        assert_eq!(counts.matched + counts.reordered + counts.duplicated, counts.records, "{found}");
    }
}

#[test]
fn a_prefix_of_a_run_under_way_is_clean_whatever_it_ends_with() {
    let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    let records: Vec<_> = stream.records(Window::auctions(0, 3_000)).collect();
    for count in (100..records.len()).step_by(97) {
        let mut logs = logs(&stream, records[..count].iter().cloned());
        // Partitions are written at their own pace.
        for (index, log) in logs.iter_mut().enumerate() {
            log.truncate(log.len() - (index * 7 % 5).min(log.len().saturating_sub(9)));
        }
        let found = verdict(&stream, &logs, VerifyOptions { prefix: true, ..VerifyOptions::default() });
        assert!(found.is_clean(), "{count}: {found}");
    }
}

#[test]
fn the_fingerprint_is_the_runs() {
    let mut choices = Choices(19);
    let (stream, wanted) = stream(&mut choices);
    let mut fingerprints = mock_data_gen::generator::fingerprint::Fingerprints::new(stream.layout());
    stream.records(wanted).for_each(|record| fingerprints.add(&record));
    let logs = logs(&stream, stream.records(wanted));
    let found = verdict(&stream, &logs, VerifyOptions { fingerprint: true, ..window(wanted) });
    assert_eq!(found.fingerprint(), Some(fingerprints.total()));
    let mut by_partition: Vec<_> =
        found.logs().iter().filter_map(|log| Some((log.topic.clone(), log.partition?, log.fingerprint?))).collect();
    by_partition.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let expected: Vec<_> =
        fingerprints.partitions().map(|(topic, partition, digest)| (topic.clone(), partition, digest)).collect();
    assert_eq!(by_partition, expected);
}

/// A random stream with planned faults of which much is held back for long: more records than the ends are looked at for.
fn held_back_stream(choices: &mut Choices) -> (Stream, Window) {
    let (plain, _) = faulty_stream(choices);
    let mut faults = Faults::clone(&plain.auctions().spec().faults);
    faults.late = choices.of(&["1:20s", "0.9:5s", "0.5:20s", "0.05:20s"]).parse().unwrap();
    faults.duplicates = choices.of(&["0", "0.2", "1:20s"]).parse().unwrap();
    faults.idle = choices.of(&["", "", "request:2s:10s", "response:100ms:30s"]).parse().ok();
    let spec = StreamSpec {
        events_per_second: choices.of(&["50.5", "200", "400"]).parse().unwrap(),
        // What can stand at a click's time is searched for every record at the ends.
        click_rate: "0.02".parse().unwrap(),
        faults: faults.try_into().unwrap(),
        ..plain.auctions().spec().clone()
    };
    let start = if choices.below(2) == 0 { 0 } else { choices.next() % 1_000_000_000 };
    let start = if spec.faults.idle.is_some() { choices.below(20) as u64 } else { start };
    (Stream::new(&spec, plain.layout()), Window::auctions(start, 100 + choices.next() % 2_000))
}

#[test]
fn a_whole_window_and_a_stopped_one_are_inferred_whatever_is_held_back() {
    for round in first_round()..first_round() + rounds(24) {
        let mut choices = Choices(23_000_000 + round);
        let (stream, wanted) = held_back_stream(&mut choices);
        let whole = logs(&stream, stream.records(wanted));
        let total = whole.iter().map(Vec::len).sum::<usize>();
        let found = verdict(&stream, &whole, VerifyOptions::default());
        let at = format!("round {round}, {wanted:?}, {:?}, {found}", stream.auctions().spec());
        assert!(found.is_clean() && found.counts().matched == total as u64, "{at}");
        // From the first to the last auction that has a record.
        let (start, end) = window_of(&found);
        let held: Vec<u64> = stream.records(wanted).map(|record| record.ordinal).collect();
        assert_eq!(Some(&start), held.iter().min(), "{at}");
        assert!(end.is_none() || end == held.iter().max().map(|last| last + 1), "{at}");

        let count = 1 + choices.below(total);
        let stopped = logs(&stream, stream.records(Window::unbounded(wanted.start())).take(count));
        let found = verdict(&stream, &stopped, VerifyOptions::default());
        assert!(found.is_clean() && found.counts().matched == count as u64, "stopped at {count}, {at}: {found}");
    }
}

fn first_round() -> u64 {
    std::env::var("VERIFY_FIRST").map_or(0, |text| text.parse().unwrap())
}

fn rounds(usual: u64) -> u64 {
    std::env::var("VERIFY_ROUNDS").map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn an_extra_record_of_the_last_auction_before_many_others_ends_no_window_early() {
    let spec = StreamSpec {
        seed: 5_224_961_950_044_773_298,
        events_per_second: "5000".parse().unwrap(),
        key_by: KeyBy::User,
        headers: true,
        faults: Faults {
            late: "1:20s".parse().unwrap(),
            duplicates: "0.2".parse().unwrap(),
            malformed: "0.01".parse().unwrap(),
            ..Faults::default()
        }
        .try_into()
        .unwrap(),
        ..StreamSpec::default()
    };
    let mut counts = [7, 2, 50, 13].into_iter();
    let topic = |topic: Topic| Topic { partitions: Partitions::new(counts.next().unwrap()).unwrap(), ..topic };
    let stream = Stream::new(&spec, &Layout::new(Layout::default().topics().clone().map(topic)).unwrap());
    let whole = logs(&stream, stream.records(Window::auctions(0, 40_000)));
    let found = verdict(&stream, &whole, VerifyOptions::default());
    assert!(found.is_clean(), "{found}");
    assert_eq!(window_of(&found), (0, Some(40_000)), "{found}");
}

/// Logs whose beginnings were removed before offsets of their own, as a broker shows them.
fn cut(stream: &Stream, logs: &Logs, removed: impl Fn(usize, usize) -> usize) -> Memory {
    let mut left = logs.clone();
    let removed_to: Vec<usize> = (0..).zip(logs).map(|(log, records)| removed(log, records.len())).collect();
    for (log, &offset) in left.iter_mut().zip(&removed_to) {
        log.drain(..offset);
    }
    let source = Memory::new(stream.layout(), left);
    (0..).zip(removed_to).fold(source, |source, (log, offset)| source.removed_before(log, offset as i64))
}

fn judged(stream: &Stream, mut source: Memory, demand: VerifyOptions) -> Verdict {
    verify(stream, &mut source, demand, &Shutdown::default(), |_, _| {}).unwrap()
}

#[test]
fn what_was_removed_is_counted_and_is_not_said_to_be_verified() {
    for round in 0..PLACES {
        let mut choices = Choices(24_000_000 + round);
        let (stream, wanted) = stream(&mut choices);
        let whole = logs(&stream, stream.records(wanted));
        // Some partitions lose their beginnings, some everything.
        let mut lows = Vec::new();
        for log in &whole {
            lows.push(match choices.below(3) {
                0 => 0,
                1 => choices.below(log.len() + 1),
                _ => log.len(),
            });
        }
        let offsets = lows.iter().sum::<usize>();
        let total = whole.iter().map(Vec::len).sum::<usize>();
        let partitions = lows.iter().filter(|&&low| low > 0).count();
        let found = judged(&stream, cut(&stream, &whole, |log, _| lows[log]), window(wanted));
        assert_eq!(found.counts().differences(), 0, "round {round}: {found}");
        assert_eq!(found.counts().matched as usize, total - offsets, "round {round}: {found}");
        let json = serde_json::to_value(&found).unwrap();
        let text = found.to_string();
        if offsets == 0 {
            assert!(json["not_compared"].is_null() && !text.contains("not compared"), "round {round}: {found}");
            continue;
        }
        assert_eq!(json["not_compared"]["offsets"], offsets, "round {round}: {found}");
        assert_eq!(json["not_compared"]["partitions"], partitions, "round {round}: {found}");
        assert_eq!(text.lines().filter(|line| line.starts_with("not compared ")).count(), partitions, "{found}");
        let last = text.lines().last().unwrap();
        assert!(last.ends_with("removed before and not compared"), "round {round}: {found}");
        let is_left = offsets < total;
        assert_eq!(found.is_clean(), is_left, "round {round}: {found}");
        assert_eq!(json["outcome"], if is_left { "verified" } else { "nothing_compared" }, "round {round}: {found}");
    }
}

#[test]
fn where_everything_was_removed_nothing_is_verified_whatever_is_asked() {
    let (stream, logs) = plain_logs(500);
    let demands = [
        VerifyOptions::default(),
        window(Window::auctions(0, 500)),
        window(Window::unbounded(0)),
        VerifyOptions { prefix: true, ..window(Window::auctions(0, 500)) },
    ];
    for demand in demands {
        let found = judged(&stream, cut(&stream, &logs, |_, count| count), demand);
        assert_eq!(found.outcome(), Outcome::NothingCompared, "{demand:?}: {found}");
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!((&json["outcome"], &json["clean"]), (&"nothing_compared".into(), &false.into()), "{json:#}");
        assert!(found.to_string().ends_with("removed before and not compared\n"), "{found}");
        assert!(found.to_string().contains("\nUNVERIFIED   nothing was compared; "), "{found}");
    }
    // A log that still grows may hold nothing yet, but that proves nothing.
    let empty = vec![Vec::new(); logs.len()];
    let found = verdict(&stream, &empty, VerifyOptions { prefix: true, ..window(Window::auctions(0, 500)) });
    assert_eq!(found.outcome(), Outcome::NothingCompared, "{found}");
    // A window without any auction is held by logs without any record.
    assert!(verdict(&stream, &empty, window(Window::auctions(7, 0))).is_clean());
}

/// A source as a broker shows it after transactions: logs that hold their ends only are not empty by their offsets.
struct Marked(Memory, Vec<LogPlace>);

impl Source for Marked {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn logs(&self) -> &[LogPlace] {
        &self.1
    }

    fn next(&mut self, log: usize, record: &mut LogRecord) -> Result<bool, SourceError> {
        self.0.next(log, record)
    }

    fn tails(&mut self, count: usize) -> Result<Vec<Vec<LogRecord>>, SourceError> {
        self.0.tails(count)
    }
}

#[test]
fn a_log_of_nothing_but_commit_markers_is_empty() {
    let (stream, logs) = plain_logs(500);
    let marked = |memory: Memory| {
        let places = memory.logs().iter().map(|place| LogPlace { is_empty: false, ..*place }).collect();
        Marked(memory, places)
    };
    let mut removed = marked(cut(&stream, &logs, |_, count| count));
    let demand = window(Window::auctions(0, 500));
    let found = verify(&stream, &mut removed, demand, &Shutdown::default(), |_, _| {}).unwrap();
    assert_eq!(found.outcome(), Outcome::NothingCompared, "{found}");
    // Nothing was removed: aborted transactions are all that it ever held.
    let nothing = || marked(Memory::new(stream.layout(), Vec::new()));
    let found = verify(&stream, &mut nothing(), demand, &Shutdown::default(), |_, _| {}).unwrap();
    let total = logs.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!((found.outcome(), found.counts().missing), (Outcome::Different, total), "{found}");
    let unasked = verify(&stream, &mut nothing(), VerifyOptions::default(), &Shutdown::default(), |_, _| {});
    assert!(matches!(unasked, Err(VerifyError::Empty)), "{unasked:?}");
}

/// One option that another value of explains what is there is named; a loss is explained by none.
#[test]
fn the_one_option_that_explains_the_logs_is_named() {
    let written = StreamSpec { win_rate: "0.5".parse().unwrap(), seed: 7, ..StreamSpec::default() };
    let stream = Stream::new(&written, &Layout::default());
    let logs = logs(&stream, stream.records(Window::auctions(0, 2_000)));
    let explained = |spec: &StreamSpec, logs: &Logs| {
        explain(spec, &mut Memory::new(stream.layout(), logs.clone()), Some(0)).unwrap()
    };
    assert_eq!(explained(&written, &logs), None);
    let is = |option: &'static str, found: &str, given: &str| {
        Some(Explanation { option, found: found.to_owned(), given: given.to_owned() })
    };
    let win_rate = |rate: &str| StreamSpec { win_rate: rate.parse().unwrap(), ..written.clone() };
    assert_eq!(explained(&win_rate("0.6"), &logs), is("win-rate", "0.5", "0.6"));
    assert_eq!(explained(&win_rate("0.150"), &logs), is("win-rate", "0.5", "0.15"));
    let other = StreamSpec { bid_response_rate: "1".parse().unwrap(), ..written.clone() };
    assert_eq!(explained(&other, &logs), is("bid-response-rate", "0.6", "1"));
    let other = StreamSpec { headers: true, ..written.clone() };
    assert_eq!(explained(&other, &logs), is("headers", "false", "true"));
    let other = StreamSpec { key_by: KeyBy::User, ..written.clone() };
    assert_eq!(explained(&other, &logs), is("key-by", "id", "user"));
    let other = StreamSpec { events_per_second: "50".parse().unwrap(), ..written.clone() };
    assert_eq!(explained(&other, &logs), is("events-per-second", "10", "50"));
    let faults = Faults { duplicates: "0.1".parse().unwrap(), ..Faults::default() };
    let other = StreamSpec { faults: faults.try_into().unwrap(), ..written.clone() };
    assert_eq!(explained(&other, &logs), is("duplicates", "0", "0.1:1s"));
    // Two options at once, another seed, a lost record: nothing is made up.
    assert_eq!(explained(&StreamSpec { seed: 8, ..written.clone() }, &logs), None);
    assert_eq!(explained(&StreamSpec { headers: true, ..win_rate("0.2") }, &logs), None);
    for log in 0..12 {
        let mut lossy = logs.clone();
        lossy[log].remove(5);
        assert_eq!(explained(&written, &lossy), None, "log {log}");
    }
}

/// A folder that the file sink wrote, and the same records as logs of one topic each.
fn folder(choices: &mut Choices, envelope: bool) -> (tempfile::TempDir, Stream, Window) {
    let (stream, wanted) = stream(choices);
    folder_of(stream, wanted, envelope)
}

fn folder_of(stream: Stream, wanted: Window, envelope: bool) -> (tempfile::TempDir, Stream, Window) {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = mock_data_gen::sink::files::Files::create(folder.path(), envelope, &stream, &wanted.into()).unwrap();
    stream.records(wanted).for_each(|record| sink.submit(&record).unwrap());
    sink.close(true).unwrap();
    (folder, stream, wanted)
}

fn verdict_of_files(folder: &std::path::Path, stream: &Stream, demand: VerifyOptions) -> Verdict {
    let mut source = mock_data_gen::source::files::Files::open(folder, stream.layout()).unwrap();
    let stream = Stream::new(stream.auctions().spec(), source.layout());
    verify(&stream, &mut source, demand, &Shutdown::default(), |_, _| {}).unwrap()
}

/// Damages one line of a file, and says what that is.
type LineDamage = fn(&mut Choices, &mut Vec<Vec<u8>>, usize) -> Class;

const LINE_DAMAGES: [(&str, LineDamage); 9] = [
    ("lost", |_, lines, at| {
        lines.remove(at);
        Class::Missing
    }),
    ("doubled", |_, lines, at| {
        let line = lines[at - 1].clone();
        lines.insert(at, line);
        Class::Duplicated
    }),
    ("swapped", |_, lines, at| {
        lines.swap(at, at + 1);
        Class::Reordered
    }),
    ("flipped", |choices, lines, at| {
        let line = lines[at].clone();
        while lines[at] == line || lines[at].contains(&b'\n') {
            lines[at].clone_from(&line);
            flip(choices, &mut lines[at]);
        }
        Class::Altered
    }),
    ("cut in the middle", |choices, lines, at| {
        let kept = choices.below(lines[at].len());
        lines[at].truncate(kept);
        Class::Altered
    }),
    ("with garbage behind it", |choices, lines, at| {
        let garbage = choices.of(&["}", "\r", "\0\0\0", "x", " "]);
        lines[at].extend_from_slice(garbage.as_bytes());
        Class::Altered
    }),
    ("not JSON", |_, lines, at| {
        lines.insert(at, b"# a comment".to_vec());
        Class::Foreign
    }),
    ("not text", |_, lines, at| {
        lines.insert(at, vec![0xff, 0xfe, 0x00, b'{']);
        Class::Foreign
    }),
    ("of somebody else", |_, lines, at| {
        lines.insert(at, br#"{"id":"4711","event_timestamp":"2026-01-01T00:00:00.000Z"}"#.to_vec());
        Class::Foreign
    }),
];

#[test]
fn damaged_files_are_named_like_damaged_topics() {
    for round in 0..PLACES {
        let mut choices = Choices(20_000_000 + round);
        for envelope in [false, true] {
            let (folder, stream, wanted) = folder(&mut choices, envelope);
            let clean = verdict_of_files(folder.path(), &stream, VerifyOptions::default());
            assert!(clean.is_clean(), "round {round}: {clean}");
            if choices.below(2) == 0 {
                std::fs::remove_file(folder.path().join("manifest.json")).unwrap();
            }
            let (name, damage) = LINE_DAMAGES[choices.below(LINE_DAMAGES.len())];
            let topic = choices.below(2);
            let path = folder.path().join(format!("{}.ndjson", stream.layout().topics()[topic].name));
            let text = std::fs::read(&path).unwrap();
            let mut lines: Vec<Vec<u8>> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
            lines.pop();
            let at = EDGE + 2 + choices.below(lines.len() - 2 * EDGE - 4);
            let class = damage(&mut choices, &mut lines, at);
            // A garbage that JSON passes over is no damage to an envelope.
            let is_harmless = envelope && [b' ', b'\r'].contains(lines[at].last().unwrap_or(&b'x'));
            std::fs::write(&path, [lines.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
            for demand in [window(wanted), VerifyOptions::default()] {
                let found = verdict_of_files(folder.path(), &stream, demand);
                let shown = format!("round {round}, envelope {envelope}, line {} {name}: {found}", at + 1);
                if is_harmless {
                    assert!(found.is_clean(), "{shown}");
                    continue;
                }
                let counts = plain(found.counts());
                let expected = plain(&one(class));
                assert_eq!(counts[2..], expected[2..], "{shown}");
                let first = found.logs()[topic].first_difference.as_ref().expect(&shown);
                assert_eq!((first.class, first.offset), (class, Some(at as i64 + 1)), "{shown}");
            }
        }
    }
}

#[test]
fn files_of_streams_with_faults_are_verified_in_envelopes() {
    let mut otherwise = 0;
    for round in 0..PLACES {
        let mut choices = Choices(22_000_000 + round);
        let (stream, wanted) = faulty_stream(&mut choices);
        let (folder, stream, wanted) = folder_of(stream, wanted, true);
        for demand in [
            window(wanted),
            VerifyOptions::default(),
            VerifyOptions { fingerprint: true, threads: 2, ..window(wanted) },
        ] {
            let found = verdict_of_files(folder.path(), &stream, demand);
            assert!(found.is_clean(), "round {round}: {found}");
        }
        let path = folder.path().join("bid-requests.ndjson");
        let text = std::fs::read(&path).unwrap();
        let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
        let at = choices.below(lines.len());
        let class = if choices.below(2) == 0 {
            lines.remove(at);
            Class::Missing
        } else {
            lines.insert(choices.below(lines.len()), lines[at]);
            Class::Duplicated
        };
        std::fs::write(&path, lines.concat()).unwrap();
        let found = verdict_of_files(folder.path(), &stream, window(wanted));
        assert!(!found.is_clean(), "round {round}: {found}");
        otherwise += usize::from(plain(found.counts())[2..] != plain(&one(class))[2..]);
    }
    println!("{otherwise} of {PLACES} told otherwise");
    assert!(otherwise <= OTHERWISE_PERCENT_MAX, "{otherwise} told otherwise");
}

/// forall streams with faults: the records of a run, per partition, are clean, whether the window is given or inferred, and for any number of
/// threads the same is found.
#[test]
fn what_a_run_writes_is_clean_with_any_faults() {
    for round in 0..200 {
        let mut choices = Choices(23_000_000 + round);
        let (stream, wanted) = faulty_stream(&mut choices);
        let logs = logs(&stream, stream.records(wanted));
        let total = logs.iter().map(Vec::len).sum::<usize>() as u64;
        if total == 0 {
            continue;
        }
        for demand in [
            window(wanted),
            VerifyOptions::default(),
            VerifyOptions { threads: 3, fingerprint: true, ..window(wanted) },
        ] {
            let found = verdict(&stream, &logs, demand);
            assert!(found.is_clean() && found.counts().matched == total, "round {round}: {found}");
        }
    }
}

/// One random change of a log, at most `NEAR` records from `at`, where changes meet.
fn change(choices: &mut Choices, logs: &mut Logs, log: usize, at: usize) {
    const NEAR: usize = 12;
    let near = |choices: &mut Choices, len: usize| (at + choices.below(NEAR)).min(len - 1);
    let len = logs[log].len();
    if len < 2 {
        return;
    }
    let (from, to) = (near(choices, len), near(choices, len));
    match choices.below(9) {
        0 => drop(logs[log].remove(from)),
        1 | 2 => {
            let again = logs[log][from].clone();
            logs[log].insert(to, again);
        }
        3 | 4 => {
            let moved = logs[log].remove(from);
            logs[log].insert(to.min(len - 1), moved);
        }
        5 => {
            let value = logs[log][from].value.get_or_insert_default();
            let byte = choices.below(value.len().max(1));
            value.resize(value.len().max(1), b' ');
            value[byte] ^= 1 << choices.below(7);
        }
        6 => logs[log][from].timestamp_ms += 1,
        7 => logs[log][from].value = None,
        _ => {
            let elsewhere = choices.below(logs.len());
            let place = choices.below(logs[elsewhere].len() + 1);
            let moved = logs[log].remove(from);
            let place = place.min(logs[elsewhere].len());
            logs[elsewhere].insert(place, moved);
        }
    }
}

/// forall streams, with faults or without, and any changes of one neighbourhood: each record, found or expected, is counted once.
#[test]
fn however_much_is_damaged_at_once_each_record_is_counted_once() {
    for round in 0..500 {
        let mut choices = Choices(29_000_000 + round);
        let (stream, wanted) = if round % 4 == 0 { faulty_stream(&mut choices) } else { stream(&mut choices) };
        let clean = logs(&stream, stream.records(wanted));
        let log = choices.below(clean.len());
        let at = choices.below(clean[log].len().max(1));
        let mut damaged = clean.clone();
        for _ in 0..=choices.below(12) {
            change(&mut choices, &mut damaged, log, at);
        }
        renumber(&stream, &mut damaged);
        if damaged == clean {
            continue;
        }
        let found = verdict(&stream, &damaged, window(wanted));
        let sums = [&clean, &damaged].map(|logs| logs.iter().map(Vec::len).sum::<usize>() as u64);
        assert_counted(&found, sums.into(), &format!("round {round}: {found}"));
    }
}

#[test]
fn an_early_record_that_comes_early_once_more_is_one_more() {
    let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    let wanted = Window::auctions(0, 100);
    let clean = logs(&stream, stream.records(wanted));
    let mut damaged = clean.clone();
    let early = damaged[0].remove(5);
    damaged[0].insert(1, early.clone());
    damaged[0].insert(1, early);
    renumber(&stream, &mut damaged);
    let found = verdict(&stream, &damaged, window(wanted));
    let sums = [&clean, &damaged].map(|logs| logs.iter().map(Vec::len).sum::<usize>() as u64);
    assert_counted(&found, sums.into(), &found.to_string());
    assert_eq!((found.counts().reordered, found.counts().duplicated), (1, 1), "{found}");
}

#[test]
fn a_third_copy_and_a_lost_one_of_two_are_one_each() {
    let faults = Faults { duplicates: "1:2s".parse().unwrap(), ..Faults::default() };
    let spec = StreamSpec { faults: faults.try_into().unwrap(), ..StreamSpec::default() };
    let stream = Stream::new(&spec, &Layout::default());
    let wanted = Window::auctions(0, 200);
    let clean = logs(&stream, stream.records(wanted));
    let is_equal = |a: &LogRecord, b: &LogRecord| (&a.key, &a.value) == (&b.key, &b.value);
    let (mut told, mut otherwise) = (0, 0);
    for log in 0..6 {
        for at in EDGE..clean[log].len() - EDGE {
            let behind = &clean[log][at..];
            let twin = behind.iter().skip(1).position(|other| is_equal(other, &behind[0]));
            let mut lost = clean.clone();
            lost[log].remove(at);
            // One more between the two, or behind both.
            let mut added = clean.clone();
            added[log].insert(twin.map_or(at + 1, |twin| at + 1 + twin / 2), behind[0].clone());
            for (mut logs, class) in [(lost, Class::Missing), (added, Class::Duplicated)] {
                renumber(&stream, &mut logs);
                let found = verdict(&stream, &logs, window(wanted));
                assert!(!found.is_clean(), "log {log}, at {at}: {found}");
                told += 1;
                otherwise += usize::from(plain(found.counts())[2..] != plain(&one(class))[2..]);
            }
        }
    }
    println!("{otherwise} of {told} told otherwise");
    assert!(otherwise * 100 <= told * OTHERWISE_PERCENT_MAX, "{otherwise} of {told} told otherwise");
}

#[test]
fn a_file_that_was_cut_off_is_missing_its_end() {
    for round in 0..PLACES {
        let mut choices = Choices(21_000_000 + round);
        let (folder, stream, wanted) = folder(&mut choices, round % 2 == 0);
        let path = folder.path().join("bid-requests.ndjson");
        let text = std::fs::read(&path).unwrap();
        let kept = choices.below(text.len() - 1);
        std::fs::write(&path, &text[..kept]).unwrap();
        let found = verdict_of_files(folder.path(), &stream, window(wanted));
        let whole = text[..kept].split(|&byte| byte == b'\n').count() as u64 - 1;
        let all = text.split(|&byte| byte == b'\n').count() as u64 - 1;
        let counts = found.logs()[0].counts;
        // The line that was cut is a damaged one; only its end may be what was cut off.
        assert_eq!(counts.matched + counts.altered + counts.missing, all, "round {round}: {found}");
        assert!(counts.matched == whole || counts.matched == whole + 1, "round {round}: {found}");
        assert!(counts.altered <= 1 && counts.missing + 1 >= all - whole, "round {round}: {found}");
        assert_eq!(found.counts().differences(), counts.altered + counts.missing, "round {round}: {found}");
    }
}

/// The program in a folder of its own, with none of our variables set.
fn program(folder: &std::path::Path, args: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command.args(args).env_clear().current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code, standard output and standard error.
fn seen(output: &std::process::Output) -> String {
    let code = output.status.code().unwrap();
    format!("exit {code}\n--- stdout\n{}--- stderr\n{}", text(&output.stdout), text(&output.stderr))
}

macro_rules! snapshot {
    ($name:literal, $text:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../snapshots/cli");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $text));
    }};
}

#[test]
fn the_verdict_reads_well() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = |args: &[&str]| program(folder, args);
    let made = ["--sink", "files", "--out", "made", "--envelope", "--fast", "--count", "300", "--click-rate", "1"];
    assert!(run(&made).status.success());
    let options = ["verify", "--files", "made", "--click-rate", "1"];
    snapshot!("verify", seen(&run(&[options.as_slice(), &["--fingerprint"]].concat())));
    // A lost line, one digit of a price, and a line twice.
    let requests = folder.join("made/bid-requests.ndjson");
    let lines: Vec<String> = std::fs::read_to_string(&requests).unwrap().lines().map(str::to_owned).collect();
    let kept: Vec<&str> =
        lines.iter().enumerate().filter(|(at, _)| *at != 100).map(|(_, line)| line.as_str()).collect();
    std::fs::write(&requests, kept.join("\n") + "\n").unwrap();
    let impressions = folder.join("made/impressions.ndjson");
    let damaged =
        std::fs::read_to_string(&impressions).unwrap().replacen("\"win_price\":0.78", "\"win_price\":0.79", 1);
    std::fs::write(&impressions, damaged).unwrap();
    let clicks = folder.join("made/clicks.ndjson");
    let mut twice: Vec<String> = std::fs::read_to_string(&clicks).unwrap().lines().map(str::to_owned).collect();
    twice.insert(5, twice[4].clone());
    std::fs::write(&clicks, twice.join("\n") + "\n").unwrap();
    snapshot!("verify-different", seen(&run(&options)));
    let json = run(&[options.as_slice(), &["--report", "json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    snapshot!("verify-json", serde_json::to_string_pretty(&json).unwrap());
    let other = run(&["verify", "--files", "made", "--click-rate", "1", "--seed", "43"]);
    snapshot!("verify-another-seed", seen(&other));
    snapshot!("help-verify", text(&run(&["verify", "-h"]).stdout));
}

#[test]
fn the_command_that_a_run_prints_verifies_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_mock-data-gen")).parent().unwrap().to_owned();
    let cases: [&[&str]; 3] = [
        &["--out", "it's one", "--count", "50"],
        &[
            "--out",
            "two",
            "--envelope",
            "--headers",
            "--partitions",
            "3",
            "--from",
            "2026-01-01T01:00:00Z",
            "--duration",
            "20s",
        ],
        &[
            "--out",
            "three",
            "--seed",
            "18446744073709551615",
            "--key-by",
            "request",
            "--topic-clicks",
            "c",
            "--count",
            "50",
        ],
    ];
    for args in cases {
        let output = program(folder.path(), &[&["--sink", "files", "--fast"], args].concat());
        let report = text(&output.stderr);
        let line =
            report.lines().find_map(|line| line.strip_prefix("verify with  ")).unwrap_or_else(|| panic!("{report}"));
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let mut again = std::process::Command::new("bash");
        let again = again.args(["-c", line]).env_clear().env("PATH", path).current_dir(folder.path()).output().unwrap();
        assert!(again.status.success(), "{line}\n{}", seen(&again));
        assert!(text(&again.stdout).contains("all as they should be"), "{line}\n{}", seen(&again));
    }
}

#[test]
fn what_cannot_be_verified_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let made = program(folder.path(), &["--sink", "files", "--out", "made", "--fast", "--count", "20"]);
    assert!(made.status.success());
    let shard = ["--sink", "files", "--out", "shard", "--fast", "--from", "epoch", "--count", "20", "--shard", "0/2"];
    assert!(program(folder.path(), &shard).status.success());
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--files", "shard"], 2, "shard/manifest.json is of --shard 0/2: files are verified whole"),
        (&["--from", "now", "--files", "made"], 2, "--from now is a time that nobody knows afterwards"),
        (&["-X", "linger.ms=5", "--files", "made"], 2, "-X sets properties of the Kafka client"),
        (&["--fingerprint", "--files", "made"], 2, "holds bare values"),
        (&["--bootstrap-servers", "embedded"], 2, "a broker that ends with its run"),
        (&["--files", "nowhere"], 3, "nowhere/bid-requests.ndjson does not exist"),
        (
            &["--files", "made", "--topic-clicks", "c"],
            2,
            "--topic-clicks c (command line) is not what made/manifest.json says",
        ),
        (&["--files", "empty"], 3, "there are no records"),
    ];
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for name in ["bid-requests", "bid-responses", "impressions", "clicks"] {
        std::fs::write(folder.path().join(format!("empty/{name}.ndjson")), "").unwrap();
    }
    for (args, code, reason) in cases {
        let output = program(folder.path(), &[&["verify"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", seen(&output));
        assert!(text(&output.stderr).contains(reason), "{args:?}: {}", seen(&output));
        assert!(output.stdout.is_empty(), "{args:?}: {}", seen(&output));
    }
    // A manifest that is none.
    std::fs::write(folder.path().join("made/manifest.json"), "{\"lines\":1}").unwrap();
    let output = program(folder.path(), &["verify", "--files", "made"]);
    assert_eq!(output.status.code(), Some(3), "{}", seen(&output));
    assert!(text(&output.stderr).contains("made/manifest.json is no manifest of this program"), "{}", seen(&output));
}
