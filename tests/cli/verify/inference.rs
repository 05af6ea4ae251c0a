//! What a log is to hold, where nothing says it, and what cannot be told any more.

use mock_data_gen::generator::spec::{
    EventsPerSecond, Faults, KeyBy, Layout, Partitions, Rate, Stage, StreamSpec, Topic, TopicName,
};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::source::memory::Memory;
use mock_data_gen::source::{LogPlace, Source, SourceError};
use mock_data_gen::verify::{Explanation, Outcome, Verdict, VerifyError, VerifyOptions, explain, verify};

use super::{Logs, PLACES, faulty_stream, logs, plain_logs, stream, verdict, window, window_of};
use crate::choices::Choices;

#[test]
fn clean_logs_raise_no_alarm() {
    for round in 0..1_300 {
        let mut choices = Choices(18_000_000 + round);
        let (stream, wanted) = if round < 1_000 { stream(&mut choices) } else { faulty_stream(&mut choices) };
        let kind = choices.index(6);
        let start = wanted.start();
        let without_end = stream.records(Window::unbounded(start));
        let (logs, demand) = match kind {
            0 => (logs(&stream, stream.records(wanted)), window(wanted)),
            1 => (logs(&stream, stream.records(wanted)), VerifyOptions::default()),
            2 | 3 => {
                let stopped = logs(&stream, without_end.take(1 + choices.index(900)));
                (stopped, if kind == 2 { VerifyOptions::default() } else { window(Window::unbounded(start)) })
            }
            4 => {
                // A log that still grows: each partition as far as it got.
                let mut grown = logs(&stream, without_end.take(900));
                for log in &mut grown {
                    let kept = choices.index(log.len() + 1);
                    log.truncate(kept.max(usize::from(!log.is_empty())));
                }
                (grown, VerifyOptions { prefix: true, ..window(Window::unbounded(start)) })
            }
            _ => {
                // Retention has cut some heads off; each partition keeps something.
                let mut cut = logs(&stream, without_end.take(900));
                for log in &mut cut {
                    if choices.index(3) > 0 && !log.is_empty() {
                        let gone = choices.index(log.len());
                        log.drain(..gone);
                    }
                }
                (cut, if choices.index(2) == 0 { VerifyOptions::default() } else { window(Window::unbounded(start)) })
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
        click_rate: Rate::from_percent(2),
        faults: faults.try_into().unwrap(),
        ..plain.auctions().spec().clone()
    };
    let start = if choices.index(2) == 0 { 0 } else { choices.next() % 1_000_000_000 };
    let start = if spec.faults.idle.is_some() { choices.index(20) as u64 } else { start };
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

        let count = 1 + choices.index(total);
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
        events_per_second: EventsPerSecond::new(5_000),
        key_by: KeyBy::User,
        headers: true,
        faults: Faults {
            late: "1:20s".parse().unwrap(),
            duplicates: "0.2".parse().unwrap(),
            malformed: Rate::from_percent(1),
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
            lows.push(match choices.index(3) {
                0 => 0,
                1 => choices.index(log.len() + 1),
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

/// A source whose broker writes the time of its own clock into the records of one topic.
struct Restamped(Memory, TopicName);

impl Source for Restamped {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn logs(&self) -> &[LogPlace] {
        self.0.logs()
    }

    fn next(&mut self, log: usize, record: &mut LogRecord) -> Result<bool, SourceError> {
        self.0.next(log, record)
    }

    fn tails(&mut self, count: usize) -> Result<Vec<Vec<LogRecord>>, SourceError> {
        self.0.tails(count)
    }

    fn restamped(&self) -> Vec<TopicName> {
        vec![self.1.clone()]
    }
}

#[test]
fn times_of_a_brokers_clock_are_named_by_topic() {
    let named = "the broker writes the time of its own clock into the records of topic `impressions`, in place of the stream's \
                 (message.timestamp.type=LogAppendTime)";
    let guessed = "is the topic's message.timestamp.type LogAppendTime?";
    let (stream, logs) = plain_logs(500);
    for (is_one, is_known) in [(true, true), (false, true), (false, false)] {
        let mut logs = logs.clone();
        // Six partitions a topic.
        for record in logs[if is_one { 12..18 } else { 0..24 }].iter_mut().flatten() {
            record.timestamp_ms = 1_900_000_000_000;
        }
        let memory = Memory::new(stream.layout(), logs);
        let demand = window(Window::auctions(0, 500));
        let found = if is_known {
            let topic = stream.layout().topic(Stage::Impression).name.clone();
            verify(&stream, &mut Restamped(memory, topic), demand, &Shutdown::default(), |_, _| {}).unwrap()
        } else {
            judged(&stream, memory, demand)
        };
        let said = found.to_string();
        assert_eq!((said.contains(named), said.contains(guessed)), (is_known, !is_known), "{said}");
    }
}

/// One option that another value of explains what is there is named; a loss is explained by none.
#[test]
fn the_one_option_that_explains_the_logs_is_named() {
    let written = StreamSpec { win_rate: Rate::from_percent(50), seed: 7, ..StreamSpec::default() };
    let stream = Stream::new(&written, &Layout::default());
    let logs = logs(&stream, stream.records(Window::auctions(0, 2_000)));
    let explained = |spec: &StreamSpec, logs: &Logs| {
        explain(spec, &mut Memory::new(stream.layout(), logs.clone()), Some(0)).unwrap()
    };
    assert_eq!(explained(&written, &logs), None);
    let is = |option: &'static str, found: &str, given: &str| {
        Some(Explanation { option, found: found.to_owned(), given: given.to_owned(), second: None })
    };
    let win_rate = |rate: &str| StreamSpec { win_rate: rate.parse().unwrap(), ..written.clone() };
    assert_eq!(explained(&win_rate("0.6"), &logs), is("win-rate", "0.5", "0.6"));
    assert_eq!(explained(&win_rate("0.150"), &logs), is("win-rate", "0.5", "0.15"));
    let other = StreamSpec { bid_response_rate: Rate::from_percent(100), ..written.clone() };
    assert_eq!(explained(&other, &logs), is("bid-response-rate", "0.6", "1"));
    let other = StreamSpec { headers: true, ..written.clone() };
    assert_eq!(explained(&other, &logs), is("headers", "false", "true"));
    let other = StreamSpec { key_by: KeyBy::User, ..written.clone() };
    assert_eq!(explained(&other, &logs), is("key-by", "id", "user"));
    let other = StreamSpec { events_per_second: EventsPerSecond::new(50), ..written.clone() };
    assert_eq!(explained(&other, &logs), is("events-per-second", "10", "50"));
    let faults = Faults { duplicates: "0.1".parse().unwrap(), ..Faults::default() };
    let other = StreamSpec { faults: faults.try_into().unwrap(), ..written.clone() };
    assert_eq!(explained(&other, &logs), is("duplicates", "0", "0.1:1s"));
    // Another seed, three options at once, a lost record: nothing is made up.
    assert_eq!(explained(&StreamSpec { seed: 8, ..written.clone() }, &logs), None);
    let three = StreamSpec { headers: true, key_by: KeyBy::User, ..win_rate("0.2") };
    assert_eq!(explained(&three, &logs), None);
    for log in 0..12 {
        let mut lossy = logs.clone();
        lossy[log].remove(5);
        assert_eq!(explained(&written, &lossy), None, "log {log}");
    }
}

#[test]
fn two_options_that_explain_the_logs_together_are_named() {
    let written =
        StreamSpec { win_rate: "0.5".parse().unwrap(), click_rate: "0.4".parse().unwrap(), ..StreamSpec::default() };
    let stream = Stream::new(&written, &Layout::default());
    let logs = logs(&stream, stream.records(Window::auctions(0, 2_000)));
    let with = |change: fn(&mut StreamSpec)| {
        let mut spec = written.clone();
        change(&mut spec);
        spec
    };
    let rate = |text: &str| text.parse().unwrap();
    let faults = Faults { duplicates: "0.1".parse().unwrap(), tombstones: rate("0.2"), ..Faults::default() };
    let of_faults = StreamSpec { faults: faults.try_into().unwrap(), ..written.clone() };
    let cases = [
        (
            with(|spec| (spec.headers, spec.win_rate) = (true, "0.2".parse().unwrap())),
            "--headers false and --win-rate 0.5",
            "true and 0.2",
        ),
        (
            with(|spec| (spec.headers, spec.key_by) = (true, KeyBy::User)),
            "--headers false and --key-by id",
            "true and user",
        ),
        (with(|spec| (spec.seed, spec.key_by) = (7, KeyBy::Request)), "--key-by id and --seed 42", "request and 7"),
        (
            with(|spec| (spec.seed, spec.win_rate) = (7, "1".parse().unwrap())),
            "--seed 42 and --win-rate 0.5",
            "7 and 1",
        ),
        (
            with(|spec| (spec.bid_response_rate, spec.click_rate) = ("0.7".parse().unwrap(), "0.1".parse().unwrap())),
            "--bid-response-rate 0.6 and --click-rate 0.4",
            "0.7 and 0.1",
        ),
        (
            with(|spec| (spec.win_rate, spec.click_rate) = ("0.15".parse().unwrap(), "1".parse().unwrap())),
            "--win-rate 0.5 and --click-rate 0.4",
            "0.15 and 1",
        ),
        (of_faults, "--duplicates 0 and --tombstones 0", "0.1:1s and 0.2"),
    ];
    for (spec, found, given) in cases {
        let explained = explain(&spec, &mut Memory::new(stream.layout(), logs.clone()), Some(0)).unwrap();
        let expected = format!("what is there are the records of {}, and {given} were given", found.replace("--", ""));
        assert_eq!(explained.map(|explained| explained.to_string()), Some(expected));
    }
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
