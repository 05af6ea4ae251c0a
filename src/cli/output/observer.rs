//! What is said of a run, to people and to programs.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;

use super::funnel;
use super::key_table::shown;
use crate::cli::args::run::RunOptions;
use crate::cli::output::reports::line_of;
use crate::cli::output::status::Status;
use crate::cli::output::terminal::{self, TerminalArgs, auctions_bar, note, to_stderr, to_stdout};
use crate::cli::output::verify_command::verify_command;
use crate::generator::stream::{Stream, Window};
use crate::log::count::grouped;
use crate::log::heading::Heading;
use crate::metrics::Metrics;
use crate::player::report::{EmptyStage, Report};
use crate::player::{Bar, Notice, Observer, ReportError, RunPlan, Shown};
use crate::sink::SinkError;

/// Says what a run does.
#[derive(Debug)]
pub(crate) struct RunObserver<'a> {
    pub(crate) options: &'a RunOptions,
    pub(crate) terminal: TerminalArgs,
    pub(crate) plan: &'a RunPlan,
}

impl Observer for RunObserver<'_> {
    fn notice(&self, notice: Notice<'_>) {
        match notice {
            Notice::Chosen(chosen) => {
                to_stderr(&format!("playing {chosen}; --count, --duration or --to bound the window otherwise\n"));
            }
            Notice::Begins(heading) if self.options.reports.is_text() => terminal::heading(heading),
            Notice::StartsLater { ahead_s, start } if !self.terminal.is_quiet() => {
                let span = humantime::format_duration(Duration::from_secs(ahead_s.unsigned_abs()));
                note!(format!("waiting      {span} for the window's start, {start}"), seconds = ahead_s, start = %start);
            }
            Notice::EmbeddedBroker(address) => note!(format!("embedded broker at {address}"), address),
            Notice::CreatedTopic(topic) => note!(format!("created topic {topic}"), topic = topic.as_str()),
            Notice::DeletingTopic { topic, offsets } => {
                note!(
                    format!("deleting topic {topic} with {} offsets", grouped(offsets)),
                    topic = topic.as_str(),
                    offsets
                );
            }
            Notice::KeyIsThere(folder) => to_stderr(&format!("answer key   {}, written before\n", folder.display())),
            Notice::KeyWritten(tables, folder) if self.terminal.is_for_people() => to_stderr(&shown(tables, folder)),
            Notice::ReadBack { records, fingerprint, equal } => {
                let verdict = if equal { "equal to what was sent" } else { "NOT what was sent" };
                let records = grouped(records);
                to_stderr(&format!("read back    {records} records, fingerprint {fingerprint}: {verdict}\n"));
            }
            Notice::NotReadBack => to_stderr("read back    not to its end: a signal came first\n"),
            Notice::FirstFunnel(stream, ordinal) if self.options.reports.is_text() && self.terminal.is_for_people() => {
                to_stderr(&format!("\nThe first funnel with a click:\n{}", funnel::outline(stream, ordinal)));
            }
            _ => {}
        }
    }

    fn report(&self, report: &Report) -> Result<(), ReportError> {
        let reports = &self.options.reports;
        if reports.is_text() && self.terminal.is_for_people() {
            to_stderr(&format!("{report}{}", empty_stages(report)));
        } else if reports.is_text() && !self.terminal.is_quiet() {
            // A table has no place among JSON lines.
            terminal::write(&line_of(report)?);
        }
        match reports.give(report, self.options.standard_output()) {
            // Whoever reads the report has seen enough of it.
            Err(ReportError::Output(SinkError::ReaderGone)) => Ok(()),
            given => given,
        }
    }

    fn nothing_to_do(&self, heading: &Heading, report: &Report) -> Result<(), ReportError> {
        // Among lines of JSON the report is one of them.
        if !self.options.reports.is_text() || !(self.terminal.is_quiet() || self.terminal.is_for_people()) {
            return self.report(report);
        }
        terminal::heading(heading);
        self.options.reports.give(report, self.options.standard_output())
    }

    fn holding(&self, address: &str) -> Result<(), ReportError> {
        note!(format!("\nholding {address} until Ctrl-C"), address);
        if self.terminal.is_quiet() && self.options.reports.is_text() {
            // All that a quiet run has to say: nobody else knows it.
            to_stdout(&format!("{address}\n"))?;
        }
        Ok(())
    }

    fn status(&self, window: Window, acknowledges: bool, metrics: &Arc<Metrics>) -> Option<Box<dyn Shown>> {
        // Not where standard output fills the same terminal.
        let shows = self.terminal.shows_progress() && !(self.options.is_stdout() && io::stdout().is_terminal());
        shows.then(|| Box::new(Status::show(window, self.plan.pace, acknowledges, metrics)) as Box<dyn Shown>)
    }

    fn key_progress(&self, window: Window) -> Option<Box<dyn Bar>> {
        let bar = || Box::new(AuctionsBar::new(window)) as Box<dyn Bar>;
        self.terminal.shows_progress().then(bar)
    }

    fn verify_command(&self, stream: &Stream, window: Window) -> Option<String> {
        self.options.written(&self.plan.properties).map(|written| verify_command(stream, window, written))
    }
}

impl Shown for Status {}

/// Which count of auctions has records of the stages that a window has none of.
fn empty_stages(report: &Report) -> String {
    let note = |EmptyStage { stage, count }: &EmptyStage| {
        format!("note         no {stage}s in this window, which engines may fail on: --count {count} has some\n")
    };
    report.empty_stages().iter().map(note).collect()
}

/// A bar over the auctions of a window, until it is dropped.
#[derive(Debug)]
pub(crate) struct AuctionsBar {
    bar: ProgressBar,
    start: u64,
}

impl AuctionsBar {
    pub(crate) fn new(window: Window) -> Self {
        Self { bar: auctions_bar(window), start: window.start() }
    }
}

impl Bar for AuctionsBar {
    fn at(&mut self, ordinal: u64) {
        self.bar.set_position(ordinal - self.start);
    }
}

impl Drop for AuctionsBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
