//! The joins along the funnel, and the funnel itself.

use super::folder::Folder;
use super::settings::{EDGES, Settings};
use super::table::{Row, Table, Value};
use super::walk::{Emitted, Seen};
use crate::files::FilesError;
use crate::generator::record::own_kind;
use crate::generator::spec::{ByStage, KeyBy, Stage};
use crate::generator::stream::Stream;

/// By edge.
const JOIN_COLUMNS: [&[&str]; 3] = [
    &["request_id", "request_ms", "response_id", "response_ms"],
    &["response_id", "response_ms", "impression_id", "impression_ms"],
    &["impression_id", "impression_ms", "click_id", "click_ms"],
];

const FUNNEL_COLUMNS: &[&str] = &[
    "request_id",
    "request_ms",
    "response_id",
    "response_ms",
    "impression_id",
    "impression_ms",
    "click_id",
    "click_ms",
    "response_after_ms",
    "impression_after_ms",
    "click_after_ms",
    "stage_reached",
    "bid_price_micros",
    "win_price_micros",
];

/// The tables of one edge.
#[derive(Debug)]
struct Join {
    inner_raw: Table,
    left_raw: Table,
    inner_dedup: Table,
    left_dedup: Table,
    /// Pairs that no watermark of that delay drops.
    inner_must: Option<Table>,
}

#[derive(Debug)]
pub(super) struct Joins<'a> {
    stream: &'a Stream,
    settings: Settings,
    edges: [Join; 3],
    funnel: Table,
    row: Row,
}

/// An id and a time.
type Event<'a> = (&'a [u8; 36], i64);

impl<'a> Joins<'a> {
    pub(super) fn create(folder: &mut Folder, stream: &'a Stream, settings: Settings) -> Result<Self, FilesError> {
        let mut join = |edge: usize| {
            let mut table =
                |form: &str| Table::create(folder, format!("join_{}_{form}", EDGES[edge].name), JOIN_COLUMNS[edge]);
            Ok::<_, FilesError>(Join {
                inner_raw: table("inner_raw")?,
                left_raw: table("left_raw")?,
                inner_dedup: table("inner_dedup")?,
                left_dedup: table("left_dedup")?,
                inner_must: settings.watermark_delay.map(|_| table("inner_must")).transpose()?,
            })
        };
        let edges = [join(0)?, join(1)?, join(2)?];
        let funnel = Table::create(folder, "funnel".to_owned(), FUNNEL_COLUMNS)?;
        Ok(Self { stream, settings, edges, funnel, row: Row::default() })
    }

    pub(super) fn add(&mut self, auction: &Emitted) -> Result<(), FilesError> {
        let ids = ByStage::from_fn(|stage| auction.events(stage).next().map(|record| self.own_id(auction, record)));
        let event = |stage: Stage| Some((ids[stage].as_ref()?, auction.plan.event_ms(stage)?));
        let events: ByStage<Option<Event<'_>>> = ByStage::from_fn(event);
        for (edge, join) in self.edges.iter_mut().enumerate() {
            let (left, right) = (EDGES[edge].parent, Stage::ALL[edge + 1]);
            let Some((left_id, left_ms)) = events[left] else { continue };
            let bound_ms = self.settings.bounds[edge].ms();
            // A bound may be as long as any span, so nothing is added to it.
            let joined = events[right].filter(|(_, ms)| (0..=bound_ms).contains(&(ms - left_ms)));
            let (right_id, right_ms) = joined.unzip();
            let values = [Value::Text(left_id), Value::Number(left_ms), Value::id(right_id), Value::number(right_ms)];
            // One text for all tables of the edge.
            self.row.set(JOIN_COLUMNS[edge], &values);
            let row = &self.row;
            let (lefts, rights) = (auction.events(left), auction.events(right));
            let pairs = lefts.clone().count() * rights.clone().count();
            if joined.is_none() {
                join.left_raw.add(row, lefts.count())?;
                join.left_dedup.add(row, 1)?;
                continue;
            }
            join.inner_raw.add(row, pairs)?;
            join.left_raw.add(row, pairs)?;
            join.inner_dedup.add(row, 1)?;
            join.left_dedup.add(row, 1)?;
            if let (Some(must), Some(delay)) = (&mut join.inner_must, self.settings.watermark_delay) {
                let in_time = |record: &&Seen| record.behind_ms <= delay.ms();
                must.add(row, lefts.filter(in_time).count() * rights.filter(in_time).count())?;
            }
        }
        self.add_funnel(auction, &events)
    }

    /// A chain that is broken by a missing parent ends there.
    fn add_funnel(&mut self, auction: &Emitted, events: &ByStage<Option<Event<'_>>>) -> Result<(), FilesError> {
        let reached = events.values().take_while(|event| event.is_some()).count();
        if reached == 0 {
            return Ok(());
        }
        let chain = |stage: usize| events[Stage::ALL[stage]].filter(|_| stage < reached);
        let id = |stage: usize| Value::id(chain(stage).map(|(id, _)| id));
        let ms = |stage: usize| chain(stage).map(|(_, ms)| ms);
        let after = |stage: usize| Value::number(ms(stage).zip(ms(stage - 1)).map(|(ms, parent_ms)| ms - parent_ms));
        let bid = (reached > 1).then(|| self.stream.auctions().at(auction.plan.ordinal).bid).flatten();
        let price = |micros: Option<u64>| Value::number(micros.map(u64::cast_signed));
        let values = [
            id(0),
            Value::number(ms(0)),
            id(1),
            Value::number(ms(1)),
            id(2),
            Value::number(ms(2)),
            id(3),
            Value::number(ms(3)),
            after(1),
            after(2),
            after(3),
            Value::Number(reached as i64 - 1),
            price(bid.as_ref().map(|bid| bid.price.micros())),
            price(bid.as_ref().filter(|_| reached > 2).map(|bid| bid.win_price.micros())),
        ];
        self.row.set(FUNNEL_COLUMNS, &values);
        self.funnel.add(&self.row, 1)
    }

    /// The id that a record's document carries as its own.
    fn own_id(&self, auction: &Emitted, record: &Seen) -> [u8; 36] {
        if self.stream.auctions().spec().key_by == KeyBy::Id {
            return record.key;
        }
        let mut text = [0; 36];
        let id = self.stream.auctions().ids().id(own_kind(record.stage), auction.plan.ordinal);
        id.hyphenated().encode_lower(&mut text);
        text
    }

    pub(super) fn into_tables(self) -> Vec<Table> {
        let of_join = |join: Join| {
            let always = [join.inner_raw, join.left_raw, join.inner_dedup, join.left_dedup];
            always.into_iter().chain(join.inner_must)
        };
        self.edges.into_iter().flat_map(of_join).chain([self.funnel]).collect()
    }
}
