//! What a run counts while it goes on: written by the thread that plays, read by whoever wants to know.
//!
//! ```text
//! sink::Counted, sink::kafka, pace ──> Metrics (atomics) ──> /metrics, /livez, /readyz, the status line
//! ```
//!
//! A record costs a few relaxed additions: no lock, no allocation, no look at a clock.

mod counters;
mod health;
mod prometheus;

pub use self::counters::{Metrics, Snapshot, State};
pub use self::health::{Health, Watch};
pub use self::prometheus::text;
