//! What is to be said of partition counts before a run.

use super::Failure;
use crate::generator::spec::{KeyBy, Layout, StreamSpec};
use crate::generator::stream::Shard;

/// What is to be said of topics that one key on all four would have co-partitioned, had they equal counts.
pub(super) fn uneven_topics(spec: &StreamSpec, layout: &Layout) -> Option<String> {
    let counts = layout.topics().each_ref().map(|topic| topic.partitions);
    if spec.key_by == KeyBy::Id || counts.iter().all(|count| *count == counts[0]) {
        return None;
    }
    let shown: Vec<String> =
        layout.topics().iter().map(|topic| format!("{} {}", topic.name, topic.partitions)).collect();
    Some(format!(
        "--key-by {} co-partitions topics of equal partition counts, and these differ: {}. Joins have to repartition",
        spec.key_by,
        shown.join(", ")
    ))
}

/// Refuses a shard that owns nothing: somebody counts more workers than there are partitions.
pub(super) fn require_partitions(shard: Shard, layout: &Layout) -> Result<(), Failure> {
    if shard.owns_any(layout) {
        return Ok(());
    }
    let most = layout.topics().iter().map(|topic| topic.partitions.count()).max().unwrap_or(0);
    Err(Failure::Usage(format!(
        "--shard {shard} owns no partition: no topic has more than {most}, so {most} workers are the most that have work"
    )))
}
