//! One auction for people.

use std::fmt::Write;

use crate::generator::auction::{Auction, CopyKind};
use crate::generator::codec::SerdeEncoder;
use crate::generator::record::Record;
use crate::generator::spec::Stage;
use crate::generator::stream::{Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::log::count::grouped;

/// An auction for people: a heading, then each of its events with topic, partition, times and document.
pub(crate) fn funnel(stream: &Stream, ordinal: u64) -> String {
    told(stream, ordinal, true)
}

/// The same without the documents.
pub(crate) fn outline(stream: &Stream, ordinal: u64) -> String {
    told(stream, ordinal, false)
}

fn told(stream: &Stream, ordinal: u64, has_documents: bool) -> String {
    let auction = stream.auctions().at(ordinal);
    let mut text = String::new();
    let heading = format!(
        "auction {} arrives {} from user {}\n",
        grouped(ordinal),
        Timestamp(auction.plan.request_ms),
        grouped(auction.plan.user)
    );
    text.push_str(&heading);
    let mut records: Vec<Record> = stream.records(Window::auctions(ordinal, 1)).collect();
    records.sort_by_key(|record| (record.stage, record.copy));
    for record in &records {
        let topic = &stream.layout().topic(record.stage).name;
        let since = record.timestamp_ms - auction.plan.request_ms;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}{} {} +{since} ms, {topic}/{}, key {}{}",
            if has_documents { "\n" } else { "" },
            record.stage,
            Timestamp(record.timestamp_ms),
            record.partition,
            String::from_utf8_lossy(&record.key),
            remark(record),
        );
        if has_documents {
            let _ = writeln!(text, "{}", document(stream, &auction, record));
        }
    }
    for stage in Stage::ALL {
        let is_there = records.iter().any(|record| record.stage == stage && record.copy == CopyKind::Event.copy());
        match auction.plan.event_ms(stage) {
            None => drop(write!(text, "\nno {stage}\n")),
            Some(_) if !is_there => drop(write!(text, "\n{stage} dropped (--orphans)\n")),
            Some(_) => {}
        }
    }
    text
}

/// What planned faults made of a record.
pub(crate) fn remark(record: &Record) -> String {
    let what = match CopyKind::of(record.copy) {
        Some(CopyKind::Duplicate) => ", the same once more",
        Some(CopyKind::Conflict) => ", a conflicting duplicate",
        Some(CopyKind::Malformed) => ", an extra record that is no JSON",
        Some(CopyKind::Invalid) => ", an extra record that violates its schema",
        Some(CopyKind::Tombstone) => ", an extra record without a value",
        Some(CopyKind::Event) | None => "",
    };
    let late_ms = record.emit_ms - record.timestamp_ms;
    let late = if late_ms > 0 { format!(", emitted {late_ms} ms later") } else { String::new() };
    format!("{what}{late}")
}

/// A record's document, over several lines where it is one of the event's.
fn document(stream: &Stream, auction: &Auction<'_>, record: &Record) -> String {
    let Some(value) = record.payload() else { return "null".to_owned() };
    let reference = SerdeEncoder::new(stream.auctions().ids());
    let pretty = match CopyKind::of(record.copy) {
        Some(CopyKind::Event | CopyKind::Duplicate) => reference.pretty(auction, record.stage),
        Some(CopyKind::Conflict) => reference.pretty(&auction.clone().told_otherwise(), record.stage),
        _ => None,
    };
    pretty.unwrap_or_else(|| String::from_utf8_lossy(value).into_owned())
}
