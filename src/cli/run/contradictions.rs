//! Run options that do not fit together.

use super::super::Failure;
use super::{Resume, RunOptions, SinkKind};
use crate::sink::files::require_empty;
use crate::sink::kafka::Property;
use crate::stream::{Stream, Window};

impl RunOptions {
    /// Refuses options that contradict each other.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        let files = self.sink == SinkKind::Files;
        if self.fast && self.speed.is_some() {
            return usage("--fast never waits and --speed sets how long to wait: give one of them");
        }
        if files {
            self.folder()?;
        }
        if !files && self.out.is_some() {
            return usage("--out is the folder of --sink files: add that, or leave --out away");
        }
        if !files && self.envelope {
            return usage("--envelope is for --sink files (standard output always has envelopes)");
        }
        let of_topics = self.replication_factor.is_some() || self.resume.is_some() || self.delivery.is_some();
        if !self.is_kafka() && of_topics {
            return usage(
                "--replication-factor, --delivery and --resume are about the topics of a real Kafka: leave them away, or give its --bootstrap-servers (and --sink kafka)",
            );
        }
        if self.is_exactly_once() && self.resume == Some(Resume::Never) {
            return usage(
                "--delivery exactly-once goes on behind what the topics hold, and --resume never does not look: leave one of them away",
            );
        }
        let live = !self.fast && self.speed.is_none();
        if self.catch_up.is_some() && !(self.is_kafka() && live && self.resume != Some(Resume::Never)) {
            return usage(
                "--catch-up bounds the hole that a live run fills behind the records of a real Kafka: leave it away",
            );
        }
        if self.sink != SinkKind::Kafka && self.kafka.has_properties() {
            return usage("-X sets properties of the Kafka client: leave it away, or use --sink kafka");
        }
        if !self.is_embedded() && self.hold {
            return usage(
                "--hold keeps the embedded broker up: add --bootstrap-servers embedded, or leave --hold away",
            );
        }
        Ok(())
    }

    /// Refuses a property by which nobody could tell whether a commit was asked for twice.
    pub(super) fn require_certain_commits(&self, properties: &[Property]) -> Result<(), Failure> {
        let decides = |property: &&Property| matches!(property.key(), "retry.backoff.ms" | "retry.backoff.max.ms");
        match properties.iter().find(decides) {
            Some(property) if self.is_exactly_once() => Err(Failure::Usage(format!(
                "`{}` cannot be set with --delivery exactly-once: by the 1,000 ms of these the program knows whether a commit was asked for twice",
                property.key()
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses an answer key that cannot be written.
    pub(super) fn require_key(&self, window: Window) -> Result<(), Failure> {
        let Some(folder) = &self.answer_key else { return Ok(()) };
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        if window.end().is_none() {
            return usage("--answer-key is of a window that ends: give --count, --duration or --to, or leave it away");
        }
        if !self.shard.is_whole() {
            return usage(
                "--answer-key is of all partitions, so every worker of --shard would write the same: give it to the command answer-key, once",
            );
        }
        if self.out.as_ref() == Some(folder) {
            return usage("--out and --answer-key name the same folder, and each has a manifest.json: give them two");
        }
        Ok(require_empty(folder, "--answer-key")?)
    }

    /// Refuses bare values that are none: a line cannot hold them.
    pub(super) fn require_envelope(&self, stream: &Stream) -> Result<(), Failure> {
        let faults = &stream.auctions().spec().faults;
        if self.sink == SinkKind::Files && !self.envelope && faults.has_bytes_without_json() {
            return Err(Failure::Usage(
                "--malformed and --tombstones make values that are no JSON, which a line of bare values cannot hold: add --envelope"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}
