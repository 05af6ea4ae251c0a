//! The client that sends: which settings the guarantees rest on.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;

use super::in_flight::{BATCH_RECORDS_MAX, REQUESTS_IN_FLIGHT};
use super::reports::Reports;
use super::transactions;
use super::waiting::PATIENCE;
use crate::generator::stream::Shard;
use crate::kafka::{Cluster, KafkaError};
use crate::metrics::Metrics;

/// The client's own bound of a batch's bytes. A topic may take less (`max.message.bytes`), and refuses whole batches then.
const BATCH_BYTES: u64 = 1_000_000;
/// A broker that is silent for longer is asked at another connection. By the client's own 60 s a run would wait as long for a leader that stands still,
/// though another one was elected after 10.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// A client that appends behind the end offsets that a cluster had when it was looked at; with transactions where it is a shard's.
pub(super) fn producer(
    cluster: &Cluster,
    transactions: Option<(Shard, Duration)>,
    metrics: &Arc<Metrics>,
) -> Result<BaseProducer<Reports>, KafkaError> {
    let mut config = ClientConfig::new();
    config
        .set("linger.ms", cluster.transfer().linger_ms.to_string())
        .set("socket.timeout.ms", SILENCE.as_millis().to_string())
        // Nothing else tells that a quota holds requests back.
        .set("statistics.interval.ms", PATIENCE.as_millis().to_string())
        .set("compression.type", cluster.transfer().compression);
    if transactions.is_some() {
        transactions::configure(&mut config);
    }
    cluster.client().configure(&mut config);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("enable.gapless.guarantee", "true")
        .set("message.timeout.ms", "0")
        .set("max.in.flight.requests.per.connection", REQUESTS_IN_FLIGHT.to_string())
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", cluster.transfer().queue_kbytes.to_string())
        .set("batch.num.messages", BATCH_RECORDS_MAX.to_string());
    if let Some(bytes_max) = cluster.batch_bytes_max() {
        let wanted = config.get("batch.size").and_then(|bytes| bytes.parse().ok()).unwrap_or(BATCH_BYTES);
        config.set("batch.size", bytes_max.min(wanted).max(1).to_string());
    }
    if let Some((shard, asked_again)) = transactions {
        transactions::name(&mut config, cluster, shard, asked_again);
    }
    let context = Reports::new(cluster, metrics, transactions.is_some());
    Ok(config.create_with_context(context)?)
}
