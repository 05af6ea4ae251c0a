//! Where a log ends, and what is refused, over logs in memory: the odd cases that a broker takes hours to come to.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mock_data_gen::record::{Header, Record};
use mock_data_gen::sink::Stop;
use mock_data_gen::spec::{Layout, Stage, StreamSpec};
use mock_data_gen::stream::{Shard, Stream, Window, WindowEnd};
use mock_data_gen::tail::{Ask, Bounds, Each, Log, LogRecord, Misfit, Range, Standing, Start, TailError, find_end};

/// Partitions by stage. Of each, retention has removed the records before an offset.
struct Held([Vec<(usize, Vec<Record>)>; 4]);

impl Held {
    /// The first records of a window, as a run without interruption leaves them.
    fn of(stream: &Stream, window: Window, count: usize) -> Self {
        let partitions = |stage| vec![(0, Vec::new()); stream.layout().topic(stage).partitions.count() as usize];
        let mut held = Self(Stage::ALL.map(partitions));
        for record in stream.records(window).take(count) {
            held.0[record.stage.index()][record.partition as usize].1.push(record);
        }
        held
    }

    /// Retention removes all that a stage's partitions hold.
    fn emptied(mut self, stage: Stage) -> Self {
        self.0[stage.index()].iter_mut().for_each(|(low, records)| *low = records.len());
        self
    }

    /// Retention removes the first records of a stage's partitions.
    fn cut(mut self, stage: Stage, count: usize) -> Self {
        self.0[stage.index()].iter_mut().for_each(|(low, records)| *low = count.min(records.len()));
        self
    }

    /// A topic is deleted and made anew.
    fn made_anew(mut self, stage: Stage) -> Self {
        self.0[stage.index()].iter_mut().for_each(|(low, records)| (*low, *records) = (0, Vec::new()));
        self
    }
}

impl Log for Held {
    fn bounds(&mut self) -> Result<[Vec<Bounds>; 4], TailError> {
        let bounds = |(low, records): &(usize, Vec<Record>)| Bounds { low: *low as i64, end: records.len() as i64 };
        Ok(self.0.each_ref().map(|partitions| partitions.iter().map(bounds).collect()))
    }

    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), TailError> {
        for range in ranges {
            let (low, records) = &self.0[range.stage.index()][range.partition as usize];
            assert!(range.from >= *low as i64, "read below the first offset");
            for offset in range.from..range.end {
                let record = &records[usize::try_from(offset).unwrap()];
                let header = |header: &'_ Header| (header.name.as_bytes(), header.value.clone());
                let headers: Vec<_> = record.headers.iter().map(header).collect();
                let headers = headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect();
                let (key, value) = (Some(record.key.as_slice()), Some(record.value.as_slice()));
                each(range, &LogRecord { offset, timestamp_ms: record.timestamp_ms, key, value, headers })?;
            }
        }
        Ok(())
    }

    fn pause(&mut self, _span: Duration) {}

    fn settle_time(&self) -> Duration {
        Duration::ZERO
    }
}

fn stream(spec: &StreamSpec) -> Stream {
    Stream::new(spec, &Layout::default())
}

fn find(stream: &Stream, start: Start, mut held: Held) -> Result<Standing, TailError> {
    let stop = Stop::default();
    find_end(&Ask { stream, start, shard: Shard::WHOLE, require: false, fresh: false, stop: &stop }, &mut held)
}

fn misfit(found: Result<Standing, TailError>) -> Misfit {
    match found {
        Err(TailError::Refused { why, .. }) => *why,
        other => panic!("{other:?}"),
    }
}

/// The first record that is left to play, as a run would find it.
fn next(stream: &Stream, standing: &Standing) -> Record {
    stream.records_of_part(&standing.part).next().unwrap()
}

/// An auction without a response, which is followed by one with a response.
fn silent_auction(stream: &Stream) -> u64 {
    let responds = |ordinal| stream.position(Stage::Response, ordinal).is_some();
    (1_000..2_000).find(|&ordinal| !responds(ordinal) && responds(ordinal + 1)).unwrap()
}

#[test]
fn requests_that_were_made_anew_do_not_move_the_start_of_a_window_from_now() {
    let stream = stream(&StreamSpec::default());
    let first = silent_auction(&stream);
    let held = Held::of(&stream, Window::unbounded(first), 3_000);
    let end = WindowEnd::Never;
    let standing = find(&stream, Start::Now(first + 50_000, end), held).unwrap();
    assert_eq!(standing.part.window(), Window::unbounded(first));
    // The responses begin an auction later: to go on from there would lose the first request for ever.
    let held = Held::of(&stream, Window::unbounded(first), 3_000).made_anew(Stage::Request);
    let why = misfit(find(&stream, Start::Now(first + 50_000, end), held));
    assert!(matches!(why, Misfit::NewTopic { .. }), "{why}");
    // Where the start was given it gets its records again.
    let held = Held::of(&stream, Window::unbounded(first), 3_000).made_anew(Stage::Request);
    let standing = find(&stream, Start::Given(Window::unbounded(first)), held).unwrap();
    assert_eq!((next(&stream, &standing).ordinal, next(&stream, &standing).stage), (first, Stage::Request));
}

#[test]
fn a_rate_of_zero_does_not_make_a_restart_look_through_the_whole_past() {
    let stream = stream(&StreamSpec { click_rate: "0".parse().unwrap(), ..StreamSpec::default() });
    let begin = Instant::now();
    // The log's last auctions, as retention has left them, three years on.
    let (window, far) = (Window::unbounded(0), 1_000_000_000);
    let mut held = Held::of(&stream, Window::unbounded(far), 3_000);
    for partition in held.0.iter_mut().flatten() {
        partition.0 = partition.1.len().min(1);
    }
    let standing = find(&stream, Start::Given(window), held).unwrap();
    assert!(next(&stream, &standing).ordinal > far);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn emptied_partitions_are_placed_by_counting_from_the_start_that_the_others_have() {
    let stream = stream(&StreamSpec::default());
    let held = || {
        let cut = [(Stage::Request, 20), (Stage::Response, 20), (Stage::Click, 1)];
        let whole = Held::of(&stream, Window::unbounded(0), 30_000).emptied(Stage::Impression);
        cut.into_iter().fold(whole, |held, (stage, count)| held.cut(stage, count))
    };
    let standing = find(&stream, Start::Given(Window::unbounded(0)), held()).unwrap();
    let following = stream.records(Window::unbounded(0)).nth(30_000).unwrap();
    assert_eq!(next(&stream, &standing), following);
    // Counted from another start, impressions would be left out.
    let why = misfit(find(&stream, Start::Given(Window::unbounded(5)), held()));
    assert!(matches!(why, Misfit::OtherStart { .. }), "{why}");
}

#[test]
fn a_log_that_retention_has_emptied_is_gone_on_with() {
    let stream = stream(&StreamSpec::default());
    let held = Stage::ALL.into_iter().fold(Held::of(&stream, Window::unbounded(0), 3_000), Held::emptied);
    let standing = find(&stream, Start::Given(Window::unbounded(0)), held).unwrap();
    assert_eq!(next(&stream, &standing), stream.records(Window::unbounded(0)).nth(3_000).unwrap());
    assert!(standing.furthest.is_none() && !standing.first_alone);
}

#[test]
fn a_window_from_now_to_a_time_that_has_passed_is_found_complete() {
    let stream = stream(&StreamSpec::default());
    let to_ms = stream.auctions().plan(1_500).request_ms;
    let whole = Window::auctions(100, 1_400);
    let held = Held::of(&stream, whole, usize::MAX);
    let standing = find(&stream, Start::Now(90_000, WindowEnd::ToMs(to_ms)), held).unwrap();
    assert_eq!(standing.part.window(), whole);
    assert_eq!(stream.records_of_part(&standing.part).next(), None);
}
