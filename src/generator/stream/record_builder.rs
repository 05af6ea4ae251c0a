//! One record from its position: key, partition, headers and value.

use std::fmt::Write;

use super::{Assignment, Position};
use crate::generator::auction::{Auctions, CopyKind};
use crate::generator::codec::{JsonEncoder, KnownId, corrupt};
use crate::generator::random::Words;
use crate::generator::record::{HEADER_NAMES, Header, Record, key_name, own_kind, partition};
use crate::generator::spec::{Layout, Stage, StreamSpec};

/// What the records of a stream are made of.
#[derive(Debug, Clone)]
pub(super) struct RecordBuilder {
    auctions: Auctions,
    layout: Layout,
    json: JsonEncoder,
    stream_id: String,
}

impl RecordBuilder {
    pub(super) fn new(spec: &StreamSpec, layout: &Layout) -> Self {
        let auctions = Auctions::new(spec);
        Self {
            json: JsonEncoder::new(&auctions),
            auctions,
            layout: layout.clone(),
            stream_id: spec.stream_id().to_string(),
        }
    }

    pub(super) fn auctions(&self) -> &Auctions {
        &self.auctions
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The key of the record at a position, as text.
    pub(super) fn key(&self, position: Position) -> [u8; 36] {
        self.key_of(position, || self.auctions.plan(position.ordinal).user)
    }

    /// As [`RecordBuilder::key`], where somebody knows the user.
    pub(super) fn key_of(&self, position: Position, user: impl FnOnce() -> u64) -> [u8; 36] {
        let Position { ordinal, stage, copy, .. } = position;
        let form = CopyKind::of(copy).unwrap_or(CopyKind::Event);
        let (kind, number) = key_name(self.auctions.spec().key_by, stage, form, ordinal, user);
        let mut key = [0; 36];
        self.auctions.ids().id(kind, number).hyphenated().encode_lower(&mut key);
        key
    }

    /// The partition of a key in the topic of a stage.
    pub(super) fn partition_of_key(&self, stage: Stage, key: &[u8]) -> u32 {
        partition(key, self.layout.topic(stage).partitions)
    }

    /// Fills `record` with the record at a position of this stream.
    pub(super) fn fill(&self, position: Position, record: &mut Record) {
        self.fill_of_words(position, &self.auctions.words(position.ordinal), record);
    }

    /// As [`RecordBuilder::fill`], where the auction's words are drawn already.
    pub(super) fn fill_of_words(&self, position: Position, words: &Words, record: &mut Record) {
        let key = self.key_of_words(position, words);
        self.fill_with_key(position, words, &key, self.partition_of_key(position.stage, &key), record);
    }

    /// As [`RecordBuilder::key`], where the auction's words are drawn already.
    fn key_of_words(&self, position: Position, words: &Words) -> [u8; 36] {
        self.key_of(position, || self.auctions.plan_of_words(position.ordinal, words).user)
    }

    /// As [`RecordBuilder::fill`], where words, key and partition are known already.
    fn fill_with_key(&self, position: Position, words: &Words, key: &[u8; 36], partition: u32, record: &mut Record) {
        let Position { emit_ms, ordinal, stage, copy } = position;
        let auction = self.auctions.of_words(ordinal, words);
        let spec = self.auctions.spec();
        record.ordinal = ordinal;
        record.stage = stage;
        record.copy = copy;
        record.emit_ms = emit_ms;
        record.timestamp_ms = auction.plan.event_ms(stage).unwrap_or(emit_ms);
        record.key.clear();
        record.key.extend_from_slice(key);
        record.partition = partition;
        if spec.headers {
            self.fill_headers(position, &mut record.headers);
        } else {
            record.headers.clear();
        }
        record.value.clear();
        let form = CopyKind::of(copy).unwrap_or(CopyKind::Event);
        record.is_tombstone = form == CopyKind::Tombstone;
        let auction = if form == CopyKind::Conflict { auction.told_otherwise() } else { auction };
        // An extra record has its own id in the place of the event's.
        let kind = if form.is_event() { key_name(spec.key_by, stage, form, ordinal, || 0).0 } else { own_kind(stage) };
        if !record.is_tombstone {
            let exists = self.json.encode(&auction, stage, KnownId { kind, text: key }, &mut record.value);
            debug_assert!(exists, "auction {ordinal} has no {stage}");
        }
        let word = || self.auctions.damage_word(form, stage, ordinal);
        match form {
            CopyKind::Malformed => corrupt::break_json(&mut record.value, word()),
            CopyKind::Invalid => corrupt::violate_schema(&mut record.value, record.timestamp_ms, word()),
            CopyKind::Event | CopyKind::Duplicate | CopyKind::Conflict | CopyKind::Tombstone => {}
        }
    }

    /// Writes a record's headers over those of an earlier one.
    fn fill_headers(&self, position: Position, headers: &mut Vec<Header>) {
        let Position { ordinal, stage, copy, .. } = position;
        headers.resize_with(HEADER_NAMES.len(), || Header { name: "", value: String::new() });
        for (index, (header, name)) in headers.iter_mut().zip(HEADER_NAMES).enumerate() {
            header.name = name;
            header.value.clear();
            // Writing to a String cannot fail.
            let _ = match index {
                0 => header.value.write_str(&self.stream_id),
                1 => write!(header.value, "{ordinal}"),
                2 => write!(header.value, "{stage}"),
                _ => write!(header.value, "{copy}"),
            };
        }
    }
}

/// A record that is due, and the words that it is made of.
#[derive(Debug)]
pub(super) struct DueRecord {
    pub(super) position: Position,
    pub(super) words: Words,
}

/// Builds the records of an assignment.
#[derive(Debug, Clone, Copy)]
pub(super) struct AssignedBuilder<'a> {
    pub(super) builder: &'a RecordBuilder,
    pub(super) assignment: &'a Assignment,
}

impl AssignedBuilder<'_> {
    /// Fills `record`; false if the record here belongs to another assignment.
    pub(super) fn fill(self, due: &DueRecord, record: &mut Record) -> bool {
        self.fill_of_words(due.position, &due.words, record)
    }

    /// As [`AssignedBuilder::fill`], from borrowed words.
    pub(super) fn fill_of_words(self, position: Position, words: &Words, record: &mut Record) -> bool {
        let Self { builder, assignment } = self;
        let key = builder.key_of_words(position, words);
        let partition = builder.partition_of_key(position.stage, &key);
        let plays = assignment.plays(position, partition);
        if plays {
            builder.fill_with_key(position, words, &key, partition, record);
        }
        plays
    }
}
