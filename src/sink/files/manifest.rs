//! What `manifest.json` holds.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::generator::digest::Digest;
use crate::generator::spec::{Layout, Stage, StreamSpec, Topic};
use crate::generator::stream::Assignment;
use crate::generator::version::STREAM_VERSION;

/// The whole file.
#[derive(Debug, Serialize)]
pub(super) struct Manifest<'a, File> {
    #[serde(flatten)]
    pub(super) head: Head<'a>,
    pub(super) files: [File; 4],
}

/// A file that is about to be written.
#[derive(Debug, Serialize)]
pub(super) struct Named {
    pub(super) name: String,
}

/// What is known of a folder before its first record. The end of an unbounded window is null.
#[derive(Debug, Serialize)]
pub(super) struct Head<'a> {
    pub(super) stream_version: u32,
    pub(super) stream_id: Digest,
    pub(super) spec: &'a StreamSpec,
    pub(super) layout: &'a [Topic; 4],
    pub(super) window: ManifestWindow,
    /// Where several workers share the partitions: only this one's are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<String>,
    /// Whether the whole window is here; false after a signal.
    pub(super) complete: bool,
    /// `payload`: bare values; `envelope`: topic, partition, key, timestamp, headers, value.
    pub(super) lines: &'static str,
}

impl<'a> Head<'a> {
    pub(super) fn new(stream: (&'a StreamSpec, &'a Layout), part: &Assignment, envelope: bool, complete: bool) -> Self {
        let (spec, layout) = stream;
        let (window, shard) = (part.window(), part.shard());
        Self {
            stream_version: STREAM_VERSION,
            stream_id: spec.stream_id(),
            spec,
            layout: layout.topics(),
            window: ManifestWindow { first_ordinal: window.start(), end_ordinal: window.end() },
            shard: Some(shard).filter(|shard| !shard.is_whole()).map(|shard| shard.to_string()),
            complete,
            lines: if envelope { "envelope" } else { "payload" },
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ManifestWindow {
    pub(super) first_ordinal: u64,
    pub(super) end_ordinal: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct ManifestFile<'a> {
    pub(super) name: &'a str,
    pub(super) topic: &'a str,
    pub(super) stage: Stage,
    pub(super) records: u64,
    pub(super) records_by_partition: &'a BTreeMap<u32, u64>,
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
}
