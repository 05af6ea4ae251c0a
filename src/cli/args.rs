//! Flags and variables as types.

pub(crate) mod conflicts;
mod resolve;
pub(crate) mod run;
pub(crate) mod stream;
pub(crate) mod window;
