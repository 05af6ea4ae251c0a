//! `schema`: the JSON Schema of an event type, made from the wire shapes, or a table for an engine.

mod ddl;

use clap::{Args, ValueEnum};
use schemars::{Schema, schema_for};

use self::ddl::SchemaFormat;
use crate::cli::exit::Failure;
use crate::cli::output::terminal::to_stdout;
use crate::generator::openrtb::{BidRequest, BidResponse, Click, Impression};
use crate::generator::spec::{Layout, Stage};

/// Options of `schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Event type
    #[arg(value_enum)]
    event: Event,
    /// JSON Schema, or the statement that creates a table of the event type's documents
    #[arg(long, env = "MDG_FORMAT", value_enum, default_value_t = SchemaFormat::JsonSchema)]
    format: SchemaFormat,
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

/// Prints a schema.
pub(crate) fn schema(args: &SchemaArgs) -> Result<(), Failure> {
    let (stage, schema): (Stage, Schema) = match args.event {
        Event::Request => (Stage::Request, schema_for!(BidRequest<'_>)),
        Event::Response => (Stage::Response, schema_for!(BidResponse)),
        Event::Impression => (Stage::Impression, schema_for!(Impression)),
        Event::Click => (Stage::Click, schema_for!(Click)),
    };
    if args.format == SchemaFormat::JsonSchema {
        return Ok(to_stdout(&format!("{:#}\n", schema.as_value()))?);
    }
    let layout = Layout::default();
    Ok(to_stdout(&args.format.ddl(schema.as_value(), layout.topic(stage).name.as_str()))?)
}
