//! The one place where tests bound time. A test says what a quiet machine needs, and a busy one gets a minute more: only what hangs
//! fails. How fast the program ends or answers is measured by `make torture-signals` and the benches, not by tests.

use std::time::Duration;

const FOR_OTHER_WORK: Duration = Duration::from_secs(60);

/// How long something may take that takes `quiet_s` seconds at most where nothing else runs.
pub(crate) const fn limit(quiet_s: u64) -> Duration {
    Duration::from_secs(quiet_s).saturating_add(FOR_OTHER_WORK)
}
