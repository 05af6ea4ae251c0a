//! Each damage is named rightly, and each record, found or expected, is counted once.

use mock_data_gen::generator::spec::{Faults, Layout, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::verify::{Class, Counts, Verdict, VerifyOptions};

use super::{
    EDGE, Logs, OTHERWISE_PERCENT_MAX, PLACES, faulty_stream, flip, logs, one, plain, plain_logs, renumber, stream,
    verdict, window, window_of,
};
use crate::choices::Choices;

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
            let log = choices.index(clean.len());
            let Some(room) = clean[log].len().checked_sub(2 * EDGE + 4).filter(|&room| room > 0) else { continue };
            let at = EDGE + 2 + choices.index(room);
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

fn expect(counts: Counts, log: usize, class: Class, offset: usize) -> Expected {
    Expected { counts, log, class, offset: Some(offset as i64), part: None }
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
        let count = 1 + choices.index(logs[log].len() - EDGE - at);
        logs[log].drain(at..at + count);
        Some(expect(Counts { missing: count as u64, ..Counts::default() }, log, Class::Missing, at))
    });
}

#[test]
fn a_doubled_record_is_one_duplicated() {
    places(3, Faulty::Alike, |choices, _, logs, log, at| {
        let doubled = logs[log][at].clone();
        let place = at + 1 + choices.index(logs[log].len() - EDGE - at);
        logs[log].insert(place, doubled);
        Some(expect(one(Class::Duplicated), log, Class::Duplicated, place))
    });
}

#[test]
fn a_doubled_batch_is_so_many_duplicated() {
    places(4, Faulty::Alike, |choices, _, logs, log, at| {
        let count = 1 + choices.index(logs[log].len() - EDGE - at);
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
        logs[log].swap(at, at + 2 + choices.index(room));
        Some(expect(Counts { reordered: 2, ..Counts::default() }, log, Class::Reordered, at))
    });
}

#[test]
fn a_record_that_came_too_late_or_too_early_is_one_reordered() {
    places(7, Faulty::Alike, |choices, _, logs, log, at| {
        let to = EDGE + choices.index(logs[log].len() - 2 * EDGE);
        if at.abs_diff(to) < 2 {
            return None;
        }
        let moved = logs[log].remove(at);
        logs[log].insert(to, moved);
        Some(expect(one(Class::Reordered), log, Class::Reordered, at.min(to)))
    });
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
        logs[log][at].timestamp_ms += [-3_600_000, -1, 1, 7, 86_400_000][choices.index(5)];
        let expected = expect(one(Class::Altered), log, Class::Altered, at);
        Some(Expected { part: Some(("timestamp", None)), ..expected })
    });
}

#[test]
fn another_header_is_one_altered() {
    places(11, Faulty::Alike, |choices, stream, logs, log, at| {
        let headers = &mut logs[log][at].headers;
        let part = if stream.auctions().spec().headers && choices.index(2) == 0 {
            // The last one is the copy: one bit more makes its equal of a record.
            let header = choices.index(headers.len() - 1);
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
        let other = *others.get(choices.index(others.len().max(1)))?;
        let moved = logs[log].remove(at);
        let place = EDGE + choices.index(logs[other].len() - 2 * EDGE);
        logs[other].insert(place, moved);
        let counts = Counts { missing: 1, extra: 1, ..Counts::default() };
        Some(if choices.index(2) == 0 {
            expect(counts, log, Class::Missing, at)
        } else {
            expect(counts, other, Class::Extra, place)
        })
    });
}

/// A record that nothing of this stream says of itself.
fn foreign(choices: &mut Choices, stream: &Stream, near: &LogRecord) -> LogRecord {
    let spec = stream.auctions().spec();
    match choices.index(4) {
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
        let log = filled[choices.index(filled.len())];
        let count = 1 + choices.index(logs[log].len());
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

/// One random change of a log, at most `NEAR` records from `at`, where changes meet.
fn change(choices: &mut Choices, logs: &mut Logs, log: usize, at: usize) {
    const NEAR: usize = 12;
    let near = |choices: &mut Choices, len: usize| (at + choices.index(NEAR)).min(len - 1);
    let len = logs[log].len();
    if len < 2 {
        return;
    }
    let (from, to) = (near(choices, len), near(choices, len));
    match choices.index(9) {
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
            let byte = choices.index(value.len().max(1));
            value.resize(value.len().max(1), b' ');
            value[byte] ^= 1 << choices.index(7);
        }
        6 => logs[log][from].timestamp_ms += 1,
        7 => logs[log][from].value = None,
        _ => {
            let elsewhere = choices.index(logs.len());
            let place = choices.index(logs[elsewhere].len() + 1);
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
        let log = choices.index(clean.len());
        let at = choices.index(clean[log].len().max(1));
        let mut damaged = clean.clone();
        for _ in 0..=choices.index(12) {
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
