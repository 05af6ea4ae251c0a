//! Waiting for acknowledgements: it is told, and where the client can be replaced it has an end.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A wait without any acknowledgement is told this often.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// After so long a client that writes transactions is replaced. One was seen to stand still for three minutes though its broker, which had been
/// stopped for 42 s, answered others again.
pub(super) const STANDSTILL: Duration = Duration::from_secs(60);

/// Since when nothing was acknowledged.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Acknowledged records when that number last grew, or nothing was waited for.
    pub(super) progress: Cell<(u64, Instant)>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { progress: Cell::new((0, Instant::now())) }
    }
}
