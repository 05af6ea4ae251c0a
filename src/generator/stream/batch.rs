//! Records that follow one another, made ready side by side: keys, partitions, plans, words and ids. What is left is the text of each.
//!
//! ```text
//! EmitQueue ──> positions ──> keys ──> partitions ──> what the assignment plays ──> plans, words, ids ──> one record at a time
//! ```
#![expect(
    clippy::inline_always,
    reason = "a record of each stage is built by code of its own, in which the stage is a constant"
)]

use super::emit_queue::EmitQueue;
use super::record_builder::RecordBuilder;
use super::{Assignment, Position};
use crate::generator::auction::{CopyKind, Plan};
use crate::generator::codec::{IdTexts, Parts};
use crate::generator::ids::{DigitBatch, Digits, IdText, Kind, in_rows};
use crate::generator::random::{BLOCK, ColumnWords, Words};
use crate::generator::record::{Record, key_name, known_kind, murmur2_columns, partition_of_hash};
use crate::generator::simd::{Column, WIDTH};
use crate::generator::spec::Stage;
use crate::generator::timestamp::LastDay;

/// The ids that the document of each stage holds, apart from that of the request, which they share.
const DOCUMENT_IDS: [&[Kind]; 4] = [
    &[Kind::User, Kind::Buyer, Kind::Transaction],
    &[Kind::BidResponse, Kind::Bid, Kind::Ad, Kind::BidId],
    &[Kind::Impression, Kind::BidResponse],
    &[Kind::Click, Kind::Impression, Kind::ClickUrl],
];

/// By stage and kind, the place of an id in a document.
const TEXT_OF: [[u8; Kind::ALL.len()]; 4] = {
    let mut places = [[0; Kind::ALL.len()]; 4];
    let mut stage = 0;
    while stage < 4 {
        let mut at = 0;
        while at < DOCUMENT_IDS[stage].len() {
            places[stage][DOCUMENT_IDS[stage][at] as usize] = at as u8;
            at += 1;
        }
        stage += 1;
    }
    places
};

/// Ids that the document of a stage holds, at most.
const DOCUMENT_IDS_MAX: usize = 4;

/// The events of each stage are a group, and so are the extra records of each stage.
const GROUPS: usize = 8;

/// Auctions that a batch remembers to have met; a power of two.
const MET: usize = 512;

/// Records that follow one another. Buffers are reused when a batch is filled again.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    due: Vec<Due>,
    /// The auctions of all records: most records share theirs with another one.
    auctions: Vec<Met>,
    /// By the last bits of an ordinal, where in `auctions` it stands, if it does.
    met: Vec<u32>,
    /// The words of those that records are made of, [`WIDTH`] by [`WIDTH`].
    words: Vec<[Column; BLOCK]>,
    /// The keys of all records, group by group, and then the ids of requests that are none of them.
    keys: Vec<IdText>,
    groups: [Group; GROUPS],
    day: LastDay,
    /// The auctions whose words are drawn, and the digits of those whose request's id is.
    drawn: Vec<u64>,
    nameless: Vec<Digits>,
}

/// Where a record stands, in the stream and in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyedPosition {
    /// Its place in the stream's total order.
    pub position: Position,
    /// Its key, as text.
    pub key: [u8; 36],
    /// The partition of that key in the topic of its stage.
    pub partition: u32,
}

/// A record of the batch.
#[derive(Debug, Clone, Copy)]
struct Due {
    position: Position,
    partition: u32,
    /// Where its key stands in `keys`.
    key: u32,
    /// Where its auction stands in `auctions`.
    auction: u32,
    /// Where it stands in its group.
    member: u32,
}

/// An auction of a batch.
#[derive(Debug, Clone)]
struct Met {
    plan: Plan,
    digits: Digits,
    /// Where its words stand, if a record is made of them.
    words: Option<u32>,
    /// Where the id of its request stands in `keys`, if it is known.
    request_id: Option<u32>,
}

/// Records whose documents are made of the same kinds of ids and words.
#[derive(Debug, Clone, Default)]
struct Group {
    /// Which of the batch's records they are.
    members: Vec<u32>,
    /// By place of an id in their documents, and by member.
    texts: [Vec<IdText>; DOCUMENT_IDS_MAX],
    /// What a request knows of its user, and what an impression knows of its price beyond the first two blocks.
    words: Vec<[Column; BLOCK]>,
}

impl Batch {
    /// How many records it holds.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Where a record of it stands.
    pub(super) fn position(&self, at: usize) -> Option<Position> {
        self.due.get(at).map(|due| due.position)
    }

    /// Where a record of it stands, its key and its partition, once keys are written.
    pub(super) fn keyed(&self, at: usize) -> Option<KeyedPosition> {
        let Due { position, partition, key, .. } = *self.due.get(at)?;
        Some(KeyedPosition { position, key: self.keys[key as usize], partition })
    }

    /// Walks over the next `count` records, and takes the positions of those that stand after what each stage holds already. Says how
    /// many were walked over, and where the last one stands; `None` if there was none.
    pub(super) fn walk(
        &mut self,
        queue: &mut EmitQueue<'_>,
        count: usize,
        least_held: &[Option<Position>; 4],
    ) -> (usize, Option<Position>) {
        self.due.clear();
        self.auctions.clear();
        self.met.resize(MET, 0);
        let (mut walked, mut last) = (0, None);
        while walked < count
            && let Some((position, plan)) = queue.next()
        {
            if Some(position) > least_held[position.stage.index()] {
                let met = &mut self.met[position.ordinal as usize % MET];
                if self.auctions.get(*met as usize).is_none_or(|met| met.plan.ordinal != position.ordinal) {
                    *met = self.auctions.len() as u32;
                    self.auctions.push(Met {
                        plan: *plan,
                        digits: Digits::new(position.ordinal),
                        words: None,
                        request_id: None,
                    });
                }
                self.due.push(Due { position, partition: 0, key: 0, auction: *met, member: 0 });
            }
            (walked, last) = (walked + 1, Some(position));
        }
        (walked, last)
    }

    /// Makes ready what an assignment plays of the positions that were walked over; all of them without one.
    pub(super) fn make_ready(&mut self, builder: &RecordBuilder, assignment: Option<&Assignment>) {
        self.write_keys(builder);
        if let Some(assignment) = assignment {
            self.due.retain(|due| assignment.plays(due.position, due.partition));
        }
        self.draw_words(builder);
        self.group(group_of);
        for group in 0..GROUPS {
            self.write_ids(builder, group);
        }
    }

    /// Puts each record into its group.
    fn group(&mut self, group_of: impl Fn(Position) -> usize) {
        self.groups.iter_mut().for_each(|group| group.members.clear());
        for (at, due) in self.due.iter_mut().enumerate() {
            let members = &mut self.groups[group_of(due.position)].members;
            due.member = members.len() as u32;
            members.push(at as u32);
        }
    }

    /// Writes the key of each record, and finds its partition.
    pub(super) fn write_keys(&mut self, builder: &RecordBuilder) {
        let key_by = builder.auctions().spec().key_by;
        // Keys of events are of a kind by stage, those of extra records, which are forms 3 to 5, by form.
        self.group(|position| match form_of(position) {
            form if form.is_event() => position.stage.index(),
            form => form as usize + 1,
        });
        self.keys.clear();
        let Self { due, auctions, groups, keys, .. } = self;
        for members in groups.iter().flat_map(|group| group.members.chunks(WIDTH)) {
            let digits = members.iter().map(|&member| {
                let Due { position, auction, .. } = due[member as usize];
                let Met { plan, digits, .. } = &auctions[auction as usize];
                let form = form_of(position);
                let (kind, number) = key_name(key_by, position.stage, form, position.ordinal, || plan.user);
                (kind, if number == position.ordinal { *digits } else { Digits::new(number) })
            });
            let mut kind = Kind::BidRequest;
            let digits = DigitBatch::new(digits.map(|(of, digits)| {
                kind = of;
                digits
            }));
            let columns = builder.auctions().ids().text_columns(kind, &digits);
            let hashes = murmur2_columns(&columns);
            for (&member, hash) in members.iter().zip(hashes) {
                let due = &mut due[member as usize];
                due.partition = partition_of_hash(hash, builder.layout().topic(due.position.stage).partitions);
                due.key = keys.len() as u32 + due.member % WIDTH as u32;
                if kind == Kind::BidRequest {
                    auctions[due.auction as usize].request_id = Some(due.key);
                }
            }
            keys.extend_from_slice(&in_rows(&columns));
        }
    }

    /// Draws the words of the auctions that records are made of, and writes the ids of their requests.
    fn draw_words(&mut self, builder: &RecordBuilder) {
        let Self { due, auctions, words, keys, drawn, nameless, .. } = self;
        drawn.clear();
        nameless.clear();
        for due in due {
            let met = &mut auctions[due.auction as usize];
            if met.words.is_none() {
                met.words = Some(drawn.len() as u32);
                drawn.push(met.plan.ordinal);
                if met.request_id.is_none() {
                    met.request_id = Some((keys.len() + nameless.len()) as u32);
                    nameless.push(met.digits);
                }
            }
        }
        words.clear();
        let auctions = builder.auctions();
        words.extend(drawn.chunks(WIDTH).map(|drawn| auctions.draw_block(&repeated(drawn.iter().copied()), 1)));
        for digits in nameless.chunks(WIDTH) {
            let digits = DigitBatch::new(digits.iter().copied());
            keys.extend_from_slice(&auctions.ids().texts(Kind::BidRequest, &digits));
        }
    }

    /// Writes the ids of a group's documents, and draws the words that they alone need.
    fn write_ids(&mut self, builder: &RecordBuilder, group: usize) {
        let Some(stage) = Stage::ALL.get(group % 4).copied() else { return };
        let auctions = builder.auctions();
        let form = if group < 4 { CopyKind::Event } else { CopyKind::Malformed };
        let known = known_kind(auctions.spec().key_by, stage, form);
        let Group { members, texts, words } = &mut self.groups[group];
        texts.iter_mut().for_each(Vec::clear);
        words.clear();
        for members in members.chunks(WIDTH) {
            let met = members.iter().map(|&member| &self.auctions[self.due[member as usize].auction as usize]);
            let digits = DigitBatch::new(met.clone().map(|met| met.digits));
            let mut users = None;
            if stage == Stage::Request {
                let members = repeated(met.clone().map(|met| met.plan.user));
                words.push(auctions.draw_users(&members));
                users = Some(DigitBatch::new(met.map(|met| Digits::new(met.plan.user))));
            } else if stage == Stage::Impression {
                words.push(auctions.draw_block(&repeated(met.map(|met| met.plan.ordinal)), 2));
            }
            for (&kind, texts) in DOCUMENT_IDS[stage.index()].iter().zip(texts.iter_mut()) {
                if kind != known {
                    let is_user = matches!(kind, Kind::User | Kind::Buyer);
                    let digits = users.as_ref().filter(|_| is_user).unwrap_or(&digits);
                    texts.extend_from_slice(&auctions.ids().texts(kind, digits));
                }
            }
        }
    }

    /// Fills `record` with record number `at`.
    pub(super) fn fill(&mut self, at: usize, builder: &RecordBuilder, record: &mut Record) {
        let due = self.due[at];
        // One jump here, in place of one at each value and each part of the text.
        match due.position.stage {
            Stage::Request => self.fill_as(Stage::Request, due, builder, record),
            Stage::Response => self.fill_as(Stage::Response, due, builder, record),
            Stage::Impression => self.fill_as(Stage::Impression, due, builder, record),
            Stage::Click => self.fill_as(Stage::Click, due, builder, record),
        }
    }

    #[inline(always)]
    fn fill_as(&mut self, stage: Stage, due: Due, builder: &RecordBuilder, record: &mut Record) {
        let Due { position, partition, key, auction, member } = due;
        let (auctions, position, member) = (builder.auctions(), Position { stage, ..position }, member as usize);
        let form = form_of(position);
        let group = &self.groups[group_of(position)];
        let Met { plan, words, request_id, .. } = &self.auctions[auction as usize];
        let words = words.unwrap_or_default() as usize;
        let of_values = ColumnWords { columns: &self.words[words / WIDTH], at: words % WIDTH };
        let of_group = group.words.get(member / WIDTH).unwrap_or(&NO_WORDS);
        let of_group = ColumnWords { columns: of_group, at: member % WIDTH };
        let auction = auctions.of_plan(plan, &ValueWords { values: of_values, third: of_group }, Some(stage));
        let key = &self.keys[key as usize];
        let known = known_kind(auctions.spec().key_by, stage, form);
        let request_id = &self.keys[request_id.unwrap_or_default() as usize];
        let ids = BatchIds { known, key, request_id, of: &TEXT_OF[stage.index()], texts: &group.texts, member };
        let user = || auctions.user_of_words(plan.user, &of_group);
        let parts = Parts { ids: &ids, day: &mut self.day };
        builder.write(position, auction, user, (key, partition), parts, record);
    }
}

/// Of records that have none of their own.
const NO_WORDS: [Column; BLOCK] = [[0; WIDTH]; BLOCK];

/// The group of a record, by its document.
fn group_of(position: Position) -> usize {
    usize::from(!form_of(position).is_event()) * 4 + position.stage.index()
}

fn form_of(position: Position) -> CopyKind {
    CopyKind::of(position.copy).unwrap_or(CopyKind::Event)
}

/// The words of an auction's values: the second block of its lane, and the third, which is drawn for impressions alone. Nothing asks
/// for the first one, of which the plan is made.
struct ValueWords<'a> {
    values: ColumnWords<'a>,
    third: ColumnWords<'a>,
}

impl Words for ValueWords<'_> {
    #[inline]
    fn word(&self, position: usize) -> u32 {
        if position < 2 * BLOCK { self.values.word(position - BLOCK) } else { self.third.word(position - 2 * BLOCK) }
    }
}

/// The ids of a document.
struct BatchIds<'a> {
    /// The kind whose text is the key.
    known: Kind,
    key: &'a IdText,
    request_id: &'a IdText,
    /// By kind, where among `texts` it stands.
    of: &'a [u8; Kind::ALL.len()],
    texts: &'a [Vec<IdText>; DOCUMENT_IDS_MAX],
    member: usize,
}

impl IdTexts for BatchIds<'_> {
    #[inline(always)]
    fn text(&self, kind: Kind, _: u64) -> IdText {
        if kind == self.known {
            *self.key
        } else if kind == Kind::BidRequest {
            *self.request_id
        } else {
            self.texts[usize::from(self.of[kind as usize])][self.member]
        }
    }
}

/// Up to [`WIDTH`] numbers, the last one repeated in the places that are left.
fn repeated(numbers: impl Iterator<Item = u64>) -> [u64; WIDTH] {
    let (mut all, mut last) = ([0; WIDTH], 0);
    let mut numbers = numbers.fuse();
    for place in &mut all {
        last = numbers.next().unwrap_or(last);
        *place = last;
    }
    all
}
