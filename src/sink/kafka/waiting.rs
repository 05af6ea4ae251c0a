//! Waiting for acknowledgements: it is told, and where the client can be replaced it has an end.

use std::time::Duration;

/// A wait without any acknowledgement is told this often.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// After so long a client that writes transactions is replaced. One was seen to stand still for three minutes though its broker, which had been
/// stopped for 42 s, answered others again.
pub(super) const STANDSTILL: Duration = Duration::from_secs(60);
