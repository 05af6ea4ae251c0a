//! `answer-key`: what every join and window over a window of the stream must give.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Command};
use serde::Serialize;

use crate::answer_key::{EDGES, Settings, TableCount, write};
use crate::cli::args::stream::{LayoutArgs, StreamArgs};
use crate::cli::args::window::WindowArgs;
use crate::cli::exit::Failure;
use crate::cli::output::key_table::shown;
use crate::cli::output::observer::AuctionsBar;
use crate::cli::output::reports::{ReportArgs, StandardOutput};
use crate::cli::output::terminal::{self, TerminalArgs, to_stderr};
use crate::cli::signals;
use crate::files::Manifest;
use crate::generator::spec::{Span, SpanError};
use crate::generator::stream::{Assignment, Stream, Window};
use crate::log::heading::Heading;
use crate::player::Bar;

/// Options of `answer-key`.
#[derive(Debug, Args)]
pub(crate) struct AnswerKeyArgs {
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    layout: LayoutArgs,
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    options: AnswerKeyOptions,
    #[command(flatten)]
    pub(crate) terminal: TerminalArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Answer key")]
struct AnswerKeyOptions {
    /// Folder for the tables: new or empty
    #[arg(short = 'o', long, env = "MDG_OUT", value_name = "DIR")]
    out: PathBuf,
    /// A folder that --sink files wrote: the key is of its window, with the stream options that it was written with
    #[arg(long, env = "MDG_FILES", value_name = "DIR")]
    files: Option<PathBuf>,
    /// How far behind its parent a joined child may lie, such as `impression_click=60s`; once for each of `request_response`,
    /// `response_impression`, `impression_click` [default: 100ms, 500ms, 10s, or those of --boundary]
    #[arg(long, env = "MDG_BOUND", value_name = "EDGE=SPAN", value_delimiter = ',')]
    bound: Vec<Bound>,
    /// Length of the tumbling windows
    #[arg(long = "window", env = "MDG_WINDOW", value_name = "SPAN", default_value_t = Settings::WINDOW)]
    window_span: Span,
    /// Also say what an engine counts and must join whose watermarks lag so far behind [default: nothing is dropped as late]
    #[arg(long, env = "MDG_WATERMARK_DELAY", value_name = "SPAN", allow_hyphen_values = true)]
    watermark_delay: Option<Span>,
    #[command(flatten)]
    reports: ReportArgs,
}

/// The bound of one join.
#[derive(Debug, Clone, Copy)]
struct Bound {
    edge: usize,
    span: Span,
}

/// A text that is no bound.
#[derive(Debug, thiserror::Error)]
enum BoundError {
    #[error("not of the form EDGE=SPAN, where EDGE is request_response, response_impression or impression_click")]
    Form,
    #[error(transparent)]
    Span(#[from] SpanError),
}

impl FromStr for Bound {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Self, BoundError> {
        let (name, span) = text.split_once('=').ok_or(BoundError::Form)?;
        let edge = EDGES.iter().position(|edge| edge.name == name).ok_or(BoundError::Form)?;
        Ok(Self { edge, span: span.parse()? })
    }
}

/// What shared options mean here.
pub(crate) fn with_own_help(command: Command) -> Command {
    command
        .mut_arg("from", |arg| arg.help("First arrival: an RFC 3339 time, a date, epoch or epoch+1h [default: epoch]"))
}

/// Writes the key of a window.
pub(crate) fn run(args: &AnswerKeyArgs) -> Result<(), Failure> {
    let stream = Stream::new(&args.stream.spec()?, &args.layout.layout()?);
    let demanded = match (args.window.demanded(stream.auctions())?, &args.options.files) {
        (None, Some(folder)) => Some(window_of(folder)?),
        (demanded, _) => demanded,
    };
    let Some(window) = demanded.filter(|window| window.end().is_some()) else {
        return Err(Failure::Usage(
            "an answer key is of a window that ends: give --count, --duration or --to, as the run has it".to_owned(),
        ));
    };
    let settings = args.options.settings(&stream)?;
    let stop = signals::listen()?;
    let reports = &args.options.reports;
    reports.prepare()?;
    let heading = Heading::new(stream.auctions(), &Assignment::from(window));
    terminal::heading(&heading);
    let folder = &args.options.out;
    let mut bar = args.terminal.shows_progress().then(|| AuctionsBar::new(window));
    let progress = |ordinal| {
        if let Some(bar) = &mut bar {
            bar.at(ordinal);
        }
    };
    let tables = write(&stream, window, settings, folder, false, &stop, progress);
    drop(bar);
    let tables = tables?;
    if args.terminal.is_for_people() {
        to_stderr(&shown(&tables, folder));
    }
    Ok(reports.give(&KeyReport { heading, folder, tables }, StandardOutput::IsFree)?)
}

/// What programs are told of a key.
#[derive(Debug, Serialize)]
struct KeyReport<'a> {
    #[serde(flatten)]
    heading: Heading,
    folder: &'a Path,
    tables: Vec<TableCount>,
}

/// The window that a folder holds.
fn window_of(folder: &Path) -> Result<Window, Failure> {
    let refused = |why: &str| {
        let path = folder.join("manifest.json");
        Err(Failure::Usage(format!("{} {why}: give --files a folder that one run wrote to its end", path.display())))
    };
    match Manifest::read(folder)? {
        None => refused("does not exist"),
        Some(manifest) if manifest.shard().is_some() => {
            refused("is of one of several workers, and a key is of all partitions")
        }
        Some(manifest) if !manifest.is_complete() => {
            refused("is of a run that was ended before its window was complete")
        }
        Some(manifest) => Ok(manifest.window()),
    }
}

impl AnswerKeyOptions {
    fn settings(&self, stream: &Stream) -> Result<Settings, Failure> {
        let mut settings =
            Settings { window: self.window_span, watermark_delay: self.watermark_delay, ..Settings::of(stream) };
        let mut given = [false; EDGES.len()];
        for &Bound { edge, span } in &self.bound {
            if std::mem::replace(&mut given[edge], true) {
                let name = EDGES[edge].name;
                return Err(Failure::Usage(format!("--bound {name} is given twice: each join has one bound")));
            }
            settings.bounds[edge] = span;
        }
        Ok(settings)
    }
}
