//! The verdict: what was compared with what, and what was found.

use std::collections::BTreeSet;

use serde::Serialize;

use super::classify::Log;
use super::context::Context;
use super::expected_range::Known;
use super::{Counts, Difference, Explanation};
use crate::generator::digest::Digest;
use crate::generator::spec::{Stage, TopicName};
use crate::generator::timestamp::Timestamp;
use crate::log::heading::Heading;

/// What logs were found to hold. [`std::fmt::Display`] is for people, `Serialize` for programs.
#[derive(Debug, Serialize)]
pub struct Verdict {
    #[serde(flatten)]
    pub(super) heading: Heading,
    /// What came of it.
    pub(super) outcome: Outcome,
    /// Whether everything that was compared is as it should be, and something was.
    pub(super) clean: bool,
    /// How the window's start is known: `asked`, `log`, `cut`, `nothing`.
    pub(super) start: &'static str,
    /// How its end is known: `asked`, `log`, `stopped`, `nothing`.
    pub(super) end: &'static str,
    /// Where an unbounded run stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Last>,
    /// Of all logs.
    #[serde(flatten)]
    pub(super) counts: Counts,
    /// What was removed before, and so not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_compared: Option<NotCompared>,
    /// Each log's.
    pub(super) logs: Vec<LogVerdict>,
    /// Of what the logs hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fingerprint: Option<Digest>,
    #[serde(skip)]
    hints: Vec<Hint>,
    /// What might explain the differences.
    #[serde(rename = "hints", skip_serializing_if = "Vec::is_empty")]
    pub(super) hint_texts: Vec<String>,
}

/// What might explain many differences at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Hint {
    /// Another value of one option explains them.
    #[error(transparent)]
    Explained(Explanation),
    /// All records are foreign.
    #[error("none of the records is of this stream: another seed, or other stream options than the run's?")]
    OtherStream,
    /// Each record differs from the expected one in its headers alone.
    #[error("every record differs in its headers: was the run with, or without them?")]
    Headers,
    /// Each record differs in its timestamp alone.
    #[error("every record differs in its timestamp: is the topic's message.timestamp.type LogAppendTime?")]
    Timestamp,
    /// A topic's records have the times of a broker's clock.
    #[error(
        "the broker writes the time of its own clock into the records of topic `{0}`, in place of the stream's \
         (message.timestamp.type=LogAppendTime)"
    )]
    Restamped(TopicName),
    /// Each record differs in the same other part.
    #[error("every record differs in its {0}: are these the stream options of the run?")]
    Part(&'static str),
    /// Nothing is missing but at the end of some logs.
    #[error("nothing is missing but at the end of {short} of {logs} logs: a run that still goes on, or that {}", ended(*.are_files))]
    Short {
        /// How many logs end early.
        short: usize,
        /// How many there are.
        logs: usize,
        /// Whether the logs are files, which no run resumes.
        are_files: bool,
    },
}

/// How a run ended whose logs end early, and what is done about that.
fn ended(are_files: bool) -> &'static str {
    if are_files {
        "was ended before (files are not resumed: write them again into another folder)"
    } else {
        "was killed (the same run command goes on)"
    }
}

/// What comparing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// All that was compared is as it should be.
    Verified,
    /// Something is not.
    Different,
    /// There was nothing to compare, so nothing is proven.
    NothingCompared,
}

/// What retention, or somebody, has removed from the beginning of partitions.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct NotCompared {
    /// How many partitions begin above offset 0.
    pub(super) partitions: usize,
    /// The offsets before their beginnings: of records, and where transactions were written of their ends.
    pub(super) offsets: u64,
}

impl NotCompared {
    fn of(logs: &[Log]) -> Option<Self> {
        let cut: Vec<u64> = logs.iter().filter_map(|log| log.place.log_start_offset).map(i64::unsigned_abs).collect();
        (!cut.is_empty()).then(|| Self { partitions: cut.len(), offsets: cut.iter().sum() })
    }
}

/// The last record before an unbounded run stopped.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Last {
    pub(super) ordinal: u64,
    pub(super) stage: Stage,
    pub(super) time: Timestamp,
}

/// What one log was found to hold: a partition, or a topic's file.
#[derive(Debug, Serialize)]
pub struct LogVerdict {
    /// Its topic.
    pub topic: TopicName,
    /// Its partition; none for a file, which holds all of them.
    pub partition: Option<u32>,
    /// Records by what they were found to be.
    #[serde(flatten)]
    pub counts: Counts,
    /// Of the missing ones, those that would stand behind its last record.
    pub missing_at_end: u64,
    /// Whether it holds no record.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_empty: bool,
    /// The offset at which it begins, where what stood before was removed: so many offsets are not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_start_offset: Option<i64>,
    /// The first difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_difference: Option<Difference>,
    /// Of its records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Digest>,
}

impl Verdict {
    pub(super) fn new(with: &Context<'_>, logs: &[Log]) -> Self {
        let span = &with.span;
        let mut counts = Counts::default();
        for log in logs {
            counts.join(&log.counts());
        }
        let start = if span.start == Known::Cut { span.sure_from } else { span.window.start() };
        let heading = Heading::new(with.stream.auctions(), &span.window.starting_at(start).into());
        let not_compared = NotCompared::of(logs);
        let outcome = match (counts.differences(), counts.matched) {
            (0, 0) if not_compared.is_some() || with.prefix => Outcome::NothingCompared,
            (0, _) => Outcome::Verified,
            _ => Outcome::Different,
        };
        let restamped = if outcome == Outcome::Different { with.source.restamped() } else { Vec::new() };
        let hints = hints(&counts, logs, restamped);
        let last =
            span.last.map(|last| Last { ordinal: last.ordinal, stage: last.stage, time: Timestamp(last.emit_ms) });
        Self {
            heading,
            outcome,
            clean: outcome == Outcome::Verified,
            start: span.start.word(),
            end: span.end.word(),
            last,
            counts,
            not_compared,
            logs: logs.iter().map(|log| LogVerdict::new(with, log)).collect(),
            fingerprint: with.fingerprints.as_ref().map(crate::generator::fingerprint::Fingerprints::total),
            hint_texts: hints.iter().map(ToString::to_string).collect(),
            hints,
        }
    }

    /// The same, with what explains the differences.
    #[must_use]
    pub fn explained(mut self, explanation: Explanation) -> Self {
        self.hints.insert(0, Hint::Explained(explanation));
        self.worded(ToString::to_string)
    }

    /// The same, with the hints in other words: those of a command line name its options.
    #[must_use]
    pub fn worded(mut self, word: impl Fn(&Hint) -> String) -> Self {
        self.hint_texts = self.hints.iter().map(word).collect();
        self
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether everything that was compared is as it should be, and something was.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// Of all logs.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Each log's, by stage and partition.
    #[must_use]
    pub fn logs(&self) -> &[LogVerdict] {
        &self.logs
    }

    /// The fingerprint of what the logs hold, where it was wanted.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Digest> {
        self.fingerprint
    }
}

impl LogVerdict {
    fn new(with: &Context<'_>, log: &Log) -> Self {
        let topic = &with.stream.layout().topic(log.place.stage).name;
        let of_this = |(name, partition, digest): (&TopicName, u32, Digest)| {
            (name == topic && Some(partition) == log.place.partition).then_some(digest)
        };
        Self {
            topic: topic.clone(),
            partition: log.place.partition,
            counts: log.counts(),
            missing_at_end: log.missing_at_end,
            is_empty: log.place.is_empty,
            log_start_offset: log.place.log_start_offset,
            first_difference: log.first.clone(),
            fingerprint: with.fingerprints.as_ref().and_then(|all| all.partitions().find_map(of_this)),
        }
    }
}

impl Known {
    fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Log => "log",
            Self::Stopped => "stopped",
            Self::Cut => "cut",
            Self::Nothing => "nothing",
        }
    }
}

/// What might explain many differences at once.
fn hints(counts: &Counts, logs: &[Log], restamped: Vec<TopicName>) -> Vec<Hint> {
    let mut hints: Vec<Hint> = restamped.into_iter().map(Hint::Restamped).collect();
    let is_known = !hints.is_empty();
    if counts.records > 0 && counts.foreign == counts.records {
        hints.push(Hint::OtherStream);
    }
    let parts: BTreeSet<&'static str> = logs.iter().flat_map(|log| log.altered_in.iter().copied()).collect();
    let part = parts.first().filter(|&&part| !(is_known && part == "timestamp"));
    if let (0, Some(part), 1) = (counts.matched, part, parts.len()) {
        hints.push(match *part {
            "headers" | "header" => Hint::Headers,
            "timestamp" => Hint::Timestamp,
            part => Hint::Part(part),
        });
    }
    let short = logs.iter().filter(|log| log.missing_at_end > 0).count();
    if short > 0 && counts.matched > 0 && counts.missing == logs.iter().map(|log| log.missing_at_end).sum::<u64>() {
        let are_files = logs.iter().any(|log| log.place.partition.is_none());
        hints.push(Hint::Short { short, logs: logs.len(), are_files });
    }
    hints
}
