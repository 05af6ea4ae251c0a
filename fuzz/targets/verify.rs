//! Any logs against a window of the stream: `verify` says something of every record, found or expected, just once, and takes no
//! damage for sound.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::source::memory::Memory;
use mock_data_gen::generator::spec::{Faults, KeyBy, Layout, Partitions, StreamSpec, Topic};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::verify::{VerifyOptions, Outcome, verify};

const AUCTIONS: u64 = 24;

type Logs = Vec<Vec<LogRecord>>;

/// Where something is done: taken modulo what is there.
#[derive(Debug, Arbitrary)]
struct Place {
    log: u8,
    at: u8,
}

#[derive(Debug, Arbitrary)]
enum Change {
    Remove(Place),
    Truncate(Place),
    Copy(Place, Place),
    Move(Place, Place),
    Timestamp(Place, i64),
    Flip(Place, u16),
    Value(Place, Option<Vec<u8>>),
    Key(Place, Option<Vec<u8>>),
    Header(Place, Vec<u8>, Option<Vec<u8>>),
    NoHeaders(Place),
    Foreign(Place, i64, Option<Vec<u8>>, Option<Vec<u8>>),
}

#[derive(Debug, Arbitrary)]
struct Input {
    stream: u8,
    changes: Vec<Change>,
    is_asked: bool,
    prefix: bool,
    fingerprint: bool,
    /// Retention has cut so many records off each log.
    cut: u8,
}

/// Streams without faults and with, keyed in each way, with their logs.
static STREAMS: LazyLock<Vec<(Stream, Logs)>> = LazyLock::new(|| {
    let late = Faults { late: "0.3:2s".parse().unwrap(), ..Faults::default() };
    let double = Faults { duplicates: "0.5:5ms".parse().unwrap(), conflicts: "0.2:1s".parse().unwrap(), ..late };
    let all = Faults {
        orphans: "0.1".parse().unwrap(),
        malformed: "0.1".parse().unwrap(),
        invalid: "0.1".parse().unwrap(),
        tombstones: "0.1".parse().unwrap(),
        hot_user: "0.5".parse().unwrap(),
        ..double
    };
    let mut streams = Vec::new();
    for faults in [Faults::default(), late, double, all] {
        for (key_by, headers) in [(KeyBy::Id, false), (KeyBy::Request, true), (KeyBy::User, false)] {
            let spec = StreamSpec {
                win_rate: "0.5".parse().unwrap(),
                click_rate: "0.5".parse().unwrap(),
                faults: faults.clone().try_into().unwrap(),
                key_by,
                headers,
                ..StreamSpec::default()
            };
            let topic = |topic: Topic| Topic { partitions: Partitions::new(2).unwrap(), ..topic };
            let layout = Layout::new(Layout::default().topics().clone().map(topic)).unwrap();
            let stream = Stream::new(&spec, &layout);
            let mut logs = vec![Vec::new(); 8];
            for record in stream.records(Window::auctions(0, AUCTIONS)) {
                let log: &mut Vec<LogRecord> = &mut logs[2 * record.stage.index() + record.partition as usize];
                log.push(LogRecord::of(&record, log.len() as i64));
            }
            streams.push((stream, logs));
        }
    }
    streams
});

fn change(logs: &mut Logs, change: Change) {
    let place = |logs: &Logs, Place { log, at }: Place| {
        let log = usize::from(log) % logs.len();
        (log, usize::from(at) % logs[log].len().max(1))
    };
    let found = |logs: &Logs, at: Place| {
        let (log, at) = place(logs, at);
        (at < logs[log].len()).then_some((log, at))
    };
    // What is to be changed in one record, or what stands elsewhere then.
    let (one, apply): (Place, Box<dyn FnOnce(&mut LogRecord)>) = match change {
        Change::Remove(at) => return drop(found(logs, at).map(|(log, at)| logs[log].remove(at))),
        Change::Truncate(at) => {
            let (log, at) = place(logs, at);
            return logs[log].truncate(at);
        }
        Change::Copy(from, to) => {
            let Some((log, at)) = found(logs, from) else { return };
            let record = logs[log][at].clone();
            let (log, at) = place(logs, to);
            return logs[log].insert(at, record);
        }
        Change::Move(from, to) => {
            let Some((log, at)) = found(logs, from) else { return };
            let record = logs[log].remove(at);
            let (log, at) = place(logs, to);
            return logs[log].insert(at, record);
        }
        Change::Foreign(at, timestamp_ms, key, value) => {
            let (log, at) = place(logs, at);
            return logs[log].insert(at, LogRecord { timestamp_ms, key, value, ..LogRecord::default() });
        }
        Change::Timestamp(at, by) => {
            (at, Box::new(move |record| record.timestamp_ms = record.timestamp_ms.wrapping_add(by)))
        }
        Change::Flip(at, bit) => (
            at,
            Box::new(move |record| {
                let value = record.value.get_or_insert_default();
                let byte = usize::from(bit / 8) % value.len().max(1);
                if let Some(byte) = value.get_mut(byte) {
                    *byte ^= 1 << (bit % 8);
                }
            }),
        ),
        Change::Value(at, value) => (at, Box::new(|record| record.value = value)),
        Change::Key(at, key) => (at, Box::new(|record| record.key = key)),
        Change::Header(at, name, value) => (at, Box::new(|record| record.headers.push((name, value)))),
        Change::NoHeaders(at) => (at, Box::new(|record| record.headers.clear())),
    };
    if let Some((log, at)) = found(logs, one) {
        apply(&mut logs[log][at]);
    }
}

/// Offsets as a broker gives them, and the partition that it is.
fn number(logs: &mut Logs, cut: usize) {
    for (number, log) in logs.iter_mut().enumerate() {
        log.drain(..cut.min(log.len()));
        for (offset, record) in (cut as i64..).zip(log) {
            record.offset = offset;
            record.partition = (number % 2) as u32;
        }
    }
}

fuzz_target!(|input: Input| {
    let (stream, clean) = &STREAMS[usize::from(input.stream) % STREAMS.len()];
    let cut = usize::from(input.cut.saturating_sub(250));
    let mut logs = clean.clone();
    for one in input.changes.into_iter().take(40) {
        change(&mut logs, one);
    }
    number(&mut logs, cut);

    let window = input.is_asked.then(|| Window::auctions(0, AUCTIONS));
    let demand = VerifyOptions { window, prefix: input.prefix, fingerprint: input.fingerprint, threads: 1 };
    let mut source = Memory::new(stream.layout(), logs.clone());
    let Ok(verdict) = verify(stream, &mut source, demand, &Shutdown::default(), |_, _| {}) else { return };

    let shown = format!("{verdict}\n{}", serde_json::to_string(&verdict).unwrap());
    let f = verdict.counts();
    let records = logs.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(f.records, records, "{shown}");
    assert_eq!(f.matched + f.extra + f.duplicated + f.reordered + f.altered + f.foreign, records, "{shown}");
    assert_eq!(verdict.outcome() == Outcome::Different, f.differences() > 0, "{shown}");
    let is_whole = input.is_asked && !input.prefix && cut == 0;
    if is_whole {
        let expected = clean.iter().map(Vec::len).sum::<usize>() as u64;
        assert_eq!(f.matched + f.missing + f.reordered + f.altered, expected, "{shown}");
        assert_eq!(verdict.is_clean(), logs == *clean, "{shown}");
    }
    assert!(logs != *clean || verdict.outcome() != Outcome::Different, "{shown}");
});
