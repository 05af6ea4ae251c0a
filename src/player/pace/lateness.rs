//! How late records were released.

use std::time::Duration;

use hdrhistogram::Histogram;

/// How late records were released against their due times, in real time, apart from those that were due before the run began.
#[derive(Debug, Clone)]
pub struct Lateness {
    micros: Histogram<u64>,
}

impl Lateness {
    /// Three digits, up to a day; `None` never happens with these bounds.
    pub(super) fn new() -> Option<Self> {
        Histogram::new_with_bounds(1, 86_400_000_000, 3).ok().map(|micros| Self { micros })
    }

    pub(super) fn record(&mut self, late: Duration) {
        self.micros.saturating_record(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
    }

    /// Records measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.micros.len()
    }

    /// The lateness that a share of the records did not exceed: `0.5` is the median, `1.0` the worst.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.micros.value_at_quantile(share))
    }
}
