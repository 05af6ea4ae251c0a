//! What a run asks of the log.

use super::error::{Mismatch, ResumeError};
use super::log::Offsets;
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::{Shard, Stream, Window, WindowEnd};
use crate::log::shutdown::Shutdown;

/// What a run wants of the log.
#[derive(Debug, Clone, Copy)]
pub struct ResumeRequest<'a> {
    /// The stream, with the partition counts that the topics have.
    pub stream: &'a Stream,
    /// The window.
    pub start: Start,
    /// The partitions that are looked at and gone on with.
    pub shard: Shard,
    /// Whether topics that hold nothing are refused.
    pub require: bool,
    /// Whether this process has made all topics a moment ago, so that nobody can have a request under way.
    pub fresh: bool,
    /// Whether transactions will be written: their ends take offsets too, so offsets count no records.
    pub transactional: bool,
    /// The wish to end.
    pub stop: &'a Shutdown,
}

/// Where the window starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As was asked for, whatever the log holds.
    Given(Window),
    /// At this auction if the log is empty; else where the log begins.
    Now(u64, WindowEnd),
}

impl ResumeRequest<'_> {
    /// The shard's partitions, with where they begin and end.
    pub(super) fn owned(&self, bounds: &ByStage<Vec<Offsets>>) -> Vec<(Stage, u32, Offsets)> {
        let of_stage = |stage: Stage| {
            let numbered = (0u32..).zip(&bounds[stage]);
            numbered.filter(|&(p, _)| self.shard.owns(p)).map(move |(p, bounds)| (stage, p, *bounds))
        };
        Stage::ALL.into_iter().flat_map(of_stage).collect()
    }

    /// Refuses a partition for what it holds.
    pub(super) fn refuse(&self, stage: Stage, partition: u32, offset: Option<i64>, why: Mismatch) -> ResumeError {
        let topic = self.stream.layout().topic(stage).name.clone();
        ResumeError::Refused { topic, partition, offset, why: Box::new(why) }
    }

    /// An error once a signal asks to stop.
    pub(super) fn go_on(&self) -> Result<(), ResumeError> {
        if self.stop.is_requested() { Err(ResumeError::Stopped) } else { Ok(()) }
    }
}
