//! The same records read back.

pub mod topics;
