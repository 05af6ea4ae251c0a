//! `show`: one auction, whole.

mod search;

use std::fmt::Write;
use std::io;

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use self::search::{SearchArgs, Which};
use super::options::{LayoutArgs, StreamArgs};
use super::reports::{ReportArgs, StandardOutput};
use super::{Failure, to_stdout};
use crate::generator::auction::{Auction, CopyKind};
use crate::generator::codec::SerdeEncoder;
use crate::generator::digest::Digest;
use crate::generator::record::{Record, envelope};
use crate::generator::spec::Stage;
use crate::generator::stream::{Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::log::count::grouped;
use crate::sink::SinkError;

/// Options of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Which auction: its ordinal, from 0, or the id of its bid request, bid response, impression or click
    #[arg(value_name = "AUCTION")]
    auction: Which,
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    layout: LayoutArgs,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    reports: ReportArgs,
}

/// Prints an auction.
pub(super) fn show(args: &ShowArgs) -> Result<(), Failure> {
    let stream = Stream::new(&args.stream.spec()?, &args.layout.layout()?);
    let last = stream.auctions().clock().auctions() - 1;
    let ordinal = args.search.find(args.auction, stream.auctions())?;
    if ordinal > last {
        return Err(Failure::Usage(format!("auction {ordinal} lies beyond the stream: its last ordinal is {last}")));
    }
    args.reports.prepare()?;
    args.reports.give(&Shown::new(&stream, ordinal)?, StandardOutput::IsFree)?;
    if args.reports.is_text() { to_stdout(&funnel(&stream, ordinal)) } else { Ok(()) }
}

/// An auction for programs.
#[derive(Debug, Serialize)]
struct Shown {
    stream_id: Digest,
    ordinal: u64,
    arrival: Timestamp,
    user: u64,
    records: Vec<ShownRecord>,
}

/// One of its records, as standard output has it.
#[derive(Debug, Serialize)]
struct ShownRecord {
    stage: Stage,
    /// What planned faults made of it.
    #[serde(skip_serializing_if = "str::is_empty")]
    remark: String,
    emitted: Timestamp,
    record: Box<RawValue>,
}

impl Shown {
    fn new(stream: &Stream, ordinal: u64) -> Result<Self, Failure> {
        let plan = stream.auctions().plan(ordinal);
        let shown = |record: Record| -> io::Result<ShownRecord> {
            let mut line = Vec::new();
            envelope::write(&mut line, &stream.layout().topic(record.stage).name, &record)?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let remark = remark(&record).trim_start_matches(", ").to_owned();
            let (stage, emitted) = (record.stage, Timestamp(record.emit_ms));
            Ok(ShownRecord { stage, remark, emitted, record: RawValue::from_string(line)? })
        };
        let records = stream.records(Window::auctions(ordinal, 1)).map(shown).collect::<io::Result<_>>();
        Ok(Self {
            stream_id: stream.auctions().spec().stream_id(),
            ordinal,
            arrival: Timestamp(plan.request_ms),
            user: plan.user,
            records: records.map_err(SinkError::Stdout)?,
        })
    }
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
fn remark(record: &Record) -> String {
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
