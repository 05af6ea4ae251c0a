//! Kafka's brokers, as all who speak to them see them: settings, topics, offsets, errors.

mod admin;
mod advertised;
mod beside;
mod client;
mod client_context;
mod client_log;
mod cluster;
mod consumer;
mod create_topics;
mod embedded;
mod error;
mod group;
mod judge_settings;
mod offsets;
mod properties;
mod recreate;
mod refusal;
mod timeouts;
mod topic_state;

pub(crate) use self::admin::{ask, options};
pub(crate) use self::beside::beside;
pub use self::client::{Client, DEFAULT_BROKERS};
pub(crate) use self::client_context::LastError;
pub(crate) use self::client_log::{failure, log, without_statistics};
pub use self::cluster::{Cluster, Target, Transfer};
pub(crate) use self::consumer::{
    LogConsumer, QUEUE_KBYTES, QUEUES_KBYTES, consumer, consumer_config, even_share_kbytes, fill, is_restamped,
    unless_passing,
};
pub use self::create_topics::{Existing, TopicSettings};
pub use self::embedded::Embedded;
pub use self::error::{KafkaError, Obstacle, Reading, RecreationError, RefusalCause};
pub(crate) use self::error::{is_denied, is_silence};
pub(crate) use self::group::group_consumer;
pub use self::group::{Committed, GroupCommitted, group_name, read_group_offsets};
pub use self::judge_settings::Times;
pub(crate) use self::offsets::{At, Edge, Ends};
pub use self::properties::{Property, PropertyError};
pub use self::recreate::{Former, Recreation};
pub(crate) use self::timeouts::{POLL_WAIT, READY, REASON_WAIT};
pub use self::topic_state::TopicState;
