//! Run options that do not fit together.

use std::path::{Path, absolute};

use super::run::{Resume, RunOptions, SinkKind};
use crate::answer_key::{self, Settings, is_written};
use crate::cli::exit::Failure;
use crate::cli::signals;
use crate::files::FilesError;
use crate::generator::stream::{Stream, Window};
use crate::kafka::{Embedded, Property};
use crate::player::{FilesPlan, RunPlan, SinkPlan};
use crate::sink::files::Files;

/// Refuses options that contradict each other.
pub(super) fn check(options: &RunOptions) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let files = options.sink == SinkKind::Files;
    if options.fast && options.speed.is_some() {
        return usage("--fast never waits and --speed sets how long to wait: give one of them");
    }
    if files {
        options.folder()?;
    }
    if !files && options.out.is_some() {
        return usage("--out is the folder of --sink files: add that, or omit --out");
    }
    if !files && options.envelope {
        return usage("--envelope is for --sink files (standard output always has envelopes)");
    }
    if !files && options.overwrite {
        return usage("--overwrite replaces the folder of --sink files: add that, or omit --overwrite");
    }
    let of_topics = options.replication_factor.is_some() || options.resume.is_some() || options.delivery.is_some();
    if !options.is_kafka() && of_topics {
        return usage(
            "--replication-factor, --delivery and --resume are about the topics of a real Kafka: omit them, or give its --bootstrap-servers (and --sink kafka)",
        );
    }
    if options.is_exactly_once() && options.resume == Some(Resume::Never) {
        return usage(
            "--delivery exactly-once resumes after what the topics hold, and --resume never does not look: omit one of them",
        );
    }
    if !options.shard.is_whole() && options.resume == Some(Resume::Recreate) {
        return usage(
            "--resume recreate deletes the topics under all workers of --shard, each of which would do it: stop them, delete the topics by kafka-topics.sh, and leave --resume recreate out",
        );
    }
    let live = !options.fast && options.speed.is_none();
    let goes_on = !matches!(options.resume, Some(Resume::Never | Resume::Recreate));
    if options.catch_up.is_some() && !(options.is_kafka() && live && goes_on) {
        return usage(
            "--catch-up bounds the gap that a live run fills after the records of a real Kafka, which --resume never or recreate does not look for: omit it",
        );
    }
    if options.sink != SinkKind::Kafka && options.kafka.has_properties() {
        return usage("-X sets properties of the Kafka client: omit it, or use --sink kafka");
    }
    if !options.is_embedded() && options.hold {
        return usage("--hold keeps the embedded broker up: add --bootstrap-servers embedded, or omit --hold");
    }
    if !options.is_embedded() && options.embedded_port.is_some() {
        return usage(
            "--embedded-port is of the embedded broker: add --bootstrap-servers embedded, or omit --embedded-port",
        );
    }
    Ok(())
}

/// Refuses a property by which nobody could tell whether a commit was asked for twice.
pub(super) fn require_certain_commits(options: &RunOptions, properties: &[Property]) -> Result<(), Failure> {
    let decides = |property: &&Property| matches!(property.key(), "retry.backoff.ms" | "retry.backoff.max.ms");
    match properties.iter().find(decides) {
        Some(property) if options.is_exactly_once() => Err(Failure::Usage(format!(
            "-X {}: cannot be set with --delivery exactly-once, which knows by the client's own 1,000 ms whether a commit was asked for twice: omit it",
            property.key()
        ))),
        _ => Ok(()),
    }
}

/// Refuses an answer key that cannot be written.
pub(super) fn require_key(
    options: &RunOptions,
    stream: &Stream,
    window: Window,
    begins_now: bool,
) -> Result<(), Failure> {
    let Some(folder) = &options.answer_key else { return Ok(()) };
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    if window.end().is_none() {
        return usage("--answer-key is of a window that ends: give --count, --duration or --to, or omit it");
    }
    if !options.shard.is_whole() {
        return usage(
            "--answer-key is of all partitions, so every worker of --shard would write the same: give it to the command answer-key, once",
        );
    }
    if let Some(out) = options.out.as_ref().filter(|out| lie_within_one_another(out, folder)) {
        return usage(&format!(
            "--out {} and --answer-key {} lie within one another, and each must be empty and has a manifest.json: give two folders side by side",
            out.display(),
            folder.display()
        ));
    }
    // Where the same run goes on, it is there already. A window from now, and how many partitions there are, is known when the
    // topics are looked at.
    let window = (!begins_now).then_some(window);
    if is_written(folder, stream, window, Settings::of(stream), !options.is_kafka()) {
        return Ok(());
    }
    let require = if options.overwrite { answer_key::require_replaceable } else { answer_key::require_room };
    require(folder).map_err(|error| match error {
        FilesError::NotEmpty { .. } => {
            Failure::Usage(format!("{error}: give --answer-key a folder that is new or empty"))
        }
        error => error.into(),
    })
}

/// Refuses bare values that are none: a line cannot hold them.
pub(super) fn require_envelope(options: &RunOptions, stream: &Stream) -> Result<(), Failure> {
    let faults = &stream.auctions().spec().faults;
    if options.sink == SinkKind::Files && !options.envelope && faults.has_bytes_without_json() {
        return Err(Failure::Usage(
            "--malformed and --tombstones make values that are no JSON, which a line of bare values cannot hold: add --envelope"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a folder, or a broker inside this process, that cannot take what would be played. A run finds that out when it
/// begins.
pub(crate) fn require_room(plan: &RunPlan) -> Result<(), Failure> {
    match &plan.sink {
        SinkPlan::Files(FilesPlan { folder, overwrite: true, .. }) => {
            Ok(Files::require_replaceable(folder, plan.stream.layout())?)
        }
        SinkPlan::Files(FilesPlan { folder, envelope, .. }) => {
            let stop = signals::listen()?;
            Ok(Files::held(folder, *envelope, &plan.stream, &plan.assignment(), &stop).map(drop)?)
        }
        SinkPlan::Embedded(_) => Ok(Embedded::require_fit(&plan.stream, plan.window, &*signals::listen()?)?),
        SinkPlan::Kafka(_) | SinkPlan::Stdout | SinkPlan::Null => Ok(()),
    }
}

/// Whether one of two folders is the other or holds it, as far as their names tell.
fn lie_within_one_another(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| absolute(path).unwrap_or_else(|_| path.to_owned()));
    one.starts_with(&other) || other.starts_with(&one)
}
