//! `verify`: prove what topics or files hold.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::BoolishValueParser;
use clap::{Args, Command};

use crate::cli::advice;
use crate::cli::args::stream::{KafkaArgs, LayoutArgs, StreamArgs, ThreadArgs};
use crate::cli::args::window::WindowArgs;
use crate::cli::config::{Configuration, Origin};
use crate::cli::exit::Failure;
use crate::cli::output::reports::{ReportArgs, StandardOutput};
use crate::cli::output::terminal::{TerminalArgs, auctions_bar};
use crate::cli::output::terminal::{to_stderr, to_stdout};
use crate::cli::signals;
use crate::files::Manifest;
use crate::generator::spec::StreamSpec;
use crate::generator::stream::Stream;
use crate::kafka::Cluster;
use crate::log::shutdown::Shutdown;
use crate::source::files::Files;
use crate::source::topics::Topics;
use crate::source::{Source, SourceError};
use crate::verify::{Outcome, Verdict, VerifyOptions, explain, verify};

/// Options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    layout: LayoutArgs,
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    options: VerifyFlags,
    #[command(flatten)]
    pub(crate) terminal: TerminalArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Verify")]
struct VerifyFlags {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Verify a folder that --sink files wrote, instead of topics; its manifest says which stream options it was written with
    #[arg(long, env = "MDG_FILES", value_name = "DIR")]
    files: Option<PathBuf>,
    /// Accept logs that still grow: each may end anywhere
    #[arg(long, env = "MDG_PREFIX", value_parser = BoolishValueParser::new())]
    prefix: bool,
    #[command(flatten)]
    threads: ThreadArgs,
    #[command(flatten)]
    reports: ReportArgs,
    /// Compute the fingerprints of what the logs hold
    #[arg(long, env = "MDG_FINGERPRINT", value_parser = BoolishValueParser::new())]
    fingerprint: bool,
}

/// What shared options mean here.
pub(crate) fn with_own_help(command: Command) -> Command {
    command
        .mut_arg("from", |arg| {
            arg.help("First arrival: an RFC 3339 time, a date, epoch or epoch+1h [default: from the logs, or epoch if an end is given]")
        })
        .mut_arg("bootstrap_servers", |arg| arg.help("Kafka's address"))
}

/// Reads back, compares and prints the verdict.
pub(crate) fn run(args: &VerifyArgs, configuration: &Configuration) -> Result<(), Failure> {
    let spec = args.stream.spec()?;
    let layout = args.layout.layout()?;
    let options = &args.options;
    let stream = Stream::new(&spec, &layout);
    let mut demand = VerifyOptions {
        window: args.window.demanded(stream.auctions())?,
        prefix: options.prefix,
        fingerprint: options.fingerprint,
        threads: options.threads.count(),
    };
    let verdict = match &options.files {
        Some(folder) => {
            if options.kafka.has_properties() {
                return Err(Failure::Usage("-X sets properties of the Kafka client: omit it or --files".to_owned()));
            }
            if configuration.origin("bootstrap-servers") == Origin::Flag {
                return Err(Failure::Usage(
                    "--files and --bootstrap-servers name two logs to verify: give one of them".to_owned(),
                ));
            }
            let mut files = Files::open(folder, &layout)?;
            if options.fingerprint && !files.has_envelopes() {
                return Err(Failure::Usage(format!(
                    "--fingerprint needs keys and timestamps, and {} holds bare values: omit it, or write the files with --envelope",
                    folder.display()
                )));
            }
            if let Some(manifest) = files.manifest() {
                heed(manifest, folder, &spec, &mut demand)?;
            }
            let verdict = args.compare(&spec, &mut files, demand, &signals::listen()?)?;
            explained(verdict, &spec, demand, || Files::open(folder, &layout))
        }
        None if options.kafka.is_embedded() => {
            return Err(Failure::Usage(
                "--bootstrap-servers embedded is a broker that ends with its run, which reads everything back itself: give the address of one that is up"
                    .to_owned(),
            ));
        }
        None => {
            let properties = options.kafka.properties()?;
            let stop = signals::listen()?;
            let cluster = Cluster::connect(&options.kafka.bootstrap_servers, &properties, &layout, &stop)?;
            let verdict = args.compare(&spec, &mut Topics::open(&cluster, &stop)?, demand, &stop)?;
            explained(verdict, &spec, demand, || Ok(Topics::open(&cluster, &stop)?))
        }
    };
    let verdict = verdict.worded(advice::hint);
    options.reports.give(&verdict, StandardOutput::IsFree)?;
    if options.reports.is_text() {
        to_stdout(&verdict.to_string())?;
    }
    match verdict.outcome() {
        Outcome::Verified => Ok(()),
        Outcome::NothingCompared => Err(Failure::NothingCompared),
        _ => Err(Failure::Different),
    }
}

/// A verdict over much that differs, with the option that explains it, where one does.
fn explained<S: Source>(
    verdict: Verdict,
    spec: &StreamSpec,
    demand: VerifyOptions,
    open: impl FnOnce() -> Result<S, SourceError>,
) -> Verdict {
    let counts = verdict.counts();
    if counts.differences() < (counts.records / 100).max(3) {
        return verdict;
    }
    let start = demand.window.map(|window| window.start());
    let explanation = open().and_then(|mut source| explain(spec, &mut source, start));
    // The verdict stands without it, too.
    match explanation.ok().flatten() {
        Some(explanation) => verdict.explained(explanation),
        None => verdict,
    }
}

/// A manifest says what its folder is to hold, where nothing else does.
fn heed(manifest: &Manifest, folder: &Path, spec: &StreamSpec, demand: &mut VerifyOptions) -> Result<(), Failure> {
    if let Some(shard) = manifest.shard() {
        return Err(Failure::Usage(format!(
            "{} is of --shard {shard}: files are verified whole, so write them by one run",
            folder.join("manifest.json").display()
        )));
    }
    let (theirs, ours) = (manifest.stream_id(), spec.stream_id().to_string());
    if theirs != ours {
        to_stderr(&format!(
            "{} is of the stream {theirs}, and these options make {ours}: give the stream options that it was written with, which are its \"spec\"\n",
            folder.join("manifest.json").display()
        ));
    }
    if demand.window.is_none() {
        let window = manifest.window();
        if window.end().is_some() && !manifest.is_complete() && !demand.prefix {
            return Err(Failure::Incomplete(folder.join("manifest.json")));
        }
        demand.window = Some(window);
        to_stderr("the window is the one of manifest.json\n");
    }
    Ok(())
}

impl VerifyArgs {
    fn compare(
        &self,
        spec: &StreamSpec,
        source: &mut dyn Source,
        demand: VerifyOptions,
        stop: &Arc<Shutdown>,
    ) -> Result<Verdict, Failure> {
        let stream = Stream::new(spec, source.layout());
        let mut progress = None;
        let verdict = verify(&stream, source, demand, stop, |window, ordinal| {
            if self.terminal.shows_progress() {
                progress.get_or_insert_with(|| auctions_bar(window)).set_position(ordinal - window.start());
            }
        });
        if let Some(bar) = progress {
            bar.finish_and_clear();
        }
        Ok(verdict?)
    }
}
