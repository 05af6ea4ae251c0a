//! Fingerprints: SHA-256 over a record sequence, computable from the plan and from any log.
//!
//! A partition's is over its records in order. A run's is over its non-empty partitions, sorted by topic bytes and partition.
//!
//! ```text
//! record    = timestamp i64, bytes(key), bytes(value), header count u32, each: bytes(name), bytes(value)
//! bytes(b)  = length u32, b          (null: length 2^32 - 1, no bytes)
//! run       = each partition: bytes(topic), partition u32, its 32 digest bytes
//! ```
//!
//! All numbers are big-endian.

use std::collections::BTreeMap;

use sha2::Sha256;
use sha2::digest::Digest as _;

use crate::generator::digest::Digest;
use crate::generator::record::Record;
use crate::generator::spec::{ByStage, Layout, Stage, TopicName};

/// The running fingerprints of all partitions of a run.
#[derive(Debug, Clone)]
pub struct Fingerprints {
    topics: ByStage<(TopicName, BTreeMap<u32, Sha256>)>,
}

impl Fingerprints {
    /// No records yet, in the topics of a layout.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self { topics: ByStage::from_fn(|stage| (layout.topic(stage).name.clone(), BTreeMap::new())) }
    }

    /// Adds a record of the stream to its partition.
    pub fn add(&mut self, record: &Record) {
        let headers = record.headers.iter().map(|header| (header.name.as_bytes(), Some(header.value.as_bytes())));
        self.add_parts(
            record.stage,
            record.partition,
            record.timestamp_ms,
            Some(&record.key),
            record.payload(),
            headers,
        );
    }

    /// Adds a record that was read from a stage's topic: null keys and values, and headers of any name, count as they are.
    pub fn add_parts<'a>(
        &mut self,
        stage: Stage,
        partition: u32,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) {
        let hash = self.topics[stage].1.entry(partition).or_default();
        hash.update(timestamp_ms.to_be_bytes());
        update_bytes(hash, key);
        update_bytes(hash, value);
        hash.update((headers.len() as u32).to_be_bytes());
        for (name, value) in headers {
            update_bytes(hash, Some(name));
            update_bytes(hash, value);
        }
    }

    /// The fingerprint of the whole run so far.
    #[must_use]
    pub fn total(&self) -> Digest {
        let mut total = Sha256::new();
        for (topic, partition, fingerprint) in self.partitions() {
            update_bytes(&mut total, Some(topic.as_str().as_bytes()));
            total.update(partition.to_be_bytes());
            total.update(fingerprint.bytes());
        }
        total.into()
    }

    /// The fingerprint of each non-empty partition, sorted by topic bytes and partition.
    pub fn partitions(&self) -> impl Iterator<Item = (&TopicName, u32, Digest)> {
        let mut topics: Vec<_> = self.topics.values().collect();
        topics.sort_by_key(|(name, _)| name);
        topics.into_iter().flat_map(|(name, partitions)| {
            partitions.iter().map(move |(partition, hash)| (name, *partition, hash.clone().into()))
        })
    }
}

fn update_bytes(hash: &mut Sha256, bytes: Option<&[u8]>) {
    match bytes {
        None => hash.update(u32::MAX.to_be_bytes()),
        Some(bytes) => {
            hash.update((bytes.len() as u32).to_be_bytes());
            hash.update(bytes);
        }
    }
}
