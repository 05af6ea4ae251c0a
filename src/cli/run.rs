//! `run`: play a window into a sink.

mod contradictions;
mod folder;
mod resolved;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

pub(super) use self::resolved::Resolved;
use super::again::Written;
use super::listen::{ListenAddress, listen};
use super::options::{KafkaArgs, LayoutArgs, StreamArgs, ThreadArgs, whole};
use super::reports::{ReportArgs, StandardOutput};
use super::terminal::TerminalArgs;
use super::window::WindowArgs;
use super::{Failure, signals, to_stderr};
use crate::files::FilesError;
use crate::generator::spec::Span;
use crate::generator::stream::{Shard, WindowEnd};
use crate::kafka::Property;
use crate::metrics::Metrics;
use crate::pace::{Pace, Speed};
use crate::sink::SinkError;
use crate::sink::null::Null;
use crate::sink::stdout::Stdout;

/// What the embedded broker plays at full speed if nothing bounds the window.
const EMBEDDED_COUNT: u64 = 10_000;
/// What a window that is played at full speed ends with if nothing bounds it: one hour.
const FAST_DURATION_MS: i64 = 3_600_000;

/// Options of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    layout: LayoutArgs,
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    pub(super) options: RunOptions,
    #[command(flatten)]
    pub(super) terminal: TerminalArgs,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(next_help_heading = "Run (these change no byte)")]
pub(super) struct RunOptions {
    /// Play as fast as the sink takes it [default: in real time]
    #[arg(long, env = "MDG_FAST", value_parser = BoolishValueParser::new())]
    fast: bool,
    /// Replay the window in its own rhythm, times a factor: 1, 60, 0.5 [default: in real time]
    #[arg(long, env = "MDG_SPEED", value_name = "FACTOR")]
    speed: Option<Speed>,
    /// Where records go
    #[arg(long, env = "MDG_SINK", value_enum, default_value_t = SinkKind::Kafka)]
    sink: SinkKind,
    /// Folder of --sink files: new, empty, or with this very window already
    #[arg(short = 'o', long, env = "MDG_OUT", value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace what an earlier run wrote into --out; files that no run wrote are never touched
    #[arg(long, env = "MDG_OVERWRITE", value_parser = BoolishValueParser::new())]
    overwrite: bool,
    /// With --sink files: write topic, partition, key and timestamp beside each value
    #[arg(long, env = "MDG_ENVELOPE", value_parser = BoolishValueParser::new())]
    envelope: bool,
    #[command(flatten)]
    pub(super) kafka: KafkaArgs,
    /// Copies of each partition of topics that are created [default: the broker's]
    #[arg(long, env = "MDG_REPLICATION_FACTOR", value_name = "COUNT", value_parser = whole(1..=32_767u16))]
    pub(super) replication_factor: Option<u16>,
    /// What a reader may see of a run that is killed, or of two runs [default: idempotent]
    #[arg(long, env = "MDG_DELIVERY", value_enum)]
    pub(super) delivery: Option<Delivery>,
    /// What to do with topics that hold records already [default: auto]
    #[arg(long, env = "MDG_RESUME", value_enum)]
    pub(super) resume: Option<Resume>,
    /// Live, behind records that are there: refuse to fill a hole that is larger [default: 24h where the window starts now]
    #[arg(long, env = "MDG_CATCH_UP", value_name = "SPAN", allow_hyphen_values = true)]
    pub(super) catch_up: Option<Span>,
    /// Play only the partitions of one of several workers: INDEX/COUNT, counted from 0, partition p belongs to p mod COUNT
    #[arg(long, env = "MDG_SHARD", value_name = "INDEX/COUNT", default_value_t = Shard::WHOLE, hide_default_value = true, allow_hyphen_values = true)]
    pub(super) shard: Shard,
    /// With the embedded broker: a port of the loopback interface to reach it at [default: a free one]
    #[arg(long, env = "MDG_EMBEDDED_PORT", value_name = "PORT", value_parser = whole(1..=u16::MAX))]
    pub(super) embedded_port: Option<u16>,
    /// With the embedded broker: keep it up until a signal
    #[arg(long, env = "MDG_HOLD", value_parser = BoolishValueParser::new())]
    pub(super) hold: bool,
    #[command(flatten)]
    pub(super) threads: ThreadArgs,
    /// Answer /livez, /readyz and /metrics over HTTP, such as at 127.0.0.1:8080 [default: nowhere]
    #[arg(long, env = "MDG_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<ListenAddress>,
    #[command(flatten)]
    pub(super) reports: ReportArgs,
    /// Write the answer key of a bounded window into this folder as well: new or empty
    #[arg(long, env = "MDG_ANSWER_KEY", value_name = "DIR")]
    pub(super) answer_key: Option<PathBuf>,
    /// Compute the run's fingerprint
    #[arg(long, env = "MDG_FINGERPRINT", value_parser = BoolishValueParser::new())]
    pub(super) fingerprint: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SinkKind {
    /// Apache Kafka
    Kafka,
    /// Standard output, one JSON object a line
    Stdout,
    /// A folder: one NDJSON file a topic, and a manifest
    Files,
    /// Nowhere, for measuring
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Delivery {
    /// Each record once and in order, as long as a dead writer has no request under way; damage is noticed, never built upon
    Idempotent,
    /// The same at every instant for readers that read committed records, about a second later; a second copy is shut out
    ExactlyOnce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Resume {
    /// Begin if they are empty, go on if they hold this window's beginning, refuse otherwise
    Auto,
    /// The same, and refuse empty topics
    Require,
    /// Delete the four topics and whatever they hold, create them again as they were, and begin: give it once, by hand
    Recreate,
    /// Append a second stream behind what is there: such topics can neither be resumed nor verified as one
    Never,
}

/// Plays a window.
pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let options = &args.options;
    let resolved = args.resolve()?;
    options.reports.prepare()?;
    let stop = signals::listen()?;
    let metrics = Arc::new(Metrics::new(resolved.stream.layout()));
    if let Some(address) = options.listen {
        listen(address, &metrics)?;
    }
    if let Some(folder) = &options.answer_key {
        // It is written last, and hours may lie between.
        fs::create_dir_all(folder).map_err(|source| FilesError::File { path: folder.clone(), source })?;
    }
    let player = resolved.player(args, &stop, &metrics);
    let stream = &resolved.stream;
    match options.sink {
        SinkKind::Stdout => player.play(stream, &mut Stdout::new(stream.layout())).inspect_err(|failure| {
            // `| head` has what it wanted, but a reader that broke must not look like the end.
            if matches!(failure, Failure::Sink(SinkError::ReaderGone)) {
                to_stderr("the reader of standard output has gone: the run ends there\n");
            }
        }),
        SinkKind::Null => player.play(stream, &mut Null),
        SinkKind::Files => player.play_files(stream),
        SinkKind::Kafka if options.is_embedded() => player.play_embedded(stream),
        SinkKind::Kafka => player.play_kafka(stream),
    }
}

impl RunOptions {
    /// Whether anybody can look at the records afterwards.
    pub(super) fn is_kept(&self) -> bool {
        self.sink != SinkKind::Null
    }

    /// Whether records go to a Kafka that is not ours.
    pub(super) fn is_kafka(&self) -> bool {
        self.sink == SinkKind::Kafka && !self.is_embedded()
    }

    pub(super) fn is_exactly_once(&self) -> bool {
        self.delivery == Some(Delivery::ExactlyOnce)
    }

    fn is_embedded(&self) -> bool {
        self.sink == SinkKind::Kafka && self.kafka.is_embedded()
    }

    /// What can be verified of what is written. Two streams in the same topics cannot.
    pub(super) fn written<'a>(&'a self, properties: &'a [Property]) -> Option<Written<'a>> {
        match self.sink {
            SinkKind::Kafka if self.is_kafka() && self.resume != Some(Resume::Never) => {
                Some(Written::Topics { brokers: &self.kafka.bootstrap_servers, properties })
            }
            SinkKind::Files => self.out.as_deref().and_then(Path::to_str).map(Written::Folder),
            SinkKind::Kafka | SinkKind::Stdout | SinkKind::Null => None,
        }
    }

    fn folder(&self) -> Result<&Path, Failure> {
        let missing = || Failure::Usage("--sink files needs a folder: give --out DIR".to_owned());
        self.out.as_deref().ok_or_else(missing)
    }

    /// How a run that was ended is gone on with, where that is a question.
    pub(super) fn way_on(&self) -> Option<&'static str> {
        match self.sink {
            SinkKind::Files => Some(
                "files are not gone on with: add --overwrite to write them anew, or verify these as far as they go (--prefix)",
            ),
            _ if self.resume == Some(Resume::Recreate) => None,
            _ if self.is_kafka() && self.resume != Some(Resume::Never) => Some("the same command goes on"),
            _ => None,
        }
    }

    /// Whether records go there.
    pub(super) fn standard_output(&self) -> StandardOutput {
        if self.is_stdout() { StandardOutput::CarriesData } else { StandardOutput::IsFree }
    }

    pub(super) fn is_stdout(&self) -> bool {
        self.sink == SinkKind::Stdout
    }

    fn pace(&self, has_start: bool) -> Pace {
        match (self.fast, self.speed) {
            (true, _) => Pace::Fast,
            (false, Some(speed)) => Pace::Replay(speed),
            // What is written is a constant unless a start asks for the wall clock.
            (false, None) if !has_start && matches!(self.sink, SinkKind::Files | SinkKind::Stdout) => {
                Pace::Replay(Speed::REAL_TIME)
            }
            (false, None) => Pace::Live,
        }
    }

    /// How a window ends if nothing bounds it, and what to tell of that.
    fn default_end(&self, pace: Pace) -> (WindowEnd, Option<&'static str>) {
        match pace {
            Pace::Fast if self.is_embedded() => (WindowEnd::Count(EMBEDDED_COUNT), Some("10,000 auctions")),
            Pace::Fast => (WindowEnd::DurationMs(FAST_DURATION_MS), Some("one hour of virtual time")),
            Pace::Live | Pace::Replay(_) => (WindowEnd::Never, None),
        }
    }
}
