//! The stream itself: a pure function of a spec and a position. No I/O, no wall clock, no float; threads in [`stream::parallel`] alone.
//!
//! Data flows down this list, and nothing points back up.

pub mod digest;

pub mod timestamp;

pub mod money;

pub mod version;

pub mod spec;

pub mod simd;

pub mod random;

pub mod ids;

pub mod clock;

pub mod catalog;

pub mod auction;

pub mod openrtb;

pub mod codec;

pub mod record;

pub mod fingerprint;

pub mod stream;
