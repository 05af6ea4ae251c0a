//! How far back a log is read, and how far a writer can be.

use crate::sink::kafka::IN_FLIGHT_MAX;

/// So many last records of each partition must equal the sequence. A writer has at most this many less one in flight there, so
/// where a broker stored its last requests twice the seam lies among them, and below every 64 records.
pub const DEPTH: i64 = IN_FLIGHT_MAX as i64 + 1;
/// A writer's queue of 64 MiB holds fewer auctions. Where a whole topic misses more, it is not that writer's end.
pub(super) const QUEUE_AUCTIONS: u64 = 200_000;
