//! `show`: one auction, whole.

use std::fmt::Write;

use clap::Args;

use super::options::{LayoutArgs, StreamArgs, whole};
use super::{Failure, to_stdout};
use crate::auction::{Auction, Form};
use crate::encode::Reference;
use crate::record::Record;
use crate::report::grouped;
use crate::spec::Stage;
use crate::stream::{Stream, Window};
use crate::timestamp::Timestamp;

/// Options of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Which auction: its ordinal, from 0
    #[arg(value_parser = whole(0..=u64::MAX))]
    ordinal: u64,
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    layout: LayoutArgs,
}

/// Prints an auction.
pub(super) fn show(args: &ShowArgs) -> Result<(), Failure> {
    let stream = Stream::new(&args.stream.spec()?, &args.layout.layout()?);
    let last = stream.auctions().clock().auctions() - 1;
    if args.ordinal > last {
        return Err(Failure::Usage(format!(
            "auction {} lies beyond the stream: its last ordinal is {last}",
            args.ordinal
        )));
    }
    to_stdout(&funnel(&stream, args.ordinal))
}

/// An auction for people: a heading, then each of its events with topic, partition, times and document.
fn funnel(stream: &Stream, ordinal: u64) -> String {
    told(stream, ordinal, true)
}

/// The same without the documents.
pub(super) fn outline(stream: &Stream, ordinal: u64) -> String {
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
        let is_there = records.iter().any(|record| record.stage == stage && record.copy == Form::Event.copy());
        match auction.plan.event_ms(stage) {
            None => drop(write!(text, "\nno {stage}\n")),
            Some(_) if !is_there => drop(write!(text, "\n{stage} dropped (--orphans)\n")),
            Some(_) => {}
        }
    }
    text
}

/// What planned faults made of a record.
fn remark(record: &Record) -> String {
    let what = match Form::of(record.copy) {
        Some(Form::Duplicate) => ", the same once more",
        Some(Form::Conflict) => ", a conflicting duplicate",
        Some(Form::Malformed) => ", an extra record that is no JSON",
        Some(Form::Invalid) => ", an extra record that violates its schema",
        Some(Form::Tombstone) => ", an extra record without a value",
        Some(Form::Event) | None => "",
    };
    let late_ms = record.emit_ms - record.timestamp_ms;
    let late = if late_ms > 0 { format!(", emitted {late_ms} ms later") } else { String::new() };
    format!("{what}{late}")
}

/// A record's document, over several lines where it is one of the event's.
fn document(stream: &Stream, auction: &Auction<'_>, record: &Record) -> String {
    let Some(value) = record.payload() else { return "null".to_owned() };
    let reference = Reference::new(stream.auctions().ids());
    let pretty = match Form::of(record.copy) {
        Some(Form::Event | Form::Duplicate) => reference.pretty(auction, record.stage),
        Some(Form::Conflict) => reference.pretty(&auction.clone().told_otherwise(), record.stage),
        _ => None,
    };
    pretty.unwrap_or_else(|| String::from_utf8_lossy(value).into_owned())
}
