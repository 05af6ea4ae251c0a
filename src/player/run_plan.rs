//! What a run is to do, as plain data: whoever starts one, by a command line or by a configuration, makes a plan.

use std::path::PathBuf;

use super::pace::Pace;
use crate::generator::spec::Span;
use crate::generator::stream::{Assignment, Shard, Stream, Window, WindowEnd};
use crate::kafka::Property;

/// What a run is to do.
#[derive(Debug)]
pub struct RunPlan {
    /// The stream, in topics with the partition counts that were asked for.
    pub stream: Stream,
    /// The window.
    pub window: Window,
    /// The partitions that it plays.
    pub shard: Shard,
    /// The window's end, if the wall clock says where it starts.
    pub now_until: Option<WindowEnd>,
    /// How far from now it starts then, in milliseconds.
    pub from_now_ms: i64,
    /// How the window ends, where nothing bounds it and the program chose.
    pub chosen: Option<&'static str>,
    /// When records are released.
    pub pace: Pace,
    /// How many threads make records.
    pub threads: usize,
    /// Whether the run's fingerprint is wanted.
    pub fingerprint: bool,
    /// The folder for the answer key of the window, where one is wanted.
    pub answer_key: Option<PathBuf>,
    /// Properties of the Kafka client.
    pub properties: Vec<Property>,
    /// Where records go.
    pub sink: SinkPlan,
}

/// Where records go.
#[derive(Debug)]
pub enum SinkPlan {
    /// Standard output.
    Stdout,
    /// Nowhere.
    Null,
    /// A folder.
    Files(FilesPlan),
    /// A broker inside this process.
    Embedded(EmbeddedPlan),
    /// A Kafka that is not ours.
    Kafka(KafkaPlan),
}

/// A run into a folder.
#[derive(Debug)]
pub struct FilesPlan {
    /// The folder.
    pub folder: PathBuf,
    /// Whether lines are envelopes.
    pub envelope: bool,
    /// Whether what an earlier run wrote is replaced.
    pub overwrite: bool,
}

/// A run into a broker inside this process.
#[derive(Debug)]
pub struct EmbeddedPlan {
    /// The port to reach it at; `None` for a free one.
    pub port: Option<u16>,
    /// Whether it is kept up until a signal.
    pub hold: bool,
}

/// A run into Kafka.
#[derive(Debug)]
pub struct KafkaPlan {
    /// Addresses, as librdkafka's `bootstrap.servers`.
    pub brokers: String,
    /// Copies of each partition of topics that are created; `None` is the brokers' default.
    pub replication_factor: Option<u16>,
    /// What a reader may see.
    pub delivery: Delivery,
    /// What happens to topics that hold records already.
    pub resume: ResumeMode,
    /// A larger gap is not filled by a live run; `None` is the default.
    pub catch_up: Option<Span>,
}

/// What a reader may see of a run that is killed, or of two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Each record once and in order, as long as a dead writer has no request under way.
    Idempotent,
    /// The same at every instant for readers that read committed records.
    ExactlyOnce,
}

/// What happens to topics that hold records already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeMode {
    /// They are resumed, if they hold this window's beginning.
    Auto,
    /// The same, and empty topics are refused.
    Require,
    /// They are deleted and created again.
    Recreate,
    /// A second stream is appended.
    Never,
}

impl RunPlan {
    /// What is played where nothing is held yet.
    #[must_use]
    pub fn assignment(&self) -> Assignment {
        Assignment::new(self.window, self.shard, Default::default())
    }

    /// The plan for a Kafka that is not ours, if it is one.
    #[must_use]
    pub fn kafka(&self) -> Option<&KafkaPlan> {
        if let SinkPlan::Kafka(kafka) = &self.sink { Some(kafka) } else { None }
    }
}

impl KafkaPlan {
    /// Whether it writes transactions.
    #[must_use]
    pub fn is_exactly_once(&self) -> bool {
        self.delivery == Delivery::ExactlyOnce
    }
}
