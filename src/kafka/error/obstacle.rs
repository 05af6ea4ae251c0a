//! What brokers do because of their rights and settings.

use crate::generator::spec::TopicName;

/// What stands between a run and its topics until somebody grants or sets something.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// A right is missing.
    #[error(
        "{action}: the brokers deny it, the right {right} is missing\n\
         grant it with: kafka-acls.sh --bootstrap-server … --add --allow-principal User:… {grant}"
    )]
    Denied {
        /// What was asked for.
        action: String,
        /// The right, and on what.
        right: String,
        /// The options of `kafka-acls.sh` that grant it.
        grant: String,
    },
    /// Brokers replace the times of records.
    #[error(
        "topic `{topic}`, partition {partition}: the broker writes the time of its own clock into the records \
         (message.timestamp.type=LogAppendTime), so they are not what the stream says\n\
         mend it with: kafka-configs.sh --bootstrap-server … --alter --entity-type topics --entity-name {topic} --add-config \
         message.timestamp.type=CreateTime\n\
         what is there already keeps the wrong times"
    )]
    Restamped {
        /// Which topic.
        topic: TopicName,
        /// Which partition.
        partition: i32,
    },
}

impl Obstacle {
    /// A right on a topic is missing.
    pub(crate) fn on_topic(action: &str, operation: &str, topic: &str) -> Self {
        Self::Denied {
            action: action.to_owned(),
            right: format!("{operation} on topic `{topic}`"),
            grant: format!("--operation {operation} --topic {topic}"),
        }
    }

    /// A right on one of these topics is missing; the client does not say on which.
    pub(crate) fn on_one_of<'a>(
        action: &str,
        operation: &str,
        topics: impl Iterator<Item = &'a TopicName> + Clone,
    ) -> Self {
        let names: Vec<String> = topics.clone().map(|topic| format!("`{topic}`")).collect();
        let grant = topics.fold(format!("--operation {operation}"), |grant, topic| format!("{grant} --topic {topic}"));
        let older = if operation == "Write" {
            " (brokers before 2.8 also want --operation IdempotentWrite --cluster)"
        } else {
            ""
        };
        Self::Denied {
            action: action.to_owned(),
            right: match &names[..] {
                [name] => format!("{operation} on topic {name}"),
                names => format!("{operation} on one of {}", names.join(", ")),
            },
            grant: grant + older,
        }
    }

    /// Transactions may not be written.
    pub(crate) fn on_transactions() -> Self {
        Self::Denied {
            action: "writing transactions".to_owned(),
            right: "Write on the transactional ids that begin with `mock-data-gen-`".to_owned(),
            grant: "--operation Write --transactional-id mock-data-gen- --resource-pattern-type prefixed".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named_with_the_line_that_grants_it() {
        let text = Obstacle::on_topic("looking for topic `clicks`", "Describe", "clicks").to_string();
        assert!(
            text.starts_with("looking for topic `clicks`: the brokers deny it, the right Describe on topic"),
            "{text}"
        );
        assert!(text.ends_with("--allow-principal User:… --operation Describe --topic clicks"), "{text}");
    }
}
