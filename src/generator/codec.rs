//! Events to bytes: compact JSON, UTF-8, no newline at the end.
//!
//! ```text
//! Auction ──> JsonEncoder   fragments rendered once, numbers from integers: what is emitted
//!        └──> SerdeEncoder  the wire shapes by serde_json: what must come out, and a form for people
//! ```

pub(crate) mod corrupt;
mod json;
mod json_writer;
mod reference;

pub use self::json::JsonEncoder;
pub use self::json_writer::KnownId;
pub(crate) use self::json_writer::{BYTES_MAX, ComputedIds, IdTexts, Parts};
pub use self::reference::SerdeEncoder;
