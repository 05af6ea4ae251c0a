//! The version of the stream's law.

/// The frozen law of bytes that this program follows: same spec, same bytes, for ever, within a version.
pub const STREAM_VERSION: u32 = 1;
