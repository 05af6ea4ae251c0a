//! What a run says at its end: to people as a small table, to programs as one line of JSON.

#![expect(clippy::float_arithmetic, reason = "rates and sizes for people; nothing here reaches a record")]

use std::fmt;

use serde::Serialize;

use crate::generator::digest::Digest;
use crate::generator::spec::{Stage, StreamSpec};
use crate::generator::stream::{Assignment, Stream};
use crate::log::count::grouped;
use crate::log::heading::{Heading, Resumed};
use crate::player::pace::Lateness;
use crate::player::play::Outcome;

/// A run's report. [`fmt::Display`] is for people, `Serialize` for programs.
#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    heading: Heading,
    stages: Vec<StageReport>,
    records: u64,
    bytes: u64,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    acked: Option<u64>,
    seconds: f64,
    records_per_second: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lateness: Option<LatenessReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<String>,
    /// Stages of which the window holds nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    empty_stages: Vec<EmptyStage>,
    /// Where the broker inside the program is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    embedded_broker: Option<String>,
}

/// A stage of which a window holds nothing, and the least count of auctions from its start that has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EmptyStage {
    /// Which.
    pub stage: Stage,
    /// How many auctions have some.
    pub count: u64,
}

/// How late records were released against their due times, in microseconds.
#[derive(Debug, Serialize)]
struct LatenessReport {
    records: u64,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
}

/// One stage: how many records, and which share of the stage before became one.
#[derive(Debug, Serialize)]
struct StageReport {
    stage: Stage,
    topic: String,
    partitions: u32,
    records: u64,
    bytes: u64,
    /// Of the stage before; not for requests, and not where that stage is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configured_rate: Option<String>,
}

impl Report {
    /// The report of a run.
    #[must_use]
    pub fn new(stream: &Stream, part: &Assignment, outcome: &Outcome) -> Self {
        let auctions = stream.auctions();
        let spec = auctions.spec();
        Self {
            heading: Heading::new(auctions, part),
            stages: Stage::ALL.map(|stage| StageReport::new(stream, spec, stage, outcome)).into(),
            records: outcome.records(),
            bytes: outcome.bytes(),
            complete: outcome.complete,
            acked: outcome.acked,
            seconds: outcome.elapsed.as_secs_f64(),
            records_per_second: per_second(outcome),
            fingerprint: outcome.fingerprint,
            lateness: outcome.lateness.as_ref().map(LatenessReport::new),
            verify: None,
            empty_stages: Vec::new(),
            embedded_broker: None,
        }
    }

    /// The same, of a run that went on where another ended.
    #[must_use]
    pub fn resumed(self, resumed: Option<Resumed>) -> Self {
        Self { heading: self.heading.resumed(resumed), ..self }
    }

    /// Adds the command that verifies what the run wrote, if there is one.
    #[must_use]
    pub fn verified_by(mut self, command: Option<String>) -> Self {
        self.verify = command;
        self
    }

    /// Adds the stages of which the window holds nothing.
    #[must_use]
    pub fn without(self, empty_stages: Vec<EmptyStage>) -> Self {
        Self { empty_stages, ..self }
    }

    /// The stages of which the window holds nothing, where something asked for some.
    #[must_use]
    pub fn empty_stages(&self) -> &[EmptyStage] {
        &self.empty_stages
    }

    /// Adds the address of the broker inside the program.
    #[must_use]
    pub fn embedded(self, address: String) -> Self {
        Self { embedded_broker: Some(address), ..self }
    }
}

impl LatenessReport {
    fn new(lateness: &Lateness) -> Self {
        let us = |share| u64::try_from(lateness.quantile(share).as_micros()).unwrap_or(u64::MAX);
        Self { records: lateness.count(), p50_us: us(0.5), p99_us: us(0.99), max_us: us(1.0) }
    }
}

impl fmt::Display for LatenessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u64| us as f64 / 1_000.0;
        let (p50, p99, max) = (ms(self.p50_us), ms(self.p99_us), ms(self.max_us));
        write!(f, "{p50:.2} ms at the median, {p99:.2} ms at p99, {max:.2} ms at most")
    }
}

impl StageReport {
    fn new(stream: &Stream, spec: &StreamSpec, stage: Stage, outcome: &Outcome) -> Self {
        let count = outcome.counts[stage];
        let before = stage.index().checked_sub(1).map(|index| outcome.counts[Stage::ALL[index]].records);
        let configured = match stage {
            Stage::Request => None,
            Stage::Response => Some(spec.bid_response_rate),
            Stage::Impression => Some(spec.win_rate),
            Stage::Click => Some(spec.click_rate),
        };
        Self {
            stage,
            topic: stream.layout().topic(stage).name.to_string(),
            partitions: stream.layout().topic(stage).partitions.count(),
            records: count.records,
            bytes: count.bytes,
            rate: before.filter(|&before| before > 0).map(|before| count.records as f64 / before as f64),
            configured_rate: configured.map(|rate| rate.to_string()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let width = self.stages.iter().map(|stage| stage.topic.len()).max().unwrap_or(0).max("topic".len());
        writeln!(
            f,
            "{:width$}  {:>10}  {:>13}  {:>10}  {:>10}  {:>10}",
            "topic", "partitions", "records", "rate", "configured", "payload"
        )?;
        for stage in &self.stages {
            let rate = stage.rate.map_or(String::new(), |rate| format!("{:.2} %", rate * 100.0));
            let configured = stage.configured_rate.as_deref().map_or(String::new(), percent);
            let (records, bytes) = (grouped(stage.records), size(stage.bytes));
            let (topic, partitions) = (&stage.topic, stage.partitions);
            writeln!(f, "{topic:width$}  {partitions:>10}  {records:>13}  {rate:>10}  {configured:>10}  {bytes:>10}")?;
        }
        let (records, bytes) = (grouped(self.records), size(self.bytes));
        writeln!(f, "{:width$}  {:>10}  {records:>13}  {:>10}  {:>10}  {bytes:>10}", "", "", "", "")?;
        writeln!(f)?;
        let per_second = grouped(self.records_per_second);
        let done = if self.complete { "done in" } else { "stopped after" };
        writeln!(f, "{done:<12} {:.2} s, {per_second} records/s", self.seconds)?;
        if let Some(acked) = self.acked {
            writeln!(f, "acknowledged {} records", grouped(acked))?;
        }
        if let Some(lateness) = &self.lateness {
            writeln!(f, "late by      {lateness}")?;
        }
        if let Some(fingerprint) = &self.fingerprint {
            writeln!(f, "fingerprint  {fingerprint}")?;
        }
        if let Some(command) = &self.verify {
            writeln!(f, "verify with  {command}")?;
        }
        Ok(())
    }
}

fn per_second(outcome: &Outcome) -> u64 {
    let per_second = u128::from(outcome.records()) * 1_000_000 / outcome.elapsed.as_micros().max(1);
    per_second as u64
}

/// A number of bytes in the largest unit that it fills: `1.50 kB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1_000.0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next();
    while size >= 1_000.0 {
        (size, unit) = (size / 1_000.0, units.next());
    }
    format!("{size:.2} {}", unit.unwrap_or_default())
}

/// An exact decimal share as a percentage: `0.15` is `15 %`.
fn percent(rate: &str) -> String {
    let (whole, fraction) = rate.split_once('.').unwrap_or((rate, ""));
    let digits = format!("{whole}{fraction:0<2}");
    let (whole, fraction) = digits.split_at(whole.len() + 2);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { format!("{whole} %") } else { format!("{whole}.{fraction} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_in_decimal_units() {
        let shown = [0, 999, 1_000, 12_345, 1_500_000, 999_999_999, u64::MAX].map(size);
        assert_eq!(shown, ["0 B", "999 B", "1.00 kB", "12.35 kB", "1.50 MB", "1000.00 MB", "18.45 EB"]);
    }

    #[test]
    fn rates_read_as_percentages() {
        let shown = ["0", "1", "0.6", "0.15", "0.02", "0.123456789", "0.005"].map(percent);
        assert_eq!(shown, ["0 %", "100 %", "60 %", "15 %", "2 %", "12.3456789 %", "0.5 %"]);
    }
}
