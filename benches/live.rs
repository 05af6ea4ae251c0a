//! Live pace as somebody outside sees it. `make bench-live` starts a real Kafka and runs this (`SECONDS=10` for the short form).
//!
//! At each rate the program plays live; kcat reads the topics meanwhile. Over a span of event time, what kcat read is compared
//! with what the stream says for that span. Prints one line of JSON a rate and a table, and fails if a criterion is missed:
//!
//! - records: as many as planned, within 0.1 % or one; each partition's in order, none missing in between, none doubled
//! - lateness at release, up to 20,000 requests a second: at most 2 ms at p99, if the machine is quiet, that is, if a thread
//!   that sleeps for 1 ms meanwhile oversleeps by at most 1 ms at p99
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(clippy::expect_used, clippy::float_arithmetic, reason = "a benchmark fails by panicking, and prints ratios")]

use std::collections::BTreeMap;
use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mock_data_gen::generator::spec::{Layout, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::log::count::grouped;
use mock_data_gen::player::pace::wall_clock_us;
use serde_json::{Value, json};

const RATES: [u64; 4] = [10, 1_000, 20_000, 59_000];
const SECONDS: u64 = 60;
/// Before the first rate the broker is played into, into topics of their own and unmeasured: one that was only just started compiles
/// its own code on all cores.
const WARM_UP_RATE: u64 = 19_000;
const WARM_UP_SECONDS: u64 = 20;
/// Lateness is judged up to this rate.
const JUDGED_RATE_MAX: u64 = 20_000;
const LATE_US_MAX: u64 = 2_000;
/// A machine on which a sleep of a millisecond takes longer than this at p99 is not quiet.
const OVERSLEPT_US_MAX: u64 = 1_000;
/// The span begins so long after the topics are there, and the run ends so long after the span.
const MARGIN: Duration = Duration::from_millis(1_500);
/// How long kcat may take to read what was acknowledged.
const READ_MAX: Duration = Duration::from_secs(20);

/// Records of a span by topic and partition, in order, each as a hash of its key.
type Seen = BTreeMap<(usize, u32), Vec<u64>>;

/// A span of event time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Span {
    from_ms: i64,
    to_ms: i64,
}

impl Span {
    fn contains(self, time_ms: i64) -> bool {
        (self.from_ms..self.to_ms).contains(&time_ms)
    }
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Of microseconds, up to an hour.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("legal bounds")
}

fn quantiles(micros: &Histogram<u64>) -> Value {
    let at = |share| micros.value_at_quantile(share);
    json!({ "p50_us": at(0.5), "p99_us": at(0.99), "max_us": micros.max() })
}

/// What the stream says of a span of a run that begins with this auction.
fn planned(rate: u64, first: u64, span: Span) -> Seen {
    let rate = rate.to_string().parse().expect("a rate");
    let spec = StreamSpec { events_per_second: rate, ..StreamSpec::default() };
    let stream = Stream::new(&spec, &Layout::default());
    let first = stream.auctions().first_from_ms(span.from_ms - spec.lag_ms_max()).max(first);
    let mut records = stream.records(Window::unbounded(first));
    let mut planned = Seen::new();
    while let Some(position) = records.next_position() {
        if position.emit_ms >= span.to_ms {
            break;
        }
        if span.contains(position.emit_ms) {
            let log = planned.entry((position.stage.index(), stream.partition(position))).or_default();
            log.push(hash(&stream.key(position)));
        }
    }
    planned
}

/// A thread that sleeps for a millisecond, again and again, and measures by how much it oversleeps.
fn measure_sleep(over: &Arc<AtomicBool>) -> JoinHandle<Histogram<u64>> {
    let over = Arc::clone(over);
    thread::spawn(move || {
        let mut overslept = histogram();
        while !over.load(Ordering::Relaxed) {
            let begin = Instant::now();
            sleep(Duration::from_millis(1));
            overslept.saturating_record((begin.elapsed().as_micros() as u64).saturating_sub(1_000));
        }
        overslept
    })
}

/// kcat on one topic, from its beginning.
struct Reader {
    kcat: Child,
    thread: JoinHandle<(Seen, Histogram<u64>)>,
}

impl Reader {
    fn start(bootstrap: &str, topic: &str, stage: Stage, span: Span, count: &Arc<AtomicU64>) -> Self {
        let args = ["-C", "-u", "-q", "-o", "beginning", "-f", "%p %T %k\n", "-X", "fetch.wait.max.ms=5"];
        let mut kcat = Command::new("kcat");
        kcat.args(["-b", bootstrap, "-t", topic]).args(args).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut kcat = kcat.spawn().expect("kcat");
        let lines = kcat.stdout.take().expect("a pipe");
        let count = Arc::clone(count);
        Self { kcat, thread: thread::spawn(move || read(lines, stage, span, &count)) }
    }

    fn end(mut self) -> (Seen, Histogram<u64>) {
        self.kcat.kill().expect("kcat runs until it is killed");
        self.kcat.wait().expect("kcat ended");
        self.thread.join().expect("a reader")
    }
}

/// Takes kcat's lines, and measures how long after its time a record of the span came to be seen.
fn read(lines: ChildStdout, stage: Stage, span: Span, count: &AtomicU64) -> (Seen, Histogram<u64>) {
    let (mut seen, mut after) = (Seen::new(), histogram());
    let mut lines = BufReader::with_capacity(1 << 16, lines);
    let mut line = String::new();
    while lines.read_line(&mut line).expect("kcat's text") > 0 {
        let mut words = line.trim_end().split(' ');
        let mut word = || words.next().expect("three words");
        let partition = word().parse().expect("a partition");
        let time_ms: i64 = word().parse().expect("a time");
        if span.contains(time_ms) {
            seen.entry((stage.index(), partition)).or_default().push(hash(word().as_bytes()));
            after.saturating_record(u64::try_from(wall_clock_us() - time_ms * 1_000).unwrap_or(0));
        }
        count.fetch_add(1, Ordering::Relaxed);
        line.clear();
    }
    (seen, after)
}

/// The program, playing live into topics of this rate's own.
fn play(bootstrap: &str, rate: u64, topics: &[String; 4]) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    program.args(["--bootstrap-servers", bootstrap, "--report", "json", "--events-per-second", &rate.to_string()]);
    for (topic, flag) in topics.iter().zip(["bid-requests", "bid-responses", "impressions", "clicks"]) {
        program.args([&format!("--topic-{flag}"), topic]);
    }
    let mut program = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let mut said = BufReader::new(program.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.starts_with(&format!("created topic {}", topics[3])) {
        line.clear();
        assert!(said.read_line(&mut line).expect("text") > 0, "the program ended too early");
    }
    (program, said)
}

fn sleep_until(time_ms: i64) {
    let left_us = time_ms * 1_000 - wall_clock_us();
    sleep(Duration::from_micros(u64::try_from(left_us).unwrap_or(0)));
}

/// Plays at a rate, and returns what was measured.
fn measure(bootstrap: &str, rate: u64, seconds: u64) -> Value {
    let topics = Stage::ALL.map(|stage| format!("live-{rate}-{}", Layout::default().topic(stage).name));
    let (program, mut said) = play(bootstrap, rate, &topics);
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let overslept = measure_sleep(&over);
    let from_ms = wall_clock_us() / 1_000 + MARGIN.as_millis() as i64;
    let span = Span { from_ms, to_ms: from_ms + seconds as i64 * 1_000 };
    let readers = Stage::ALL.map(|stage| Reader::start(bootstrap, &topics[stage.index()], stage, span, &count));
    sleep_until(span.to_ms + MARGIN.as_millis() as i64);
    over.store(true, Ordering::Relaxed);
    let overslept = overslept.join().expect("a sleeper");

    let killed = Command::new("kill").args(["-INT", &program.id().to_string()]).status().expect("kill");
    assert!(killed.success(), "the program ended too early");
    let mut text = String::new();
    said.read_to_string(&mut text).expect("text");
    let output = program.wait_with_output().expect("an end");
    assert!(output.status.success(), "{text}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");

    let acked = report["acked"].as_u64().expect("a count");
    let begin = Instant::now();
    while count.load(Ordering::Relaxed) < acked && begin.elapsed() < READ_MAX {
        sleep(Duration::from_millis(20));
    }
    let (mut seen, mut after) = (Seen::new(), histogram());
    for reader in readers {
        let (of_topic, after_topic) = reader.end();
        seen.extend(of_topic);
        after.add(after_topic).expect("the same bounds");
    }
    let warnings = text.lines().filter(|line| line.contains("WARN")).collect::<Vec<_>>();
    let (overslept, after) = (quantiles(&overslept), quantiles(&after));
    let measured = json!({
        "requests_per_second": rate, "seconds": seconds, "lateness": report["lateness"], "seen_after": after,
        "overslept": overslept, "warnings": warnings,
    });
    let first = report["window"]["first_ordinal"].as_u64().expect("an ordinal");
    judge(measured, &planned(rate, first, span), &seen)
}

/// Adds the counts, and what is wrong with them and with the lateness.
fn judge(mut measured: Value, planned: &Seen, seen: &Seen) -> Value {
    let total = |logs: &Seen| logs.values().map(|log| log.len() as u64).sum::<u64>();
    let (planned_total, seen_total) = (total(planned), total(seen));
    let mut wrong = Vec::new();
    if seen_total.abs_diff(planned_total) > (planned_total / 1_000).max(1) {
        wrong.push(format!("{seen_total} records instead of {planned_total}"));
    }
    for (&(stage, partition), log) in seen {
        if !planned.get(&(stage, partition)).is_some_and(|planned| planned.starts_with(log)) {
            wrong.push(format!("{}/{partition}: a record missing, doubled or out of order", Stage::ALL[stage]));
        }
    }
    let rate = measured["requests_per_second"].as_u64().unwrap_or(0);
    let us = |of: &str| measured[of]["p99_us"].as_u64().unwrap_or(u64::MAX);
    let quiet = us("overslept") <= OVERSLEPT_US_MAX;
    if rate <= JUDGED_RATE_MAX && us("lateness") > LATE_US_MAX && quiet {
        wrong.push(format!("released {} us late at p99", us("lateness")));
    }
    let error_percent = (seen_total as f64 - planned_total as f64) / planned_total as f64 * 100.0;
    let counts = json!({ "planned": planned_total, "seen": seen_total, "rate_error_percent": error_percent });
    for (key, value) in [("records", counts), ("quiet", json!(quiet)), ("wrong", json!(wrong))] {
        measured[key] = value;
    }
    measured
}

/// A row for people.
fn row(measured: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let ms = |of: &str, which: &str| format!("{:.2}", number(&measured[of][which]) as f64 / 1_000.0);
    let spread = |of: &str| format!("{} / {} / {}", ms(of, "p50_us"), ms(of, "p99_us"), ms(of, "max_us"));
    format!(
        "{:>10}  {:>11}  {:>11}  {:>9.4} %  {:>24}  {:>24}  {:>16}",
        grouped(number(&measured["requests_per_second"])),
        grouped(number(&measured["records"]["planned"])),
        grouped(number(&measured["records"]["seen"])),
        measured["records"]["rate_error_percent"].as_f64().unwrap_or(f64::NAN),
        spread("lateness"),
        spread("seen_after"),
        format!("{} ms{}", ms("overslept", "p99_us"), if measured["quiet"] == true { "" } else { " (!)" }),
    )
}

fn main() -> ExitCode {
    let bootstrap = env::var("KAFKA_BOOTSTRAP").expect("no KAFKA_BOOTSTRAP: run this by `make bench-live`");
    let seconds = env::var("SECONDS").ok().map_or(SECONDS, |text| text.parse().expect("SECONDS is a number"));
    let mut rows = vec![format!(
        "{:>10}  {:>11}  {:>11}  {:>11}  {:>24}  {:>24}  {:>16}",
        "requests/s", "planned", "seen", "rate error", "released late, ms", "seen by kcat after, ms", "overslept, p99"
    )];
    let mut failed = false;
    measure(&bootstrap, WARM_UP_RATE, WARM_UP_SECONDS);
    for rate in RATES {
        let measured = measure(&bootstrap, rate, seconds);
        println!("{measured}");
        rows.push(row(&measured));
        failed |= measured["wrong"] != json!([]);
    }
    println!(
        "\n{}\n\nEach three: p50 / p99 / max. (!): the machine is not quiet, lateness is reported only.",
        rows.join("\n")
    );
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
