//! `show`: one auction, whole.

mod search;

use std::io;

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use self::search::{SearchArgs, Which};
use crate::cli::args::stream::{LayoutArgs, StreamArgs};
use crate::cli::exit::Failure;
use crate::cli::output::funnel::{funnel, remark};
use crate::cli::output::reports::{ReportArgs, StandardOutput};
use crate::cli::output::terminal::to_stdout;
use crate::generator::digest::Digest;
use crate::generator::record::{Record, envelope};
use crate::generator::spec::Stage;
use crate::generator::stream::{Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::sink::SinkError;

/// Options of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
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
pub(crate) fn show(args: &ShowArgs) -> Result<(), Failure> {
    let stream = Stream::new(&args.stream.spec()?, &args.layout.layout()?);
    let last = stream.auctions().clock().auctions() - 1;
    let ordinal = args.search.find(args.auction, stream.auctions())?;
    if ordinal > last {
        return Err(Failure::Usage(format!("auction {ordinal} lies beyond the stream: its last ordinal is {last}")));
    }
    args.reports.prepare()?;
    args.reports.give(&Shown::new(&stream, ordinal)?, StandardOutput::IsFree)?;
    if args.reports.is_text() { Ok(to_stdout(&funnel(&stream, ordinal))?) } else { Ok(()) }
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
