//! A run, played and reported: into any sink, into Kafka, into the embedded broker.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use super::again::verify_command;
use super::run::{ReportForm, Resume, RunOptions};
use super::status::Status;
use super::terminal::{self, TerminalArgs};
use super::{Failure, show, to_stderr};
use crate::fingerprint::Fingerprints;
use crate::metrics::{Metrics, State};
use crate::pace::{Pace, Pacer, wall_clock_us};
use crate::report::{Heading, Report, grouped};
use crate::run::{self, Count, Outcome};
use crate::sink::counted::Counted;
use crate::sink::kafka::{
    Cluster, Embedded, Existing, Kafka, KafkaError, Property, Target, Times, TopicSettings, Transfer,
};
use crate::sink::{Sink, Stop};
use crate::source::topics::Topics;
use crate::source::{LogRecord, Source};
use crate::spec::{KeyBy, Layout, Stage, StreamSpec};
use crate::stream::{Stream, Window};

/// A run that is about to begin.
#[derive(Debug)]
pub(super) struct Player<'a> {
    pub(super) options: &'a RunOptions,
    pub(super) terminal: TerminalArgs,
    pub(super) properties: &'a [Property],
    pub(super) window: Window,
    /// How the window ends, where nothing bounds it and the program chose.
    pub(super) chosen: Option<&'static str>,
    pub(super) pace: Pace,
    pub(super) stop: &'a Arc<Stop>,
    pub(super) metrics: &'a Arc<Metrics>,
}

impl Player<'_> {
    /// Plays into a sink and reports.
    pub(super) fn play(&self, stream: &Stream, sink: &mut dyn Sink) -> Result<(), Failure> {
        let outcome = self.play_into(stream, sink, self.options.fingerprint)?;
        self.report(stream, &outcome);
        self.verdict(&outcome)
    }

    /// Plays into Kafka.
    pub(super) fn play_kafka(&self, stream: &Stream) -> Result<(), Failure> {
        let auctions = stream.auctions();
        let existing = if self.options.resume == Some(Resume::Never) { Existing::Any } else { Existing::Empty };
        let target = Target {
            brokers: &self.options.kafka.bootstrap_servers,
            properties: self.properties,
            transfer: self.transfer(),
            layout: stream.layout(),
            topics: self.topic_settings(stream, existing),
            stop: self.stop,
        };
        let cluster = match Cluster::prepare(&target) {
            Err(KafkaError::Stopped) if self.window.end().is_none() => return Ok(()),
            prepared => prepared?,
        };
        for topic in cluster.created() {
            to_stderr(&format!("created topic {topic}\n"));
        }
        if let Some(warning) = uneven_topics(auctions.spec(), cluster.layout()) {
            tracing::warn!("{warning}");
        }
        let stream = Stream::new(auctions.spec(), cluster.layout());
        self.play(&stream, &mut Kafka::new(&cluster, self.stop, self.metrics)?)
    }

    /// Plays into a broker inside this process, and reads everything back.
    pub(super) fn play_embedded(&self, stream: &Stream) -> Result<(), Failure> {
        Embedded::require_fit(stream, self.window, self.stop)?;
        let broker = Embedded::start(stream.layout())?;
        to_stderr(&format!("embedded broker at {}\n", broker.brokers()));
        let target = Target {
            brokers: &broker.brokers(),
            properties: self.properties,
            // Uncompressed, so that what fits can be said beforehand.
            transfer: Transfer { compression: "none", ..self.transfer() },
            layout: stream.layout(),
            topics: self.topic_settings(stream, Existing::Ours),
            stop: self.stop,
        };
        let cluster = Cluster::prepare(&target)?;
        let outcome = self.play_into(stream, &mut Kafka::new(&cluster, self.stop, self.metrics)?, true)?;
        self.report(stream, &outcome);
        let read = ReadBack::read(&cluster, stream, self.window, self.stop)?;
        read.compare(&outcome)?;
        if self.options.report == ReportForm::Text && self.terminal.is_for_people() {
            to_stderr(&read.funnel);
        }
        if self.options.hold && !self.stop.asked() {
            self.metrics.enter(State::Holding);
            to_stderr(&format!("\nholding {} until Ctrl-C\n", broker.brokers()));
            while !self.stop.asked() {
                std::thread::sleep(Duration::from_millis(50));
            }
            return Ok(());
        }
        self.verdict(&outcome)
    }

    fn play_into(&self, stream: &Stream, sink: &mut dyn Sink, fingerprint: bool) -> Result<Outcome, Failure> {
        if let Some(chosen) = self.chosen {
            to_stderr(&format!("playing {chosen}; --count, --duration or --to bound the window otherwise\n"));
        }
        if self.options.report == ReportForm::Text {
            to_stderr(&Heading::new(stream.auctions(), self.window).to_string());
        }
        let window = self.window;
        let start_us = stream.auctions().plan(window.start()).request_ms * 1_000;
        let mut pacer = Pacer::new(self.pace, start_us).counted(self.metrics);
        let mut sink = Counted::new(sink, self.metrics);
        let acknowledges = sink.acked().is_some();
        let status = self.shows_progress().then(|| Status::show(window, self.pace, acknowledges, self.metrics));
        let outcome = run::run(stream, window, &mut sink, &mut pacer, self.stop, fingerprint, |_| {});
        drop(status);
        Ok(outcome?)
    }

    /// Not where standard output fills the same terminal.
    fn shows_progress(&self) -> bool {
        self.terminal.shows_progress() && !(self.options.is_stdout() && io::stdout().is_terminal())
    }

    fn report(&self, stream: &Stream, outcome: &Outcome) {
        let report = Report::new(stream, self.window, outcome).verified_by(self.verify_command(stream, outcome));
        match self.options.report {
            ReportForm::Text if self.terminal.is_quiet() => {}
            ReportForm::Text if self.terminal.is_for_people() => to_stderr(&report.to_string()),
            // A table has no place among JSON lines.
            ReportForm::Text | ReportForm::Json => match serde_json::to_string(&report) {
                Ok(line) => terminal::write(&format!("{line}\n")),
                Err(error) => tracing::error!("the report cannot be printed: {error}"),
            },
        }
    }

    /// How what was written is verified. A window that was left in the middle is verified as far as it goes.
    fn verify_command(&self, stream: &Stream, outcome: &Outcome) -> Option<String> {
        let written = self.options.written(self.properties)?;
        match self.window.count() {
            Some(0) => None,
            Some(_) if outcome.complete => Some(verify_command(stream, self.window, written)),
            _ => Some(verify_command(stream, Window::unbounded(self.window.start()), written)),
        }
    }

    /// A window without end cannot be left incomplete.
    fn verdict(&self, outcome: &Outcome) -> Result<(), Failure> {
        if outcome.complete || self.window.end().is_none() { Ok(()) } else { Err(Failure::Stopped) }
    }

    /// At full speed throughput counts, else the time from release to reader.
    pub(super) fn transfer(&self) -> Transfer {
        Transfer { compression: "lz4", linger_ms: if self.pace == Pace::Fast { 20 } else { 5 } }
    }

    pub(super) fn topic_settings(&self, stream: &Stream, existing: Existing) -> TopicSettings {
        TopicSettings {
            replication_factor: self.options.replication_factor,
            times: self.times(stream),
            existing,
            without_end: self.window.end().is_none(),
        }
    }

    /// The times that records will carry.
    fn times(&self, stream: &Stream) -> Times {
        let auctions = stream.auctions();
        let now_ms = wall_clock_us() / 1_000;
        let last = match (self.window.end(), self.pace) {
            (Some(end), _) => Some(end.saturating_sub(1).max(self.window.start())),
            (None, Pace::Live) => None,
            (None, _) => Some(auctions.clock().auctions() - 1),
        };
        let last_ms = last.map(|last| auctions.plan(last).request_ms + auctions.spec().lag_ms_max());
        let first_ms = auctions.plan(self.window.start()).request_ms;
        Times { now_ms, first_ms, last_ms: last_ms.unwrap_or(now_ms) }
    }
}

/// What is to be said of topics that `--key-by request` would have co-partitioned, had they equal counts.
pub(super) fn uneven_topics(spec: &StreamSpec, layout: &Layout) -> Option<String> {
    let counts = layout.topics().each_ref().map(|topic| topic.partitions);
    if spec.key_by == KeyBy::Id || counts.iter().all(|count| *count == counts[0]) {
        return None;
    }
    let shown: Vec<String> =
        layout.topics().iter().map(|topic| format!("{} {}", topic.name, topic.partitions)).collect();
    Some(format!(
        "--key-by request co-partitions topics of equal partition counts, and these differ: {}. Joins have to repartition",
        shown.join(", ")
    ))
}

/// What a plain consumer found.
struct ReadBack {
    counts: [Count; 4],
    fingerprints: Fingerprints,
    /// The first auction of the window that was clicked, for people to look at.
    funnel: String,
}

impl ReadBack {
    fn read(cluster: &Cluster, stream: &Stream, window: Window, stop: &Stop) -> Result<Self, Failure> {
        let mut counts = [Count::default(); 4];
        let mut fingerprints = Fingerprints::new(cluster.layout());
        let mut topics = Topics::open(cluster, stop)?;
        let mut record = LogRecord::default();
        for log in 0..topics.logs().len() {
            let stage = topics.logs()[log].stage;
            while topics.next(log, &mut record)? {
                counts[stage.index()].add(record.value.as_ref().map_or(0, Vec::len));
                record.add_to(&mut fingerprints, stage);
            }
        }
        let clicked = |&ordinal: &u64| stream.auctions().plan(ordinal).event_ms(Stage::Click).is_some();
        let clicked = (window.start()..window.end().unwrap_or(window.start())).find(clicked);
        let funnel =
            clicked.map(|ordinal| format!("\nThe first funnel with a click:\n\n{}", show::funnel(stream, ordinal)));
        Ok(Self { counts, fingerprints, funnel: funnel.unwrap_or_default() })
    }

    /// Says what was found, and fails if it is not what was sent.
    fn compare(&self, outcome: &Outcome) -> Result<(), Failure> {
        let records: u64 = self.counts.iter().map(|count| count.records).sum();
        let fingerprint = self.fingerprints.total();
        let equal = self.counts == outcome.counts && Some(fingerprint) == outcome.fingerprint;
        let verdict = if equal { "equal to what was sent" } else { "NOT what was sent" };
        to_stderr(&format!("read back    {} records, fingerprint {fingerprint}: {verdict}\n", grouped(records)));
        if equal { Ok(()) } else { Err(Failure::ReadBack) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_hold_something_else_are_a_failure() {
        let stream = Stream::new(&StreamSpec::default(), &Layout::default());
        let read = |count| {
            let mut read = ReadBack {
                counts: [Count::default(); 4],
                fingerprints: Fingerprints::new(stream.layout()),
                funnel: String::new(),
            };
            for record in stream.records(Window::auctions(0, count)) {
                read.counts[record.stage.index()].add(record.value.len());
                read.fingerprints.add(&record);
            }
            read
        };
        let sent = read(20);
        let outcome = Outcome {
            counts: sent.counts,
            complete: true,
            elapsed: Duration::from_secs(1),
            acked: None,
            fingerprint: Some(sent.fingerprints.total()),
            lateness: None,
        };
        assert!(sent.compare(&outcome).is_ok());
        assert!(matches!(read(19).compare(&outcome), Err(Failure::ReadBack)));
    }
}
