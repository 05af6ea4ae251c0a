//! `show`: one auction, whole.

use std::fmt::Write;

use clap::Args;

use super::options::{LayoutArgs, StreamArgs};
use super::{Failure, to_stdout};
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
    ordinal: u64,
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    layout: LayoutArgs,
}

/// Prints an auction.
pub(super) fn show(args: &ShowArgs) -> Result<(), Failure> {
    let stream = Stream::new(&args.stream.spec(), &args.layout.layout()?);
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
pub(super) fn funnel(stream: &Stream, ordinal: u64) -> String {
    let auction = stream.auctions().at(ordinal);
    let reference = Reference::new(stream.auctions().ids());
    let mut text = String::new();
    let heading = format!(
        "auction {} arrives {} from user {}\n",
        grouped(ordinal),
        Timestamp(auction.plan.request_ms),
        grouped(auction.plan.user)
    );
    text.push_str(&heading);
    let mut records: Vec<Record> = stream.records(Window::auctions(ordinal, 1)).collect();
    records.sort_by_key(|record| record.stage);
    for record in records {
        let topic = &stream.layout().topic(record.stage).name;
        let since = record.timestamp_ms - auction.plan.request_ms;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{} {} +{since} ms, {topic}/{}, key {}\n{}\n",
            record.stage,
            Timestamp(record.timestamp_ms),
            record.partition,
            String::from_utf8_lossy(&record.key),
            reference.pretty(&auction, record.stage).unwrap_or_default(),
        );
    }
    for stage in Stage::ALL.into_iter().filter(|&stage| auction.plan.event_ms(stage).is_none()) {
        let _ = write!(text, "\nno {stage}\n");
    }
    text
}
