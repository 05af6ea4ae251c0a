//! Options of `run`.

use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::stream::{KafkaArgs, LayoutArgs, StreamArgs, ThreadArgs, whole};
use super::window::WindowArgs;
use crate::cli::exit::Failure;
use crate::cli::http::ListenAddress;
use crate::cli::output::reports::{ReportArgs, StandardOutput};
use crate::cli::output::terminal::TerminalArgs;
use crate::cli::output::verify_command::Written;
use crate::generator::spec::Span;
use crate::generator::stream::{Shard, WindowEnd};
use crate::kafka::Property;
use crate::player::pace::{Pace, Speed};
use crate::player::{self, EmbeddedPlan, FilesPlan, KafkaPlan, ResumeMode, SinkPlan};

/// What the embedded broker plays at full speed if nothing bounds the window.
const EMBEDDED_COUNT: u64 = 10_000;
/// What a window that is played at full speed ends with if nothing bounds it: one hour.
const FAST_DURATION_MS: i64 = 3_600_000;

/// Options of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(super) stream: StreamArgs,
    #[command(flatten)]
    pub(super) layout: LayoutArgs,
    #[command(flatten)]
    pub(super) window: WindowArgs,
    #[command(flatten)]
    pub(crate) options: RunOptions,
    #[command(flatten)]
    pub(crate) terminal: TerminalArgs,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(next_help_heading = "Run (these change no byte)")]
pub(crate) struct RunOptions {
    /// Play as fast as the sink takes it [default: in real time]
    #[arg(long, env = "MDG_FAST", value_parser = BoolishValueParser::new())]
    pub(super) fast: bool,
    /// Replay the window in its own rhythm, times a factor: 1, 60, 0.5 [default: in real time]
    #[arg(long, env = "MDG_SPEED", value_name = "FACTOR")]
    pub(super) speed: Option<Speed>,
    /// Where records go
    #[arg(long, env = "MDG_SINK", value_enum, default_value_t = SinkKind::Kafka)]
    pub(super) sink: SinkKind,
    /// Folder of --sink files: new, empty, or with this very window already
    #[arg(short = 'o', long, env = "MDG_OUT", value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Replace what an earlier run wrote into --out; files that no run wrote are never touched
    #[arg(long, env = "MDG_OVERWRITE", value_parser = BoolishValueParser::new())]
    pub(super) overwrite: bool,
    /// With --sink files: write topic, partition, key and timestamp beside each value
    #[arg(long, env = "MDG_ENVELOPE", value_parser = BoolishValueParser::new())]
    pub(super) envelope: bool,
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,
    /// Copies of each partition of topics that are created [default: the broker's]
    #[arg(long, env = "MDG_REPLICATION_FACTOR", value_name = "COUNT", value_parser = whole(1..=32_767u16))]
    pub(crate) replication_factor: Option<u16>,
    /// What a reader may see of a run that is killed, or of two runs [default: idempotent]
    #[arg(long, env = "MDG_DELIVERY", value_enum)]
    pub(crate) delivery: Option<Delivery>,
    /// What to do with topics that hold records already [default: auto]
    #[arg(long, env = "MDG_RESUME", value_enum)]
    pub(crate) resume: Option<Resume>,
    /// Live, after records that are there: refuse to fill a gap that is larger [default: 24h where the window starts now]
    #[arg(long, env = "MDG_CATCH_UP", value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) catch_up: Option<Span>,
    /// Play only the partitions of one of several workers: INDEX/COUNT, counted from 0, partition p belongs to p mod COUNT
    #[arg(long, env = "MDG_SHARD", value_name = "INDEX/COUNT", default_value_t = Shard::WHOLE, hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) shard: Shard,
    /// With the embedded broker: a port of the loopback interface to reach it at [default: a free one]
    #[arg(long, env = "MDG_EMBEDDED_PORT", value_name = "PORT", value_parser = whole(1..=u16::MAX))]
    pub(crate) embedded_port: Option<u16>,
    /// With the embedded broker: keep it up until a signal
    #[arg(long, env = "MDG_HOLD", value_parser = BoolishValueParser::new())]
    pub(crate) hold: bool,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Answer /livez, /readyz and /metrics over HTTP, such as at 127.0.0.1:8080 [default: nowhere]
    #[arg(long, env = "MDG_LISTEN", value_name = "ADDR:PORT")]
    pub(crate) listen: Option<ListenAddress>,
    #[command(flatten)]
    pub(crate) reports: ReportArgs,
    /// Write the answer key of a bounded window into this folder as well: new or empty
    #[arg(long, env = "MDG_ANSWER_KEY", value_name = "DIR")]
    pub(crate) answer_key: Option<PathBuf>,
    /// Compute the run's fingerprint
    #[arg(long, env = "MDG_FINGERPRINT", value_parser = BoolishValueParser::new())]
    pub(crate) fingerprint: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SinkKind {
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
pub(crate) enum Delivery {
    /// Each record once and in order, as long as a dead writer has no request under way; damage is noticed, never built upon
    Idempotent,
    /// The same at every instant for readers that read committed records, about a second later; a second copy is shut out
    ExactlyOnce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resume {
    /// Begin if they are empty, go on if they hold this window's beginning, refuse otherwise
    Auto,
    /// The same, and refuse empty topics
    Require,
    /// Delete the four topics and whatever they hold, create them again as they were, and begin: give it once, by hand
    Recreate,
    /// Append a second stream after what is there: such topics can neither be resumed nor verified as one
    Never,
}

impl From<Delivery> for player::Delivery {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Idempotent => Self::Idempotent,
            Delivery::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

impl From<Resume> for ResumeMode {
    fn from(resume: Resume) -> Self {
        match resume {
            Resume::Auto => Self::Auto,
            Resume::Require => Self::Require,
            Resume::Recreate => Self::Recreate,
            Resume::Never => Self::Never,
        }
    }
}

impl RunOptions {
    /// Where records go, as a plan has it.
    pub(super) fn sink_plan(&self) -> Result<SinkPlan, Failure> {
        Ok(match self.sink {
            SinkKind::Stdout => SinkPlan::Stdout,
            SinkKind::Null => SinkPlan::Null,
            SinkKind::Files => SinkPlan::Files(FilesPlan {
                folder: self.folder()?.to_owned(),
                envelope: self.envelope,
                overwrite: self.overwrite,
            }),
            SinkKind::Kafka if self.is_embedded() => {
                SinkPlan::Embedded(EmbeddedPlan { port: self.embedded_port, hold: self.hold })
            }
            SinkKind::Kafka => SinkPlan::Kafka(KafkaPlan {
                brokers: self.kafka.bootstrap_servers.clone(),
                replication_factor: self.replication_factor,
                delivery: self.delivery.map_or(player::Delivery::Idempotent, Into::into),
                resume: self.resume.map_or(ResumeMode::Auto, Into::into),
                catch_up: self.catch_up,
            }),
        })
    }

    /// Whether records go to a Kafka that is not ours.
    pub(crate) fn is_kafka(&self) -> bool {
        self.sink == SinkKind::Kafka && !self.is_embedded()
    }

    pub(crate) fn is_exactly_once(&self) -> bool {
        self.delivery == Some(Delivery::ExactlyOnce)
    }

    pub(super) fn is_embedded(&self) -> bool {
        self.sink == SinkKind::Kafka && self.kafka.is_embedded()
    }

    /// What can be verified of what is written. Two streams in the same topics cannot.
    pub(crate) fn written<'a>(&'a self, properties: &'a [Property]) -> Option<Written<'a>> {
        match self.sink {
            SinkKind::Kafka if self.is_kafka() && self.resume != Some(Resume::Never) => {
                Some(Written::Topics { brokers: &self.kafka.bootstrap_servers, properties })
            }
            SinkKind::Files => self.out.as_deref().and_then(Path::to_str).map(Written::Folder),
            SinkKind::Kafka | SinkKind::Stdout | SinkKind::Null => None,
        }
    }

    pub(super) fn folder(&self) -> Result<&Path, Failure> {
        let missing = || Failure::Usage("--sink files needs a folder: give --out DIR".to_owned());
        self.out.as_deref().ok_or_else(missing)
    }

    /// How a run that was ended is gone on with, where that is a question.
    pub(crate) fn way_on(&self) -> Option<&'static str> {
        match self.sink {
            SinkKind::Files => Some(
                "files are not resumed: add --overwrite to write them again, or verify these as far as they go (--prefix)",
            ),
            _ if self.resume == Some(Resume::Recreate) => None,
            _ if self.is_kafka() && self.resume != Some(Resume::Never) => Some("the same command goes on"),
            _ => None,
        }
    }

    /// Whether records go there.
    pub(crate) fn standard_output(&self) -> StandardOutput {
        if self.is_stdout() { StandardOutput::CarriesData } else { StandardOutput::IsFree }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        self.sink == SinkKind::Stdout
    }

    pub(super) fn pace(&self, has_start: bool) -> Pace {
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
    pub(super) fn default_end(&self, pace: Pace) -> (WindowEnd, Option<&'static str>) {
        match pace {
            Pace::Fast if self.is_embedded() => (WindowEnd::Count(EMBEDDED_COUNT), Some("10,000 auctions")),
            Pace::Fast => (WindowEnd::DurationMs(FAST_DURATION_MS), Some("one hour of virtual time")),
            Pace::Live | Pace::Replay(_) => (WindowEnd::Never, None),
        }
    }
}
