//! How many records of a partition a writer can have in flight: as many a crash leaves stored or not, nobody knows which.

/// Most records of one produce request.
pub(super) const BATCH_RECORDS_MAX: u32 = 2_000;
/// Most produce requests that idempotent delivery has in flight to a partition.
pub(super) const REQUESTS_IN_FLIGHT: u32 = 5;
/// Most records that a writer has in flight to a partition, which bounds how far its last requests can reach after its end.
pub const IN_FLIGHT_MAX: u32 = REQUESTS_IN_FLIGHT * BATCH_RECORDS_MAX;
