//! `run`: play a window into a sink.

use std::fs;
use std::sync::Arc;

use crate::cli::args::run::{Resume, RunArgs};
use crate::cli::exit::Failure;
use crate::cli::http::listen;
use crate::cli::output::observer::RunObserver;
use crate::cli::output::terminal::to_stderr;
use crate::cli::signals;
use crate::files::FilesError;
use crate::metrics::Metrics;
use crate::player::{self, RunError, Session};
use crate::sink::SinkError;

/// Plays a window.
pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let options = &args.options;
    let plan = args.resolve()?;
    options.reports.prepare()?;
    let stop = signals::listen()?;
    let metrics = Arc::new(Metrics::new(plan.stream.layout()));
    if let Some(address) = options.listen {
        listen(address, &metrics)?;
    }
    if let Some(folder) = &options.answer_key {
        // It is written last, and hours may lie between.
        fs::create_dir_all(folder).map_err(|source| FilesError::File { path: folder.clone(), source })?;
    }
    let observer = RunObserver { options, terminal: args.terminal, plan: &plan };
    let played = player::run(&Session { plan: &plan, stop: &stop, metrics: &metrics, observer: &observer });
    played
        .map_err(|error| match (error, options.way_on()) {
            (RunError::Incomplete, Some(way_on)) => Failure::Unfinished(way_on),
            (error, _) => error.into(),
        })
        .inspect_err(|failure| {
            // `| head` has what it wanted, but a reader that broke must not look like the end.
            if options.is_stdout() && matches!(failure, Failure::Sink(SinkError::ReaderGone)) {
                to_stderr("the reader of standard output has gone: the run ends there\n");
            }
            // Other messages say that the same command goes on; it would delete what is there now.
            if options.resume == Some(Resume::Recreate) && failure.exit_code() != 2 {
                tracing::warn!(
                    target: "mock_data_gen::cli::recreate",
                    "to go on, give the same command without --resume recreate: with it the topics are deleted again"
                );
            }
        })
}
