//! The stream: windows of it as records, in the total order (emit time, ordinal, stage, copy).
//!
//! ```text
//! Auctions::plan ──> due positions, a heap ──> Auctions::at ──> Json ──> Record
//! ```
//!
//! A walk that emits nothing stays with positions: it draws plans, and adds keys where it needs partitions.
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

mod part;
mod position;
mod window;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use self::part::{Part, PartRecords, Shard, ShardError, Step};
pub use self::position::{Position, Positions};
pub use self::window::{Window, WindowEnd, WindowError};
use crate::auction::{Auctions, Plan};
use crate::encode::Json;
use crate::record::{HEADER_NAMES, Header, Record, key_kind, partition};
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
        Self { json: Json::new(auctions.ids()), auctions, layout: layout.clone(), id: spec.stream_id().to_string() }
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
        let next = (start < end).then(|| self.auctions.plan(start));
        Records { stream: self, next, end, due: BinaryHeap::new() }
    }

    /// The key of an auction's record of a stage, as text.
    #[must_use]
    pub fn key(&self, stage: Stage, ordinal: u64) -> [u8; 36] {
        let id = self.auctions.ids().id(key_kind(self.auctions.spec().key_by, stage), ordinal);
        let mut key = [0; 36];
        id.hyphenated().encode_lower(&mut key);
        key
    }

    /// The partition of the record at a position.
    #[must_use]
    pub fn partition(&self, position: Position) -> u32 {
        self.partition_of_key(position.stage, &self.key(position.stage, position.ordinal))
    }

    /// The partition of a key in the topic of a stage.
    #[must_use]
    pub fn partition_of_key(&self, stage: Stage, key: &[u8]) -> u32 {
        partition(key, self.layout.topic(stage).partitions)
    }

    /// Fills `record` with the record at a position of this stream.
    pub fn fill(&self, position: Position, record: &mut Record) {
        let key = self.key(position.stage, position.ordinal);
        self.fill_with_key(position, &key, self.partition_of_key(position.stage, &key), record);
    }

    /// As [`Stream::fill`], where key and partition are known already.
    fn fill_with_key(&self, position: Position, key: &[u8], partition: u32, record: &mut Record) {
        let Position { emit_ms, ordinal, stage, copy } = position;
        let auction = self.auctions.at(ordinal);
        let spec = self.auctions.spec();
        record.ordinal = ordinal;
        record.stage = stage;
        record.copy = copy;
        record.emit_ms = emit_ms;
        record.timestamp_ms = auction.plan.event_ms(stage).unwrap_or(emit_ms);
        record.key.clear();
        record.key.extend_from_slice(key);
        record.partition = partition;
        record.headers.clear();
        if spec.headers {
            let values = [self.id.clone(), ordinal.to_string(), stage.to_string(), copy.to_string()];
            record.headers.extend(HEADER_NAMES.into_iter().zip(values).map(|(name, value)| Header { name, value }));
        }
        record.value.clear();
        let exists = self.json.encode(&auction, stage, &mut record.value);
        debug_assert!(exists, "auction {ordinal} has no {stage}");
    }
}

/// A cursor over the records of a window, in the total order.
///
/// As an iterator it gives each record in buffers of its own; [`Records::next_into`] reuses one record's buffers.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    stream: &'a Stream,
    /// The first auction whose records are not in `due`.
    next: Option<Plan>,
    end: u64,
    due: BinaryHeap<Reverse<Position>>,
}

impl Records<'_> {
    /// Fills `record` with the next record; false when the window is complete.
    pub fn next_into(&mut self, record: &mut Record) -> bool {
        let Some(position) = self.next_position() else { return false };
        self.stream.fill(position, record);
        true
    }

    /// Passes over the next record, and says where it stands; `None` when the window is complete.
    pub fn next_position(&mut self) -> Option<Position> {
        self.admit();
        self.due.pop().map(|Reverse(position)| position)
    }

    /// Where the next record stands; `None` when the window is complete.
    pub fn peek_position(&mut self) -> Option<Position> {
        self.admit();
        self.due.peek().map(|Reverse(position)| *position)
    }

    /// Moves into the heap every auction that could have the next record: all that arrive no later than its head is due.
    fn admit(&mut self) {
        while let Some(plan) = self.next {
            if self.due.peek().is_some_and(|Reverse(head)| head.emit_ms < plan.request_ms) {
                break;
            }
            self.due.extend(Stage::ALL.into_iter().filter_map(|stage| Position::of(&plan, stage)).map(Reverse));
            let following = plan.ordinal + 1;
            self.next = (following < self.end).then(|| self.stream.auctions.plan(following));
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        self.next_into(&mut record).then_some(record)
    }
}
