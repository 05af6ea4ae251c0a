//! A run, played and reported, into any sink.

use std::sync::Arc;

use super::error::RunError;
use super::observer::{Notice, Observer};
use super::pace::{Pace, Pacer, wall_clock_us};
use super::play::{Outcome, PlayOptions, Totals, play};
use super::report::{EmptyStage, Report};
use super::run_plan::{KafkaPlan, ResumeMode, RunPlan, SinkPlan};
use crate::answer_key::{self, Settings, is_written, write};
use crate::generator::auction::CopyKind;
use crate::generator::record::Record;
use crate::generator::spec::Stage;
use crate::generator::stream::{Assignment, Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::kafka::{Existing, KafkaError, Times, TopicSettings, Transfer};
use crate::log::heading::{Heading, Resumed};
use crate::log::shutdown::Shutdown;
use crate::metrics::{Metrics, State};
use crate::sink::counted::Counted;
use crate::sink::{Sink, SinkError};

/// The first record of a stage is looked for among so many auctions.
const LOOK_AHEAD: u64 = 100_000;

/// Makes a sink ready again after an uncertain end of a transaction, and says what is left to play.
pub(crate) type Renew<'a, S> = &'a mut dyn FnMut(&mut S) -> Result<Assignment, RunError>;

/// A run that renews its sink so many times without committing anything ends.
const RENEWALS_IN_VAIN: u32 = 5;

/// What a run begins with.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) part: Assignment,
    /// Where the sink holds records already.
    pub(crate) resumed: Option<Resumed>,
    /// Whether the first record has to be stored before any other is sent.
    pub(crate) first_alone: bool,
}

impl From<Assignment> for Beginning {
    /// Nothing is there yet.
    fn from(part: Assignment) -> Self {
        Self { part, resumed: None, first_alone: false }
    }
}

/// A run that is about to begin.
pub struct Session<'a> {
    /// What it is to do.
    pub plan: &'a RunPlan,
    /// The wish that it ends early.
    pub stop: &'a Arc<Shutdown>,
    /// Its counters.
    pub metrics: &'a Arc<Metrics>,
    /// Who is told of it.
    pub observer: &'a dyn Observer,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("plan", self.plan).finish_non_exhaustive()
    }
}

impl Session<'_> {
    /// Plays into a sink and reports.
    pub(crate) fn play<S: Sink>(&self, stream: &Stream, sink: &mut S) -> Result<(), RunError> {
        self.play_on(stream, &self.plan.assignment().into(), sink, None)
    }

    /// Plays into a sink from where it may hold records already, and reports.
    pub(crate) fn play_on<S: Sink>(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        sink: &mut S,
        renew: Option<Renew<'_, S>>,
    ) -> Result<(), RunError> {
        let outcome = self.play_into(stream, beginning, sink, renew, self.plan.fingerprint)?;
        self.observer.report(&self.report_of(stream, beginning, &outcome))?;
        self.write_answer_key(stream, beginning, &outcome)?;
        self.verdict(&outcome)
    }

    /// Writes the answer key of what was played to its end, where one is wanted.
    pub(crate) fn write_answer_key(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        outcome: &Outcome,
    ) -> Result<(), RunError> {
        let Some(folder) = self.plan.answer_key.as_deref().filter(|_| outcome.complete) else { return Ok(()) };
        let (window, settings) = (beginning.part.window(), Settings::of(stream));
        if is_written(folder, stream, Some(window), settings, true) {
            self.observer.notice(Notice::KeyIsThere(folder));
            return Ok(());
        }
        // The ends of transactions take offsets as well; behind some, nobody knows how many records there are.
        let counts = beginning.resumed.is_none_or(|resumed| resumed.records.is_some());
        let of_one_stream = self.plan.kafka().is_none_or(|kafka| kafka.resume != ResumeMode::Never);
        let exactly_once = self.plan.kafka().is_some_and(KafkaPlan::is_exactly_once);
        let are_offsets = outcome.acked.is_some() && of_one_stream && counts && !exactly_once;
        let mut bar = self.observer.key_progress(window);
        let progress = |ordinal: u64| {
            self.metrics.tick();
            if let Some(bar) = &mut bar {
                bar.at(ordinal);
            }
        };
        let tables = write(stream, window, settings, folder, are_offsets, self.stop, progress);
        drop(bar);
        self.observer.notice(Notice::KeyWritten(&tables?, folder));
        Ok(())
    }

    /// Removes the answer key of what is about to be replaced, before that is: a run that is stopped leaves none.
    pub(crate) fn remove_answer_key(&self, stream: &Stream, part: &Assignment) -> Result<(), RunError> {
        match self.plan.answer_key.as_deref() {
            Some(folder) if !is_written(folder, stream, Some(part.window()), Settings::of(stream), true) => {
                Ok(answer_key::remove(folder)?)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn play_into<S: Sink>(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        sink: &mut S,
        renew: Option<Renew<'_, S>>,
        fingerprint: bool,
    ) -> Result<Outcome, RunError> {
        let Beginning { part, resumed, .. } = beginning;
        if let Some(chosen) = self.plan.chosen {
            self.observer.notice(Notice::Chosen(chosen));
        }
        self.observer.notice(Notice::Begins(&Heading::new(stream.auctions(), part).resumed(*resumed)));
        self.tell_of_a_start_to_come(stream, part);
        let window = part.window();
        let resumed_ms = resumed.and_then(|resumed| resumed.from).map(|from| from.0);
        let start_us = resumed_ms.unwrap_or_else(|| stream.auctions().plan(window.start()).request_ms) * 1_000;
        // What the counters of this run will come to.
        let first_left = stream.auctions().first_from_ms(start_us / 1_000).max(window.start());
        let left = window.end().map_or(window, |end| Window::auctions(first_left, end.saturating_sub(first_left)));
        let pacer = Pacer::new(self.plan.pace, start_us).counted(self.metrics);
        let acknowledges = sink.acked().is_some();
        let status = self.observer.status(left, acknowledges, self.metrics);
        let totals = Totals::new(fingerprint.then_some(stream.layout()));
        let outcome = self.play_parts(stream, beginning, sink, renew, (pacer, totals));
        drop(status);
        outcome
    }

    /// Nothing moves before a live window starts.
    fn tell_of_a_start_to_come(&self, stream: &Stream, part: &Assignment) {
        let start_ms = stream.auctions().plan(part.window().start()).request_ms;
        let ahead_s = (start_ms - wall_clock_us() / 1_000) / 1_000;
        if self.plan.pace == Pace::Live && ahead_s > 0 {
            self.observer.notice(Notice::StartsLater { ahead_s, start: Timestamp(start_ms) });
        }
    }

    /// Plays a part, and where a transaction's end is uncertain what is left then, until nothing is.
    fn play_parts<S: Sink>(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        sink: &mut S,
        mut renew: Option<Renew<'_, S>>,
        (mut pacer, mut totals): (Pacer, Totals),
    ) -> Result<Outcome, RunError> {
        let options = PlayOptions { first_alone: beginning.first_alone, threads: self.plan.threads };
        let mut part = beginning.part.clone();
        let (mut commits, mut in_vain) = (0, 0);
        loop {
            let mut counted = Counted::new(sink, self.metrics);
            let played = play(stream, &part, &mut counted, &mut pacer, self.stop, options, &mut totals);
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
            self.metrics.taken_back(totals.roll_back());
            part = match renew(sink) {
                Err(error) if error.is_stop() => return Ok(totals.outcome(false, sink.acked(), &pacer)),
                renewed => renewed?,
            };
        }
    }

    /// What is said of a run at its end.
    pub(crate) fn report_of(&self, stream: &Stream, beginning: &Beginning, outcome: &Outcome) -> Report {
        let Beginning { part, resumed, .. } = beginning;
        let report = Report::new(stream, part, outcome).resumed(*resumed);
        let empty = if resumed.is_none() { self.empty_stages(stream, part, outcome) } else { Vec::new() };
        report.verified_by(self.verify_command(stream, part, outcome)).without(empty)
    }

    /// Stages that a small window has none of, though the stream has some soon.
    fn empty_stages(&self, stream: &Stream, part: &Assignment, outcome: &Outcome) -> Vec<EmptyStage> {
        if !outcome.complete || !part.shard().is_whole() || matches!(self.plan.sink, SinkPlan::Null) {
            return Vec::new();
        }
        let start = part.window().start();
        let is_event = |record: Record, stage| record.stage == stage && record.copy == CopyKind::Event.copy();
        let has = |ordinal: u64, stage| {
            // A plan costs a fraction of a record.
            stream.auctions().plan(ordinal).event_ms(stage).is_some()
                && stream.records(Window::auctions(ordinal, 1)).any(|record| is_event(record, stage))
        };
        let last = start.saturating_add(LOOK_AHEAD).min(stream.auctions().clock().auctions());
        let empty = Stage::ALL.into_iter().filter(|&stage| outcome.counts[stage].records == 0);
        empty
            .filter_map(|stage| {
                let found = (start..last).find(|&ordinal| has(ordinal, stage))?;
                Some(EmptyStage { stage, count: found - start + 1 })
            })
            .collect()
    }

    /// How what was written is verified. A window that was left in the middle is verified as far as it goes; what
    /// one of several workers wrote is no window.
    fn verify_command(&self, stream: &Stream, part: &Assignment, outcome: &Outcome) -> Option<String> {
        let window = part.window();
        let window = match window.count() {
            _ if !part.shard().is_whole() => return None,
            Some(0) => return None,
            Some(_) if outcome.complete => window,
            _ => Window::unbounded(window.start()),
        };
        self.observer.verify_command(stream, window)
    }

    /// A window without end cannot be left incomplete.
    pub(crate) fn verdict(&self, outcome: &Outcome) -> Result<(), RunError> {
        if outcome.complete || self.plan.window.end().is_none() { Ok(()) } else { Err(RunError::Incomplete) }
    }

    /// Says that all is there already.
    pub(crate) fn report_nothing_to_do(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        nothing: &Outcome,
    ) -> Result<(), RunError> {
        let report = self.report_of(stream, beginning, nothing);
        let heading = Heading::new(stream.auctions(), &beginning.part).resumed(beginning.resumed);
        Ok(self.observer.nothing_to_do(&heading, &report)?)
    }

    /// At full speed throughput counts; else the time from release to reader, and what an outage leaves in memory: what is due
    /// meanwhile need not be made before it can be sent.
    pub(crate) fn transfer(&self) -> Transfer {
        let (linger_ms, queue_kbytes) = if self.plan.pace == Pace::Fast { (20, 64 * 1024) } else { (5, 16 * 1024) };
        Transfer { compression: "lz4", linger_ms, queue_kbytes }
    }

    /// What topics that exist may be, and how missing ones are created.
    pub(crate) fn topic_settings(&self, stream: &Stream, existing: Existing) -> TopicSettings {
        TopicSettings {
            replication_factor: self.plan.kafka().and_then(|kafka| kafka.replication_factor),
            times: self.times(stream),
            existing,
            without_end: self.plan.window.end().is_none(),
        }
    }

    /// The times that records will carry.
    pub(crate) fn times(&self, stream: &Stream) -> Times {
        let auctions = stream.auctions();
        let now_ms = wall_clock_us() / 1_000;
        let last = match (self.plan.window.end(), self.plan.pace) {
            // It releases nothing ahead of the clock.
            (_, Pace::Live) => None,
            (Some(end), _) => Some(end.saturating_sub(1).max(self.plan.window.start())),
            (None, _) => Some(auctions.clock().auctions() - 1),
        };
        let last_ms = last.map(|last| auctions.plan(last).request_ms + auctions.spec().lag_ms_max());
        let first_ms = auctions.plan(self.plan.window.start()).request_ms;
        Times { now_ms, first_ms, last_ms: last_ms.unwrap_or(now_ms) }
    }
}
