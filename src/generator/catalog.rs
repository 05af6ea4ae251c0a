//! Constant tables: what the values of a stream are chosen from.
//!
//! The tables are part of the stream law: a changed entry changes bytes, so it needs a new stream version.

pub mod bidders;
pub mod devices;
pub mod places;
pub mod prices;
pub mod sites;
