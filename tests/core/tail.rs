//! Where a log ends, and what is refused, over logs in memory: the odd cases that a broker takes hours to come to.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mock_data_gen::generator::auction::CopyKind;
use mock_data_gen::generator::record::{Header, Record};
use mock_data_gen::generator::spec::{ByStage, FaultPlan, Faults, Layout, Rate, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Position, Progress, Shard, Stream, Window, WindowEnd};
use mock_data_gen::kafka;
use mock_data_gen::kafka::GroupCommitted;
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::resume::{
    Each, Log, Mismatch, Offsets, Range, ResumeError, ResumePoint, ResumeRequest, Start, find_end,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::patience::limit;
use crate::specs::{faulty_spec_and_window, faulty_spec_and_window_from_now};

/// Partitions by stage. Of each, retention has removed the records before an offset.
#[derive(Debug, Clone)]
struct Held(ByStage<Vec<(usize, Vec<Record>)>>);

impl Held {
    /// The first records of a window, as a run without interruption leaves them.
    fn of(stream: &Stream, window: Window, count: usize) -> Self {
        let partitions = |stage| vec![(0, Vec::new()); stream.layout().topic(stage).partitions.count() as usize];
        let mut held = Self(ByStage::from_fn(partitions));
        for record in stream.records(window).take(count) {
            held.0[record.stage][record.partition as usize].1.push(record);
        }
        held
    }

    /// The partitions, in one order.
    fn partitions(&mut self) -> impl Iterator<Item = &mut (usize, Vec<Record>)> {
        self.0.values_mut().flatten()
    }

    /// Retention removes all that a stage's partitions hold.
    fn emptied(mut self, stage: Stage) -> Self {
        self.0[stage].iter_mut().for_each(|(low, records)| *low = records.len());
        self
    }

    /// Retention removes the first records of a stage's partitions.
    fn cut(mut self, stage: Stage, count: usize) -> Self {
        self.0[stage].iter_mut().for_each(|(low, records)| *low = count.min(records.len()));
        self
    }

    /// A topic is deleted and made anew.
    fn made_anew(mut self, stage: Stage) -> Self {
        self.0[stage].iter_mut().for_each(|(low, records)| (*low, *records) = (0, Vec::new()));
        self
    }
}

impl Log for Held {
    fn bounds(&mut self) -> Result<ByStage<Vec<Offsets>>, ResumeError> {
        let bounds = |(low, records): &(usize, Vec<Record>)| {
            let end = records.len() as i64;
            Offsets { log_start: *low as i64, log_end: end, last_stable: end }
        };
        Ok(self.0.each_ref().map(|partitions| partitions.iter().map(bounds).collect()))
    }

    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), ResumeError> {
        for range in ranges {
            let (low, records) = &self.0[range.stage][range.partition as usize];
            assert!(range.from >= *low as i64, "read below the first offset");
            for offset in range.from..range.end {
                let record = &records[usize::try_from(offset).unwrap()];
                each(range, &LogRecord::of(record, offset))?;
            }
        }
        Ok(())
    }

    fn pause(&mut self, _span: Duration) {}

    fn settle_time(&self) -> Duration {
        Duration::ZERO
    }
}

/// The same as transactions of a record each leave it: behind each record stands an end, which a reader does not see.
struct Committed(Held);

impl Log for Committed {
    fn bounds(&mut self) -> Result<ByStage<Vec<Offsets>>, ResumeError> {
        let twice = |bounds: &Offsets| Offsets {
            log_start: bounds.log_start * 2,
            log_end: bounds.log_end * 2,
            last_stable: bounds.log_end * 2,
        };
        Ok(self.0.bounds()?.map(|partitions| partitions.iter().map(twice).collect()))
    }

    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), ResumeError> {
        let half = |range: &Range| Range { from: (range.from + 1) / 2, end: (range.end + 1) / 2, ..*range };
        let ranges: Vec<Range> = ranges.iter().map(half).collect();
        self.0.read(&ranges, &mut |range, found| {
            let range = Range { from: range.from * 2, end: range.end * 2, ..*range };
            each(&range, &LogRecord { offset: found.offset * 2, ..found.clone() })
        })
    }

    fn pause(&mut self, _span: Duration) {}

    fn settle_time(&self) -> Duration {
        Duration::ZERO
    }
}

/// A log whose first requests retention removes before a read, one of each partition each time.
struct Shrinking {
    held: Held,
    /// Reads that are left until retention comes, and how often it comes then, read by read.
    reads: usize,
    times: usize,
}

impl Log for Shrinking {
    fn bounds(&mut self) -> Result<ByStage<Vec<Offsets>>, ResumeError> {
        self.held.bounds()
    }

    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), ResumeError> {
        if self.reads > 0 {
            self.reads -= 1;
        } else if self.times > 0 {
            self.times -= 1;
            self.held.0[Stage::Request].iter_mut().for_each(|(low, _)| *low += 1);
        }
        let is_there = |range: &Range| {
            let (low, _) = self.held.0[range.stage][range.partition as usize];
            range.from >= low as i64
        };
        if ranges.iter().all(is_there) { self.held.read(ranges, each) } else { Err(ResumeError::Removed) }
    }

    fn pause(&mut self, _span: Duration) {}

    fn settle_time(&self) -> Duration {
        Duration::ZERO
    }
}

/// A log beside which an earlier run has committed offsets.
struct Beside<L>(L, GroupCommitted);

impl<L: Log> Log for Beside<L> {
    fn bounds(&mut self) -> Result<ByStage<Vec<Offsets>>, ResumeError> {
        self.0.bounds()
    }

    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), ResumeError> {
        self.0.read(ranges, each)
    }

    fn committed(&mut self) -> Result<GroupCommitted, ResumeError> {
        Ok(self.1.clone())
    }

    fn pause(&mut self, span: Duration) {
        self.0.pause(span);
    }

    fn settle_time(&self) -> Duration {
        self.0.settle_time()
    }
}

/// What a run commits whose window starts at an auction when it has stored the first `count` records.
fn committed(stream: &Stream, start: u64, count: usize, is_exact: bool) -> GroupCommitted {
    let window = Window::unbounded(start);
    let upto = stream.records(window).take(count).last();
    let progress = Progress { start, upto: upto.as_ref().map(Position::from), is_exact };
    let ends = Held::of(stream, window, count).0;
    ends.map(|partitions| {
        let offset = |records: usize| (if is_exact { (2 * records).saturating_sub(1) } else { records }) as i64;
        partitions.iter().map(|(_, held)| Some(kafka::Committed { offset: offset(held.len()), progress })).collect()
    })
}

fn stream(spec: &StreamSpec) -> Stream {
    Stream::new(spec, &Layout::default())
}

fn find(stream: &Stream, start: Start, mut held: impl Log) -> Result<ResumePoint, ResumeError> {
    let stop = Shutdown::default();
    find_end(
        &ResumeRequest {
            stream,
            start,
            shard: Shard::WHOLE,
            require: false,
            fresh: false,
            transactional: false,
            stop: &stop,
        },
        &mut held,
    )
}

fn misfit(found: Result<ResumePoint, ResumeError>) -> Mismatch {
    match found {
        Err(ResumeError::Refused { why, .. }) => *why,
        other => panic!("{other:?}"),
    }
}

/// The first record that is left to play, as a run would find it.
fn next(stream: &Stream, standing: &ResumePoint) -> Record {
    stream.assigned_records(&standing.part).next().unwrap()
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
    assert!(matches!(why, Mismatch::NewTopic { .. }), "{why}");
    // Where the start was given it gets its records again.
    let held = Held::of(&stream, Window::unbounded(first), 3_000).made_anew(Stage::Request);
    let standing = find(&stream, Start::Given(Window::unbounded(first)), held).unwrap();
    assert_eq!((next(&stream, &standing).ordinal, next(&stream, &standing).stage), (first, Stage::Request));
}

#[test]
fn a_rate_of_zero_does_not_make_a_restart_look_through_the_whole_past() {
    let stream = stream(&StreamSpec { click_rate: Rate::from_percent(0), ..StreamSpec::default() });
    let begin = Instant::now();
    // The log's last auctions, as retention has left them, three years on.
    let (window, far) = (Window::unbounded(0), 1_000_000_000);
    let mut held = Held::of(&stream, Window::unbounded(far), 3_000);
    for partition in held.0.values_mut().flatten() {
        partition.0 = partition.1.len().min(1);
    }
    let standing = find(&stream, Start::Given(window), held).unwrap();
    assert!(next(&stream, &standing).ordinal > far);
    assert!(begin.elapsed() < limit(10), "{:?}", begin.elapsed());
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
    assert!(matches!(why, Mismatch::OtherStart { .. }), "{why}");
}

#[test]
fn what_transactions_have_left_of_an_emptied_partition_is_not_counted_as_records() {
    let stream = stream(&StreamSpec::default());
    let window = Window::unbounded(0);
    let whole = || Held::of(&stream, window, 3_000);
    let standing = find(&stream, Start::Given(window), Committed(whole())).unwrap();
    assert_eq!((next(&stream, &standing), standing.records), (stream.records(window).nth(3_000).unwrap(), None));
    // Twice as many clicks would be counted as there were, and as many be left out.
    let why = misfit(find(&stream, Start::Given(window), Committed(whole().emptied(Stage::Click))));
    assert!(matches!(why, Mismatch::Uncounted), "{why}");
}

#[test]
fn an_emptied_partition_is_not_placed_far_behind_all_that_is_held() {
    let rare = StreamSpec { click_rate: "0.001".parse().unwrap(), ..StreamSpec::default() };
    let stream = stream(&rare);
    let window = Window::unbounded(0);
    let mut held = Held::of(&stream, window, 3_000);
    // An earlier run's transactions: their ends were counted, and have gone with the records.
    let later = stream.records(window).filter(|record| record.stage == Stage::Click && record.partition == 0);
    let clicks: Vec<Record> = later.take(40).collect();
    assert!(clicks[39].ordinal > 200_000 + 3_000);
    held.0[Stage::Click][0] = (clicks.len(), clicks);
    let why = misfit(find(&stream, Start::Given(window), held));
    assert!(matches!(why, Mismatch::Uncounted), "{why}");
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
fn what_retention_removes_while_it_is_read_is_looked_at_again() {
    let stream = stream(&StreamSpec::default());
    let window = Window::unbounded(0);
    let shrinking = |reads, times| Shrinking { held: Held::of(&stream, window, 3_000), reads, times };
    for reads in 0..12 {
        let standing = find(&stream, Start::Given(window), shrinking(reads, 3)).unwrap();
        assert_eq!(next(&stream, &standing), stream.records(window).nth(3_000).unwrap(), "{reads}");
    }
    // It is given up where that does not end.
    let error = find(&stream, Start::Given(window), shrinking(0, usize::MAX)).unwrap_err();
    assert!(matches!(error, ResumeError::Removed), "{error}");
}

#[test]
fn a_window_from_now_to_a_time_that_has_passed_is_found_complete() {
    let stream = stream(&StreamSpec::default());
    let to_ms = stream.auctions().plan(1_500).request_ms;
    let whole = Window::auctions(100, 1_400);
    let held = Held::of(&stream, whole, usize::MAX);
    let standing = find(&stream, Start::Now(90_000, WindowEnd::ToMs(to_ms)), held).unwrap();
    assert_eq!(standing.part.window(), whole);
    assert_eq!(stream.assigned_records(&standing.part).next(), None);
}

#[test]
fn group_offsets_place_emptied_partitions_behind_transactions_too() {
    let stream = stream(&StreamSpec::default());
    let window = Window::unbounded(0);
    let held = Committed(Held::of(&stream, window, 3_000).emptied(Stage::Click));
    let beside = Beside(held, committed(&stream, 0, 3_000, true));
    let standing = find(&stream, Start::Given(window), beside).unwrap();
    assert_eq!(next(&stream, &standing), stream.records(window).nth(3_000).unwrap());
    assert!(standing.by_offsets);
}

#[test]
fn group_offsets_that_do_not_fit_to_the_log_are_not_believed() {
    let stream = stream(&StreamSpec::default());
    let now = Start::Now(90_000, WindowEnd::Never);
    let emptied = || Held::of(&stream, Window::unbounded(50), 3_000).cut(Stage::Request, 10).emptied(Stage::Click);
    // Of other topics, which had come further before they were deleted.
    let beside = Beside(emptied(), committed(&stream, 50, 60_000, false));
    assert!(matches!(find(&stream, now, beside), Err(ResumeError::StartUnknown { .. } | ResumeError::Refused { .. })));
    // Of a run that started later than what the log holds.
    let beside = Beside(emptied(), committed(&stream, 700, 100, false));
    assert!(matches!(find(&stream, now, beside), Err(ResumeError::StartUnknown { .. } | ResumeError::Refused { .. })));
    // Of another start than the one that is given.
    let beside = Beside(Committed(emptied()), committed(&stream, 0, 3_000, true));
    let why = misfit(find(&stream, Start::Given(Window::unbounded(50)), beside));
    assert!(matches!(why, Mismatch::Uncounted), "{why}");
    // Where nothing is cut nobody asks for them.
    let whole = Beside(Held::of(&stream, Window::unbounded(0), 3_000), committed(&stream, 700, 100, false));
    let standing = find(&stream, Start::Given(Window::unbounded(0)), whole).unwrap();
    assert!(!standing.by_offsets);
    assert_eq!(next(&stream, &standing), stream.records(Window::unbounded(0)).nth(3_000).unwrap());
}

/// All that a reader sees of a record.
fn bytes(record: &Record) -> (i64, &[u8], Option<&[u8]>, &[Header]) {
    (record.timestamp_ms, &record.key, record.payload(), &record.headers)
}

fn are_equal(a: &[Record], b: &[Record]) -> bool {
    a.iter().map(bytes).eq(b.iter().map(bytes))
}

/// Where in a partition's sequence what retention has left of it can stand.
fn places(whole: &[Record], left: &[Record]) -> usize {
    whole.windows(left.len().max(1)).filter(|run| are_equal(run, left)).count()
}

/// What is left to play is, partition by partition, what follows on what was held.
fn assert_goes_on(stream: &Stream, standing: &ResumePoint, window: Window, held: &Held, count: usize) {
    let mut left = held.0.each_ref().map(|partitions| partitions.iter().map(|(_, r)| r.len()).collect::<Vec<_>>());
    let is_left = |record: &Record| {
        let left = &mut left[record.stage][record.partition as usize];
        *left = left.wrapping_sub(1);
        *left > usize::MAX / 2
    };
    let mut expected = Vec::new();
    let mut is_left = is_left;
    for record in stream.records(window) {
        if is_left(&record) {
            expected.push(record);
        }
        if expected.len() == count {
            break;
        }
    }
    let rest: Vec<Record> = stream.assigned_records(&standing.part).take(count).collect();
    assert!(rest == expected, "another rest: {:?}, expected {:?}", rest.first(), expected.first());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// forall specs with faults, windows w, of each partition a number of its first records, and of these how many retention has removed:
    /// the log is gone on with exactly behind what each partition holds; refused, as ambiguous, only where what is left of a partition can
    /// stand at more than one place.
    #[test]
    fn each_partitions_prefix_is_found_over_any_faults(
        (spec, start, count) in faulty_spec_and_window(),
        ends in prop::collection::vec(any::<Index>(), 24),
        lows in prop::option::of(prop::collection::vec(any::<Index>(), 24)),
    ) {
        let (stream, window) = (stream(&spec), Window::auctions(start, count));
        let mut whole = Held::of(&stream, window, usize::MAX);
        let mut held = whole.clone();
        for (at, (low, records)) in held.partitions().enumerate() {
            records.truncate(ends[at].index(records.len() + 1));
            *low = lows.as_ref().map_or(0, |lows| lows[at].index(records.len() + 1));
        }
        let is_ambiguous = whole.partitions().zip(held.partitions()).any(|((_, whole), (low, held))| {
            *low > 0 && *low < held.len() && places(whole, &held[*low..]) > 1
        });
        match find(&stream, Start::Given(window), held.clone()) {
            Ok(standing) => {
                prop_assert!(!is_ambiguous, "ambiguous");
                assert_goes_on(&stream, &standing, window, &held, usize::MAX);
            }
            Err(ResumeError::Refused { why, .. }) if matches!(*why, Mismatch::Ambiguous { .. }) => prop_assert!(is_ambiguous, "{}", why),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    /// forall specs with faults, starts: a window from now is found again whatever each partition has come to, and if retention has removed
    /// heads, it is gone on with as an uninterrupted run would, or refused.
    #[test]
    fn a_window_from_now_is_found_again_over_any_faults(
        (spec, start, _) in faulty_spec_and_window_from_now(),
        ends in prop::collection::vec(any::<Index>(), 24),
        lows in prop::option::of(prop::collection::vec(any::<Index>(), 24)),
    ) {
        let stream = stream(&spec);
        let stop = Shutdown::default();
        let ask = ResumeRequest { stream: &stream, start: Start::Now(start, WindowEnd::Never), shard: Shard::WHOLE, require: false, fresh: true, transactional: false, stop: &stop };
        prop_assume!(stream.auctions().first_plain_request(start, 5_000).is_some());
        let mut empty = Held::of(&stream, Window::auctions(start, 0), 0);
        let begun = find_end(&ask, &mut empty).unwrap();
        prop_assert!(begun.first_alone);
        let window = begun.part.window();
        let mut held = Held::of(&stream, window, 400);
        let first = stream.records(window).next().unwrap();
        prop_assert_eq!((first.ordinal, first.stage), (window.start(), Stage::Request));
        for (at, (low, records)) in held.partitions().enumerate() {
            records.truncate(ends[at].index(records.len() + 1));
            *low = lows.as_ref().map_or(0, |lows| lows[at].index(records.len() + 1));
        }
        let requests = &mut held.0[Stage::Request][first.partition as usize].1;
        if requests.is_empty() {
            requests.push(first);
        }
        match find(&stream, Start::Now(start + 1_000, WindowEnd::Never), held.clone()) {
            Ok(standing) => assert_goes_on(&stream, &standing, window, &held, 600),
            Err(error) => prop_assert!(lows.is_some(), "{}", error),
        }
    }

    /// forall specs with faults, starts, records at the last commit of group offsets, records of each partition since, and of these how many
    /// retention has removed: a window from now is resumed as if nobody had interrupted it, whatever retention has left.
    #[test]
    fn a_window_from_now_is_resumed_by_group_offsets_whatever_retention_has_left(
        (spec, start, _) in faulty_spec_and_window_from_now(),
        commit in 1_usize..400,
        ends in prop::collection::vec(any::<Index>(), 24),
        lows in prop::collection::vec(any::<Index>(), 24),
        is_exact in any::<bool>(),
    ) {
        let stream = stream(&spec);
        let Some(start) = stream.auctions().first_plain_request(start, 5_000) else { return Err(TestCaseError::reject("no plain request")) };
        let window = Window::unbounded(start);
        let whole = Held::of(&stream, window, 400);
        let mut held = Held::of(&stream, window, commit);
        for (at, ((low, records), (_, whole))) in held.partitions().zip(whole.clone().partitions()).enumerate() {
            let since = if is_exact { 0 } else { ends[at].index(whole.len() - records.len() + 1) };
            records.extend_from_slice(&whole[records.len()..records.len() + since]);
            // Cut somewhere, and often whole.
            *low = (lows[at].index(2 * records.len() + 2)).min(records.len());
        }
        let committed = committed(&stream, start, commit, is_exact);
        let now = Start::Now(start + 1_000, WindowEnd::Never);
        let found = if is_exact {
            let stop = Shutdown::default();
            let shard = Shard::WHOLE;
            let ask = ResumeRequest { stream: &stream, start: now, shard, require: false, fresh: false, transactional: true, stop: &stop };
            find_end(&ask, &mut Beside(Committed(held.clone()), committed))
        } else {
            find(&stream, now, Beside(held.clone(), committed))
        };
        let is_cut = held.partitions().any(|(low, _)| *low > 0);
        let is_left = |low: usize, records: &[Record], whole: &[Record]| low == 0 || places(whole, &records[low..]) == 1 || low == records.len();
        let is_told = held.partitions().zip(whole.clone().partitions()).all(|((low, records), (_, whole))| is_left(*low, records, whole));
        match found {
            Ok(standing) => {
                prop_assert!(!is_cut || standing.part.window() == window, "another start: {:?}", standing.part.window());
                assert_goes_on(&stream, &standing, window, &held, 600);
            }
            // Of two equal records that a partition may end with, what precedes them tells which; retention may have left too little.
            Err(ResumeError::Refused { why, .. }) if matches!(*why, Mismatch::Ambiguous { .. }) => prop_assert!(is_cut, "{}", why),
            // Two places of equal records are told by what precedes them only; a head of a window from now is its request.
            Err(error) => prop_assert!(!is_cut || !is_told, "{}", error),
        }
    }

    /// forall specs with faults, prefixes of partitions, damages of one record or two in one of them: refused, unless what is there is a
    /// prefix all the same.
    #[test]
    fn a_damaged_tail_is_refused_over_any_faults(
        (spec, start, count) in faulty_spec_and_window(),
        ends in prop::collection::vec(any::<Index>(), 24),
        (which, at, damage) in (any::<Index>(), any::<Index>(), 0..6u8),
    ) {
        let (stream, window) = (stream(&spec), Window::auctions(start, count));
        let mut whole = Held::of(&stream, window, usize::MAX);
        let mut held = whole.clone();
        for (at, (_, records)) in held.partitions().enumerate() {
            records.truncate(ends[at].index(records.len() + 1));
        }
        let filled = held.partitions().filter(|(_, records)| records.len() > 1).count();
        prop_assume!(filled > 0);
        let records = &mut held.partitions().filter(|(_, records)| records.len() > 1).nth(which.index(filled)).unwrap().1;
        let at = at.index(records.len() - 1);
        match damage {
            0 => drop(records.remove(at)),
            1 => records.swap(at, at + 1),
            2 => records.insert(at, records[at].clone()),
            3 => records[at].value.push(b' '),
            4 => records[at].is_tombstone ^= true,
            _ => records[at].timestamp_ms += 1,
        }
        let is_prefix = whole.partitions().zip(held.partitions()).all(|((_, whole), (_, held))| {
            held.len() <= whole.len() && are_equal(&whole[..held.len()], held)
        });
        let found = find(&stream, Start::Given(window), held);
        prop_assert_eq!(found.is_ok(), is_prefix, "{:?}", found);
    }
}

/// A stream in which everything is repeated, and one of its partitions' records.
fn repeating(faults: Faults) -> (Stream, Window) {
    let faults = FaultPlan::try_from(faults).unwrap();
    let always = || "1".parse().unwrap();
    let spec = StreamSpec { bid_response_rate: always(), win_rate: always(), faults, ..StreamSpec::default() };
    (stream(&spec), Window::auctions(0, 400))
}

#[test]
fn a_tail_that_ends_with_one_of_two_duplicates_is_told_by_its_neighbours() {
    let (stream, window) = repeating(Faults { duplicates: "0.5:5s".parse().unwrap(), ..Faults::default() });
    let whole = Held::of(&stream, window, usize::MAX);
    let mut told = [0, 0];
    let requests = &whole.0[Stage::Request][0].1;
    for (index, record) in requests.iter().enumerate() {
        let is_repeated = requests.iter().filter(|other| bytes(other) == bytes(record)).count() == 2;
        if !is_repeated {
            continue;
        }
        let mut held = whole.clone();
        held.0[Stage::Request][0].1.truncate(index + 1);
        let standing = find(&stream, Start::Given(window), held.clone()).unwrap();
        assert_goes_on(&stream, &standing, window, &held, usize::MAX);
        told[record.copy as usize] += 1;
        if index == 0 {
            continue;
        }
        // With one record left nothing tells them apart.
        held.0[Stage::Request][0].0 = index;
        let why = misfit(find(&stream, Start::Given(window), held.clone()));
        assert!(matches!(why, Mismatch::Ambiguous { .. }), "{why}");
        assert!(why.to_string().contains("which this stream has twice"), "{why}");
        // With its neighbour left it does, unless that is repeated as well, side by side.
        held.0[Stage::Request][0].0 = index - 1;
        let left = &requests[index - 1..=index];
        if places(requests, left) == 1 || index == 1 {
            let standing = find(&stream, Start::Given(window), held.clone()).unwrap();
            assert_goes_on(&stream, &standing, window, &held, usize::MAX);
        }
    }
    assert!(told[0] > 20 && told[1] > 20, "{told:?}");
}

#[test]
fn tails_that_end_with_any_form_are_gone_on_with() {
    let every = || "0.5:5s".parse().unwrap();
    let share = || "0.5".parse().unwrap();
    let faults = Faults {
        late: every(),
        duplicates: every(),
        conflicts: every(),
        malformed: share(),
        invalid: share(),
        tombstones: share(),
        ..Faults::default()
    };
    let (stream, window) = repeating(faults);
    let whole = Held::of(&stream, window, usize::MAX);
    for stage in Stage::ALL {
        for form in CopyKind::ALL {
            let Some((partition, index)) = (0..6).find_map(|partition| {
                let records = &whole.0[stage][partition].1;
                Some((partition, records.iter().skip(3).position(|record| record.copy == form.copy())? + 3))
            }) else {
                assert_eq!(stage, Stage::Click, "no {form:?}");
                continue;
            };
            let mut held = whole.clone();
            held.0[stage][partition].1.truncate(index + 1);
            let standing = find(&stream, Start::Given(window), held.clone()).unwrap();
            assert_goes_on(&stream, &standing, window, &held, usize::MAX);
        }
    }
}

#[test]
fn a_window_from_now_begins_with_a_plain_request_or_not_at_all() {
    let share = |text: &str| text.parse().unwrap();
    let all = Faults { orphans: share("1"), ..Faults::default() };
    let (stream, _) = repeating(all);
    let empty = || Held::of(&stream, Window::auctions(0, 0), 0);
    let refused = find(&stream, Start::Now(0, WindowEnd::Never), empty());
    assert!(matches!(refused, Err(ResumeError::NoPlainRequest)), "{refused:?}");
    // A start that was given begins with whatever there is.
    assert!(find(&stream, Start::Given(Window::unbounded(0)), empty()).is_ok());
}

#[test]
fn requests_made_anew_are_noticed_though_the_least_auctions_request_was_dropped() {
    let (stream, _) = repeating(Faults { orphans: Rate::from_percent(50), ..Faults::default() });
    let first = (0..1_000_000).find(|&first| {
        let auctions = stream.auctions();
        let is_dropped = |ordinal| auctions.planned_faults(&auctions.plan(ordinal)).of(Stage::Request).is_dropped;
        // Of the first auction only the request is left, and the next one's is dropped.
        let positions = stream.positions_of_auction(first);
        positions.len() == 1
            && auctions.has_plain_request(&auctions.plan(first))
            && !is_dropped(first)
            && is_dropped(first + 1)
    });
    let first = first.unwrap();
    let held = Held::of(&stream, Window::unbounded(first), 3_000).made_anew(Stage::Request);
    let why = misfit(find(&stream, Start::Now(first + 50_000, WindowEnd::Never), held));
    assert!(matches!(why, Mismatch::NewTopic { .. }), "{why}");
}

/// Retention has left nothing, and "now" may lie where the stream has ended.
#[test]
fn a_window_from_now_of_which_nothing_is_left_is_refused() {
    let stream = stream(&StreamSpec::default());
    let mut held = Held::of(&stream, Window::auctions(0, 100), 400);
    for (low, records) in held.partitions() {
        *low = records.len();
    }
    for first in [1_000, stream.auctions().clock().auctions() + 5] {
        let error = find(&stream, Start::Now(first, WindowEnd::Never), held.clone()).unwrap_err();
        assert!(matches!(error, ResumeError::StartUnknown { .. }), "{error}");
    }
}
