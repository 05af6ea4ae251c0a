//! `schema`: the JSON Schema of an event type, made from the wire shapes.

use clap::{Args, ValueEnum};
use schemars::{Schema, schema_for};

use super::{Failure, to_stdout};
use crate::openrtb::{BidRequest, BidResponse, Click, Impression};

/// Options of `schema`.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Event type
    #[arg(value_enum)]
    event: Event,
}

/// The event types, by their stages' words.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Event {
    #[value(alias = "bid-request")]
    Request,
    #[value(alias = "bid-response")]
    Response,
    Impression,
    Click,
}

/// Prints a schema (JSON Schema 2020-12).
pub(super) fn schema(args: &SchemaArgs) -> Result<(), Failure> {
    let schema: Schema = match args.event {
        Event::Request => schema_for!(BidRequest<'_>),
        Event::Response => schema_for!(BidResponse),
        Event::Impression => schema_for!(Impression),
        Event::Click => schema_for!(Click),
    };
    to_stdout(&format!("{:#}\n", schema.as_value()))
}
