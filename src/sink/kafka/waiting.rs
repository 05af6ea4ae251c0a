//! Waiting for acknowledgements: it is told, and where the client can be replaced it has an end.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Kafka;
use crate::kafka::KafkaError;

/// A wait without any acknowledgement is told this often.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// After so long a client that writes transactions is replaced. One was seen to stand still for three minutes though its broker, which had been
/// stopped for 42 s, answered others again.
pub(super) const STANDSTILL: Duration = Duration::from_secs(60);

/// Since when nothing was acknowledged.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Acknowledged records when that number last grew, or nothing was waited for.
    progress: Cell<(u64, Instant)>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { progress: Cell::new((0, Instant::now())) }
    }
}

impl Kafka {
    /// Says now and then that nothing is acknowledged any more, or nothing of some partitions.
    pub(super) fn look_for_progress(&self) -> Result<(), KafkaError> {
        self.metrics.tick();
        let progress = &self.waiting.progress;
        let (acked, now) = (self.acked(), Instant::now());
        let (seen, since) = progress.get();
        if acked != seen || acked == self.sent {
            progress.set((acked, now));
        } else if self.transactions.is_some() {
            self.replace_after(since)?;
        }
        self.look_for_stalls(now);
        Ok(())
    }

    /// An error after which another client goes on, if this one has waited long enough; a signal leaves no time for that.
    pub(super) fn replace_after(&self, since: Instant) -> Result<(), KafkaError> {
        if since.elapsed() < STANDSTILL || self.stop.is_requested() {
            return Ok(());
        }
        Err(self.ended(KafkaError::Standstill { seconds: STANDSTILL.as_secs() }))
    }
}
