//! The stream: windows of it as records, in the total order (emit time, ordinal, stage, copy).
//!
//! ```text
//! Auctions::words ──> plan ──> due positions, a heap ──> auction of the same words ──> Json ──> Record
//! ```
//!
//! An auction's words are drawn once and kept until its last record was taken. A walk that emits nothing stays with positions: it
//! draws plans, and adds keys where it needs partitions.
//!
//! ```
//! use mock_data_gen::spec::{Layout, Stage, StreamSpec};
//! use mock_data_gen::stream::{Stream, Window};
//!
//! let stream = Stream::new(&StreamSpec::default(), &Layout::default());
//! let records: Vec<_> = stream.records(Window::auctions(0, 3)).collect();
//! assert_eq!(records[0].stage, Stage::Request);
//! assert_eq!(records[0].key, b"63e8dea2-cc50-59e5-b81c-9da9621276bd");
//! ```

mod due;
mod part;
mod position;
mod progress;
mod window;

use std::fmt::Write;

use self::due::DueRecords;
pub(crate) use self::part::Due;
pub use self::part::{Part, PartRecords, Shard, ShardError, Step};
pub use self::position::{Position, Positions};
pub use self::progress::{Progress, ProgressError};
pub use self::window::{Window, WindowEnd, WindowError};
use crate::auction::{Auctions, Form};
use crate::draw::Words;
use crate::encode::{Json, Known, damage};
use crate::record::{HEADER_NAMES, Header, Record, key_name, own_kind, partition};
use crate::spec::{Layout, Stage, StreamSpec};

/// A stream made ready: position-addressed, immutable, safe to share between threads.
#[derive(Debug, Clone)]
pub struct Stream {
    auctions: Auctions,
    layout: Layout,
    json: Json,
    id: String,
}

impl Stream {
    /// Makes the stream of a spec ready, to be placed by a layout.
    #[must_use]
    pub fn new(spec: &StreamSpec, layout: &Layout) -> Self {
        let auctions = Auctions::new(spec);
        Self { json: Json::new(&auctions), auctions, layout: layout.clone(), id: spec.stream_id().to_string() }
    }

    /// Its auctions.
    #[must_use]
    pub fn auctions(&self) -> &Auctions {
        &self.auctions
    }

    /// Its layout.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The records of a window, in order. Starting costs the same at any ordinal; memory is bounded by rate × largest lag.
    #[must_use]
    pub fn records(&self, window: Window) -> Records<'_> {
        self.records_of(window.start(), window)
    }

    /// The records of a window from a position on, in order: the same as those of [`Stream::records`] without the ones before.
    /// It looks back by the largest lag, so starting costs the same at any position.
    #[must_use]
    pub fn records_from(&self, window: Window, position: Position) -> Records<'_> {
        let look_back_ms = position.emit_ms.saturating_sub(self.auctions.spec().lag_ms_max());
        let start = self.auctions.first_from_ms(look_back_ms).max(window.start());
        let mut records = self.records_of(start, window);
        while records.peek_position().is_some_and(|next| next < position) {
            records.next_position();
        }
        records
    }

    fn records_of(&self, start: u64, window: Window) -> Records<'_> {
        let end = window.end().unwrap_or(u64::MAX).min(self.auctions.clock().auctions());
        Records { stream: self, due: DueRecords::new(&self.auctions, start, end) }
    }

    /// The key of the record at a position, as text.
    #[must_use]
    pub fn key(&self, position: Position) -> [u8; 36] {
        self.key_of(position, || self.auctions.plan(position.ordinal).user)
    }

    /// As [`Stream::key`], where somebody knows the user.
    fn key_of(&self, position: Position, user: impl FnOnce() -> u64) -> [u8; 36] {
        let Position { ordinal, stage, copy, .. } = position;
        let form = Form::of(copy).unwrap_or(Form::Event);
        let (kind, number) = key_name(self.auctions.spec().key_by, stage, form, ordinal, user);
        let mut key = [0; 36];
        self.auctions.ids().id(kind, number).hyphenated().encode_lower(&mut key);
        key
    }

    /// The partition of the record at a position.
    #[must_use]
    pub fn partition(&self, position: Position) -> u32 {
        self.partition_of_key(position.stage, &self.key(position))
    }

    /// The partition of a key in the topic of a stage.
    #[must_use]
    pub fn partition_of_key(&self, stage: Stage, key: &[u8]) -> u32 {
        partition(key, self.layout.topic(stage).partitions)
    }

    /// Fills `record` with the record at a position of this stream.
    pub fn fill(&self, position: Position, record: &mut Record) {
        self.fill_of_words(position, &self.auctions.words(position.ordinal), record);
    }

    /// As [`Stream::fill`], where the auction's words are drawn already.
    fn fill_of_words(&self, position: Position, words: &Words, record: &mut Record) {
        let key = self.key_of_words(position, words);
        self.fill_with_key(position, words, &key, self.partition_of_key(position.stage, &key), record);
    }

    /// As [`Stream::key`], where the auction's words are drawn already.
    fn key_of_words(&self, position: Position, words: &Words) -> [u8; 36] {
        self.key_of(position, || self.auctions.plan_of_words(position.ordinal, words).user)
    }

    /// As [`Stream::fill`], where words, key and partition are known already.
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
        let form = Form::of(copy).unwrap_or(Form::Event);
        record.is_tombstone = form == Form::Tombstone;
        let auction = if form == Form::Conflict { auction.told_otherwise() } else { auction };
        // An extra record has its own id in the place of the event's.
        let kind = if form.is_event() { key_name(spec.key_by, stage, form, ordinal, || 0).0 } else { own_kind(stage) };
        if !record.is_tombstone {
            let exists = self.json.encode(&auction, stage, Known { kind, text: key }, &mut record.value);
            debug_assert!(exists, "auction {ordinal} has no {stage}");
        }
        let word = || self.auctions.damage_word(form, stage, ordinal);
        match form {
            Form::Malformed => damage::break_json(&mut record.value, word()),
            Form::Invalid => damage::violate_schema(&mut record.value, record.timestamp_ms, word()),
            Form::Event | Form::Duplicate | Form::Conflict | Form::Tombstone => {}
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
                0 => header.value.write_str(&self.id),
                1 => write!(header.value, "{ordinal}"),
                2 => write!(header.value, "{stage}"),
                _ => write!(header.value, "{copy}"),
            };
        }
    }
}

/// A cursor over the records of a window, in the total order.
///
/// As an iterator it gives each record in buffers of its own; [`Records::next_into`] reuses one record's buffers.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    stream: &'a Stream,
    due: DueRecords<'a>,
}

impl Records<'_> {
    /// Fills `record` with the next record; false when the window is complete.
    pub fn next_into(&mut self, record: &mut Record) -> bool {
        let Some((position, words)) = self.due.next() else { return false };
        self.stream.fill_of_words(position, words, record);
        true
    }

    /// Passes over the next record, and says where it stands; `None` when the window is complete.
    pub fn next_position(&mut self) -> Option<Position> {
        self.due.next().map(|(position, _)| position)
    }

    /// Where the next record stands; `None` when the window is complete.
    pub fn peek_position(&mut self) -> Option<Position> {
        self.due.peek()
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        self.next_into(&mut record).then_some(record)
    }
}
