//! A run, played and reported: into any sink, into Kafka, into the embedded broker.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use super::answer_key::KeyFolder;
use super::read_back::ReadBack;
use super::run::{Resume, RunOptions};
use super::status::Status;
use super::terminal::{self, TerminalArgs, note};
use super::{Failure, to_stderr, to_stdout};
use crate::answer_key::{Settings, is_written};
use crate::generator::stream::{Assignment, Shard, Stream, Window, WindowEnd};
use crate::generator::timestamp::Timestamp;
use crate::kafka::KafkaError;
use crate::kafka::{Cluster, Embedded, Existing, Property, Target, Times, TopicSettings, Transfer};
use crate::log::heading::{Heading, Resumed};
use crate::log::shutdown::Shutdown;
use crate::metrics::{Metrics, State};
use crate::pace::{Pace, Pacer, wall_clock_us};
use crate::run::{self, Manner, Outcome, Tally};
use crate::sink::counted::Counted;
use crate::sink::kafka::Kafka;
use crate::sink::{Sink, SinkError};

/// A run that is about to begin.
#[derive(Debug)]
pub(super) struct Player<'a> {
    pub(super) options: &'a RunOptions,
    pub(super) terminal: TerminalArgs,
    pub(super) properties: &'a [Property],
    pub(super) window: Window,
    pub(super) shard: Shard,
    /// The window's end, if the wall clock says where it starts.
    pub(super) now_until: Option<WindowEnd>,
    /// How far from now it starts then, in milliseconds.
    pub(super) from_now_ms: i64,
    /// How the window ends, where nothing bounds it and the program chose.
    pub(super) chosen: Option<&'static str>,
    pub(super) pace: Pace,
    pub(super) stop: &'a Arc<Shutdown>,
    pub(super) metrics: &'a Arc<Metrics>,
}

/// Makes a sink ready again after an uncertain end of a transaction, and says what is left to play.
pub(super) type Renew<'a, S> = &'a mut dyn FnMut(&mut S) -> Result<Assignment, Failure>;

/// A run that renews its sink so many times without committing anything ends.
const RENEWALS_IN_VAIN: u32 = 5;

/// What a run begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) part: Assignment,
    /// Where the sink holds records already.
    pub(super) resumed: Option<Resumed>,
    /// Whether the first record has to be stored before any other is sent.
    pub(super) first_alone: bool,
}

impl From<Assignment> for Beginning {
    /// Nothing is there yet.
    fn from(part: Assignment) -> Self {
        Self { part, resumed: None, first_alone: false }
    }
}

impl Player<'_> {
    /// Plays into a sink and reports.
    pub(super) fn play<S: Sink>(&self, stream: &Stream, sink: &mut S) -> Result<(), Failure> {
        self.play_on(stream, &self.part().into(), sink, None)
    }

    /// Plays into a sink from where it may hold records already, and reports.
    pub(super) fn play_on<S: Sink>(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        sink: &mut S,
        renew: Option<Renew<'_, S>>,
    ) -> Result<(), Failure> {
        let outcome = self.play_into(stream, beginning, sink, renew, self.options.fingerprint)?;
        self.report(&self.report_of(stream, beginning, &outcome))?;
        self.write_answer_key(stream, beginning, &outcome)?;
        self.verdict(&outcome)
    }

    /// Writes the answer key of what was played to its end, where one is wanted.
    pub(super) fn write_answer_key(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        let Some(folder) = self.options.answer_key.as_deref().filter(|_| outcome.complete) else { return Ok(()) };
        let (window, settings) = (beginning.part.window(), Settings::of(stream));
        if is_written(folder, stream, Some(window), settings, true) {
            to_stderr(&format!("answer key   {}, written before\n", folder.display()));
            return Ok(());
        }
        // The ends of transactions take offsets as well; behind some, nobody knows how many records there are.
        let counts = beginning.resumed.is_none_or(|resumed| resumed.records.is_some());
        let never = self.options.resume == Some(Resume::Never);
        let are_offsets = outcome.acked.is_some() && !never && counts && !self.options.is_exactly_once();
        let key = KeyFolder { folder, settings, are_offsets, metrics: Some(self.metrics.as_ref()) };
        key.write(stream, window, self.terminal, self.stop).map(drop)
    }

    /// What is played where nothing is held yet.
    pub(super) fn part(&self) -> Assignment {
        Assignment::new(self.window, self.shard, Default::default())
    }

    /// Plays into a broker inside this process, and reads everything back.
    pub(super) fn play_embedded(&self, stream: &Stream) -> Result<(), Failure> {
        Embedded::require_fit(stream, self.window, self.stop)?;
        let broker = Embedded::start(stream.layout())?;
        let address = match self.options.embedded_port {
            Some(port) => broker.open(port).map_err(|source| Failure::EmbeddedPort { port, source })?,
            None => broker.brokers(),
        };
        note!(format!("embedded broker at {address}"), address);
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
        let beginning = self.part().into();
        let mut sink = Kafka::new(&cluster, self.stop, self.metrics)?;
        let outcome = self.play_into(stream, &beginning, &mut sink, None, true)?;
        self.report(&self.report_of(stream, &beginning, &outcome).embedded(address.clone()))?;
        self.write_answer_key(stream, &beginning, &outcome)?;
        let read = ReadBack::read(&cluster, stream, self.window, self.stop)?;
        read.compare(&outcome)?;
        if self.options.reports.is_text() && self.terminal.is_for_people() {
            to_stderr(&read.funnel);
        }
        if self.options.hold && !self.stop.is_requested() {
            note!(format!("\nholding {address} until Ctrl-C"), address);
            if self.terminal.is_quiet() && self.options.reports.is_text() {
                // All that a quiet run has to say: nobody else knows it.
                to_stdout(&format!("{address}\n"))?;
            }
            self.metrics.enter(State::Holding);
            while !self.stop.is_requested() {
                std::thread::sleep(Duration::from_millis(50));
            }
            return Ok(());
        }
        self.verdict(&outcome)
    }

    fn play_into<S: Sink>(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        sink: &mut S,
        renew: Option<Renew<'_, S>>,
        fingerprint: bool,
    ) -> Result<Outcome, Failure> {
        let Beginning { part, resumed, .. } = beginning;
        if let Some(chosen) = self.chosen {
            to_stderr(&format!("playing {chosen}; --count, --duration or --to bound the window otherwise\n"));
        }
        if self.options.reports.is_text() {
            terminal::heading(&Heading::new(stream.auctions(), part).resumed(*resumed));
        }
        self.tell_of_a_start_to_come(stream, part);
        let window = part.window();
        let resumed_ms = resumed.and_then(|resumed| resumed.from).map(|from| from.0);
        let start_us = resumed_ms.unwrap_or_else(|| stream.auctions().plan(window.start()).request_ms) * 1_000;
        // What the counters of this run will come to.
        let first_left = stream.auctions().first_from_ms(start_us / 1_000).max(window.start());
        let left = window.end().map_or(window, |end| Window::auctions(first_left, end.saturating_sub(first_left)));
        let pacer = Pacer::new(self.pace, start_us).counted(self.metrics);
        let acknowledges = sink.acked().is_some();
        let status = self.shows_progress().then(|| Status::show(left, self.pace, acknowledges, self.metrics));
        let tally = Tally::new(fingerprint.then_some(stream.layout()));
        let outcome = self.play_parts(stream, beginning, sink, renew, (pacer, tally));
        drop(status);
        outcome
    }

    /// Nothing moves before a live window starts.
    fn tell_of_a_start_to_come(&self, stream: &Stream, part: &Assignment) {
        let start_ms = stream.auctions().plan(part.window().start()).request_ms;
        let ahead_s = (start_ms - wall_clock_us() / 1_000) / 1_000;
        if self.pace == Pace::Live && ahead_s > 0 && !self.terminal.is_quiet() {
            let span = humantime::format_duration(Duration::from_secs(ahead_s.unsigned_abs()));
            let start = Timestamp(start_ms);
            note!(format!("waiting      {span} for the window's start, {start}"), seconds = ahead_s, start = %start);
        }
    }

    /// Plays a part, and where a transaction's end is uncertain what is left then, until nothing is.
    fn play_parts<S: Sink>(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        sink: &mut S,
        mut renew: Option<Renew<'_, S>>,
        (mut pacer, mut tally): (Pacer, Tally),
    ) -> Result<Outcome, Failure> {
        let manner = Manner { first_alone: beginning.first_alone, threads: self.options.threads.count() };
        let mut part = beginning.part.clone();
        let (mut commits, mut in_vain) = (0, 0);
        loop {
            let mut counted = Counted::new(sink, self.metrics);
            let played = run::run(stream, &part, &mut counted, &mut pacer, self.stop, manner, &mut tally);
            let (Err(SinkError::Kafka(error)), Some(renew)) = (&played, &mut renew) else { return Ok(played?) };
            let has_waited = matches!(error.cause(), KafkaError::Standstill { .. });
            in_vain = if sink.commits() > commits || has_waited { 0 } else { in_vain + 1 };
            commits = sink.commits();
            if !error.is_uncertain() || in_vain > RENEWALS_IN_VAIN || self.stop.is_requested() {
                return Ok(played?);
            }
            let reason = error.cause().to_string();
            let reason = reason.lines().next().unwrap_or_default();
            tracing::warn!(target: "kafka", reason, "{reason}: looking where the topics end, to go on there");
            self.metrics.enter(State::Starting);
            self.metrics.taken_back(tally.take_back());
            part = match renew(sink) {
                Err(failure) if failure.is_stop() => return Ok(tally.outcome(false, sink.acked(), &pacer)),
                renewed => renewed?,
            };
        }
    }

    /// Not where standard output fills the same terminal.
    fn shows_progress(&self) -> bool {
        self.terminal.shows_progress() && !(self.options.is_stdout() && io::stdout().is_terminal())
    }

    /// At full speed throughput counts; else the time from release to reader, and what an outage leaves in memory: what is due
    /// meanwhile need not be made before it can be sent.
    pub(super) fn transfer(&self) -> Transfer {
        let (linger_ms, queue_kbytes) = if self.pace == Pace::Fast { (20, 64 * 1024) } else { (5, 16 * 1024) };
        Transfer { compression: "lz4", linger_ms, queue_kbytes }
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
    pub(super) fn times(&self, stream: &Stream) -> Times {
        let auctions = stream.auctions();
        let now_ms = wall_clock_us() / 1_000;
        let last = match (self.window.end(), self.pace) {
            // It releases nothing ahead of the clock.
            (_, Pace::Live) => None,
            (Some(end), _) => Some(end.saturating_sub(1).max(self.window.start())),
            (None, _) => Some(auctions.clock().auctions() - 1),
        };
        let last_ms = last.map(|last| auctions.plan(last).request_ms + auctions.spec().lag_ms_max());
        let first_ms = auctions.plan(self.window.start()).request_ms;
        Times { now_ms, first_ms, last_ms: last_ms.unwrap_or(now_ms) }
    }
}
