//! Commits without waiting for them.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::kafka::LastError;

/// Asks for nothing but the group's offsets.
pub(super) type Client = BaseConsumer<LastError>;

/// Commits on a thread of its own: the client answers an asynchronous commit to nobody, and a synchronous one blocks for as long as
/// the brokers are away.
pub(super) struct Committer {
    requests: Sender<TopicPartitionList>,
    answers: Receiver<KafkaResult<()>>,
    pub(super) is_under_way: bool,
}

impl Committer {
    pub(super) fn start(consumer: Arc<Client>) -> Self {
        let (requests, asked) = mpsc::channel::<TopicPartitionList>();
        let (answer, answers) = mpsc::channel();
        // It ends with the requests, when the answer to the last one is there; nobody waits for it.
        thread::spawn(move || {
            for offsets in asked {
                if answer.send(consumer.commit(&offsets, CommitMode::Sync)).is_err() {
                    return;
                }
            }
        });
        Self { requests, answers, is_under_way: false }
    }

    pub(super) fn commit(&mut self, offsets: TopicPartitionList) {
        self.is_under_way = self.requests.send(offsets).is_ok();
    }

    /// The answer to the commit under way, if it has come.
    pub(super) fn answer(&mut self) -> Option<KafkaResult<()>> {
        let answer = self.answers.try_recv().ok()?;
        self.is_under_way = false;
        Some(answer)
    }
}
