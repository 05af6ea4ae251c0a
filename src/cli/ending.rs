//! What a run says at its end, and how it ended.

use super::again::verify_command;
use super::play::{Beginning, Player};
use super::reports::line_of;
use super::{Failure, terminal, to_stderr};
use crate::generator::auction::CopyKind;
use crate::generator::record::Record;
use crate::generator::spec::Stage;
use crate::generator::stream::{Assignment, Stream, Window};
use crate::log::heading::Heading;
use crate::report::{EmptyStage, Report};
use crate::run::Outcome;
use crate::sink::SinkError;

/// The first record of a stage is looked for among so many auctions.
const LOOK_AHEAD: u64 = 100_000;

impl Player<'_> {
    /// What is said of a run at its end.
    pub(super) fn report_of(&self, stream: &Stream, beginning: &Beginning, outcome: &Outcome) -> Report {
        let Beginning { part, resumed, .. } = beginning;
        let report = Report::new(stream, part, outcome).resumed(*resumed);
        let empty = if resumed.is_none() { self.empty_stages(stream, part, outcome) } else { Vec::new() };
        report.verified_by(self.verify_command(stream, part, outcome)).without(empty)
    }

    /// Stages that a small window has none of, though the stream has some soon.
    fn empty_stages(&self, stream: &Stream, part: &Assignment, outcome: &Outcome) -> Vec<EmptyStage> {
        if !outcome.complete || !part.shard().is_whole() || !self.options.is_kept() {
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
        let empty = Stage::ALL.into_iter().filter(|stage| outcome.counts[stage.index()].records == 0);
        empty
            .filter_map(|stage| {
                let found = (start..last).find(|&ordinal| has(ordinal, stage))?;
                Some(EmptyStage { stage, count: found - start + 1 })
            })
            .collect()
    }

    /// Says it, to people and to programs.
    pub(super) fn report(&self, report: &Report) -> Result<(), Failure> {
        let reports = &self.options.reports;
        if reports.is_text() && self.terminal.is_for_people() {
            to_stderr(&report.to_string());
        } else if reports.is_text() && !self.terminal.is_quiet() {
            // A table has no place among JSON lines.
            terminal::write(&line_of(report)?);
        }
        match reports.give(report, self.options.standard_output()) {
            // Whoever reads the report has seen enough of it.
            Err(Failure::Sink(SinkError::ReaderGone)) => Ok(()),
            given => given,
        }
    }

    /// How what was written is verified. A window that was left in the middle is verified as far as it goes; what
    /// one of several workers wrote is no window.
    fn verify_command(&self, stream: &Stream, part: &Assignment, outcome: &Outcome) -> Option<String> {
        let written = self.options.written(self.properties).filter(|_| part.shard().is_whole())?;
        let window = part.window();
        match window.count() {
            Some(0) => None,
            Some(_) if outcome.complete => Some(verify_command(stream, window, written)),
            _ => Some(verify_command(stream, Window::unbounded(window.start()), written)),
        }
    }

    /// A window without end cannot be left incomplete.
    pub(super) fn verdict(&self, outcome: &Outcome) -> Result<(), Failure> {
        if outcome.complete || self.window.end().is_none() {
            return Ok(());
        }
        Err(match self.options.way_on() {
            Some(way_on) => Failure::Unfinished(way_on),
            None => Failure::Stopped,
        })
    }

    /// Says that all is there already.
    pub(super) fn report_nothing_to_do(
        &self,
        stream: &Stream,
        beginning: &Beginning,
        nothing: &Outcome,
    ) -> Result<(), Failure> {
        let report = self.report_of(stream, beginning, nothing);
        // Among lines of JSON the report is one of them.
        if !self.options.reports.is_text() || !(self.terminal.is_quiet() || self.terminal.is_for_people()) {
            return self.report(&report);
        }
        terminal::heading(&Heading::new(stream.auctions(), &beginning.part).resumed(beginning.resumed));
        self.options.reports.give(&report, self.options.standard_output())
    }
}
