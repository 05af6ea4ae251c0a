//! One record from its position: key, partition, headers and value.
#![expect(
    clippy::inline_always,
    reason = "a record of each stage is built by code of its own, in which the stage is a constant"
)]

use super::Position;
use crate::generator::auction::{Auction, Auctions, CopyKind, User};
use crate::generator::codec::{BYTES_MAX, ComputedIds, IdTexts, JsonEncoder, KnownId, Parts, corrupt};
use crate::generator::ids::IdText;
use crate::generator::record::{HEADER_NAMES, Header, Record, key_name, known_kind, partition};
use crate::generator::spec::{Layout, Stage, StreamSpec};
use crate::generator::timestamp::LastDay;

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

    /// Fills `record` with the record at a position of this stream: the definition of what a [`Batch`](super::batch::Batch) makes side
    /// by side.
    pub(super) fn fill(&self, position: Position, record: &mut Record) {
        let auction = self.auctions.at(position.ordinal);
        let Position { stage, copy, .. } = position;
        let user = auction.plan.user;
        let key = self.key_of(position, || user);
        let form = CopyKind::of(copy).unwrap_or(CopyKind::Event);
        let known = KnownId { kind: known_kind(self.auctions.spec().key_by, stage, form), text: &key };
        let ids = ComputedIds { ids: self.auctions.ids(), known };
        let partition = self.partition_of_key(stage, &key);
        let parts = Parts { ids: &ids, day: &mut LastDay::default() };
        self.write(position, auction, || self.auctions.user(user), (&key, partition), parts, record);
    }

    /// Fills `record` with the record at a position, of whose parts all but the text are known.
    #[inline(always)]
    pub(super) fn write<'u>(
        &self,
        position: Position,
        auction: Auction<'_>,
        user: impl FnOnce() -> User<'u>,
        (key, partition): (&IdText, u32),
        parts: Parts<'_, impl IdTexts>,
        record: &mut Record,
    ) {
        let Position { emit_ms, ordinal, stage, copy } = position;
        record.ordinal = ordinal;
        record.stage = stage;
        record.copy = copy;
        record.emit_ms = emit_ms;
        record.timestamp_ms = auction.plan.event_ms(stage).unwrap_or(emit_ms);
        record.key.clear();
        record.key.extend_from_slice(key);
        record.partition = partition;
        if self.auctions.spec().headers {
            self.fill_headers(position, &mut record.headers);
        } else {
            record.headers.clear();
        }
        let form = CopyKind::of(copy).unwrap_or(CopyKind::Event);
        record.is_tombstone = form == CopyKind::Tombstone;
        let auction = if form == CopyKind::Conflict { auction.told_otherwise() } else { auction };
        let mut length = 0;
        if !record.is_tombstone {
            // What an earlier record has left is written over, and only what is new is cleared first.
            record.value.resize(BYTES_MAX.max(record.value.len()), 0);
            let written = self.json.write(&auction, stage, user, parts, &mut record.value);
            debug_assert!(written.is_some(), "auction {ordinal} has no {stage}");
            length = written.unwrap_or(0);
        }
        record.value.truncate(length);
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
            match index {
                0 => header.value.push_str(&self.stream_id),
                1 => header.value.push_str(itoa::Buffer::new().format(ordinal)),
                2 => header.value.push_str(stage.name()),
                _ => header.value.push_str(itoa::Buffer::new().format(copy)),
            }
        }
    }
}
