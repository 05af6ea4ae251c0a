//! `manifest.json`: what a key is of, and digests of all that it holds.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::settings::Settings;
use super::table::Closed;
use super::walk::{LogState, Logs};
use crate::files::FilesError;
use crate::files::write_manifest;
use crate::generator::digest::Digest;
use crate::generator::spec::{self, Span, Stage, StreamSpec};
use crate::generator::stream::{Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::generator::version::STREAM_VERSION;

#[derive(Debug, Serialize)]
struct Manifest<'a> {
    stream_version: u32,
    stream_id: Digest,
    spec: &'a StreamSpec,
    window: ManifestWindow,
    bounds_ms: Bounds,
    window_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark_delay_ms: Option<i64>,
    /// The safe delay of a watermark, whatever is read in whichever order: no record's event time lies further behind.
    max_disorder_ms: i64,
    topics: Vec<Topic<'a>>,
    tables: &'a [Closed],
}

/// Both ends by ordinal and by the time of their requests.
#[derive(Debug, Serialize)]
struct ManifestWindow {
    first_ordinal: u64,
    end_ordinal: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_request: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_request: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Bounds {
    request_response: i64,
    response_impression: i64,
    impression_click: i64,
}

#[derive(Debug, Serialize)]
struct Topic<'a> {
    #[serde(rename = "topic")]
    name: &'a str,
    stage: Stage,
    records: u64,
    /// Of the topic in emit order, as one source.
    max_disorder_ms: i64,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Partition {
    #[serde(rename = "partition")]
    number: usize,
    records: u64,
    max_disorder_ms: i64,
    /// Where a run into Kafka has written it.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_offset: Option<u64>,
}

/// Whether a manifest is of a key of the same stream, topics and settings; of the same window if one is given, and of as many
/// partitions if `counts`.
pub(super) fn is_of(
    manifest: &Value,
    stream: &Stream,
    window: Option<Window>,
    settings: Settings,
    counts: bool,
) -> bool {
    let number = |value: &Value, name: &str| value[name].as_i64();
    let (bounds, [first, second, third]) = (&manifest["bounds_ms"], settings.bounds.map(|bound| Some(bound.ms())));
    let is_window = |window: Window| {
        let found = &manifest["window"];
        let end = window.end().unwrap_or_else(|| stream.auctions().clock().auctions());
        found["first_ordinal"].as_u64() == Some(window.start()) && found["end_ordinal"].as_u64() == Some(end)
    };
    let are_topics = |topics: &Vec<Value>| {
        let is_topic = |(found, topic): (&Value, &spec::Topic)| {
            let partitions = found["partitions"].as_array().map(Vec::len);
            found["topic"].as_str() == Some(topic.name.as_str())
                && (!counts || partitions == Some(topic.partitions.count() as usize))
        };
        topics.len() == Stage::ALL.len() && topics.iter().zip(stream.layout().topics()).all(is_topic)
    };
    manifest["stream_version"].as_u64() == Some(STREAM_VERSION.into())
        && manifest["stream_id"].as_str() == Some(&stream.auctions().spec().stream_id().to_string())
        && window.is_none_or(is_window)
        && number(bounds, "request_response") == first
        && number(bounds, "response_impression") == second
        && number(bounds, "impression_click") == third
        && number(manifest, "window_ms") == Some(settings.window.ms())
        && number(manifest, "watermark_delay_ms") == settings.watermark_delay.map(Span::ms)
        && manifest["topics"].as_array().is_some_and(are_topics)
}

/// A key whose tables are written.
pub(super) struct Written<'a> {
    pub(super) stream: &'a Stream,
    pub(super) window: Window,
    pub(super) settings: Settings,
    pub(super) logs: Logs,
    pub(super) are_offsets: bool,
    pub(super) tables: &'a [Closed],
}

impl Written<'_> {
    pub(super) fn write_manifest(&self, folder: &Path) -> Result<(), FilesError> {
        write_manifest(folder, &self.manifest())
    }

    fn manifest(&self) -> Manifest<'_> {
        let (auctions, settings) = (self.stream.auctions(), self.settings);
        let (start, end) = (self.window.start(), self.window.end().unwrap_or_else(|| auctions.clock().auctions()));
        let request = |ordinal: u64| Timestamp(auctions.plan(ordinal).request_ms);
        let [request_response, response_impression, impression_click] = settings.bounds.map(Span::ms);
        let topics: Vec<Topic<'_>> = Stage::ALL.into_iter().map(|stage| self.topic(stage)).collect();
        Manifest {
            stream_version: STREAM_VERSION,
            stream_id: auctions.spec().stream_id(),
            spec: auctions.spec(),
            window: ManifestWindow {
                first_ordinal: start,
                end_ordinal: end,
                first_request: (end > start).then(|| request(start)),
                last_request: (end > start).then(|| request(end - 1)),
            },
            bounds_ms: Bounds { request_response, response_impression, impression_click },
            window_ms: settings.window.ms(),
            watermark_delay_ms: settings.watermark_delay.map(Span::ms),
            max_disorder_ms: topics.iter().map(|topic| topic.max_disorder_ms).max().unwrap_or(0),
            topics,
            tables: self.tables,
        }
    }

    fn topic(&self, stage: Stage) -> Topic<'_> {
        let partition = |(number, log): (usize, &LogState)| Partition {
            number,
            records: log.records,
            max_disorder_ms: log.disorder_ms,
            end_offset: self.are_offsets.then_some(log.records),
        };
        let whole = self.logs.topics[stage];
        Topic {
            name: self.stream.layout().topic(stage).name.as_str(),
            stage,
            records: whole.records,
            max_disorder_ms: whole.disorder_ms,
            partitions: self.logs.partitions[stage].iter().enumerate().map(partition).collect(),
        }
    }
}
