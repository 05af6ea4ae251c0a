//! What to type about an error. The rooms below say what happened; which option helps is said here, variant by variant.

use rdkafka::error::RDKafkaErrorCode;

use crate::files::{FilesError, ReadError};
use crate::generator::spec::LagError;
use crate::kafka::{DEFAULT_BROKERS, KafkaError, Obstacle, PropertyError, RecreationError, RefusalCause};
use crate::resume::{Mismatch, ResumeError};
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::verify::{Explanation, Hint};

/// What to do where the topics hold what a run cannot resume after.
pub(super) const START_OVER: &str = "nothing was written. Ways out: give the options of the run that wrote these topics; or name other topics (--topic-bid-requests …); or start over in \
     these with --resume recreate, which deletes them and creates them again; or append a second stream with --resume never (idempotent delivery only; such topics can neither be resumed nor verified as one)";

/// A sink's error, with what to type.
pub(super) fn sink(error: &SinkError) -> String {
    match error {
        SinkError::Files(error) => files(error),
        SinkError::Kafka(error) => kafka(error),
        error => error.to_string(),
    }
}

/// A source's error, with what to type.
pub(super) fn source(error: &SourceError) -> String {
    match error {
        SourceError::Files(error @ ReadError::NoFile(_)) => {
            format!("{error}: give the folder of a run with --sink files, and the topic options of that run")
        }
        SourceError::Kafka(error) => kafka(error),
        error => error.to_string(),
    }
}

fn files(error: &FilesError) -> String {
    let advice = match error {
        FilesError::File { .. } => "\ngive --out or --answer-key a folder that can be written, with room enough",
        FilesError::NotEmpty { .. } => ": give --out a folder that is new or empty",
        FilesError::Foreign { .. } => {
            ": give --out a folder that is new or empty (--overwrite replaces only what a run wrote)"
        }
        FilesError::Other { .. } => ": add --overwrite to replace that, or give --out another folder",
        _ => "",
    };
    format!("{error}{advice}")
}

/// Kafka's error, with what to type.
pub(super) fn kafka(error: &KafkaError) -> String {
    let advice = match error {
        KafkaError::Properties(reason) => {
            return format!(
                "the Kafka client cannot work with its properties (-X, [kafka] of the file, MDG_KAFKA_*): {reason}"
            );
        }
        KafkaError::Ended { source, sent, acked } => {
            return format!("{}\n{acked} of {sent} records that were sent are acknowledged", kafka(source));
        }
        KafkaError::TooManyPartitions { .. } => return format!("{error}: give a smaller --partitions"),
        KafkaError::TooLarge { count_max: 0 } => {
            return format!("{error}: from this start --count 0 does nothing: give more --partitions");
        }
        KafkaError::TooLarge { count_max } => {
            return format!("{error}: from this start --count {count_max} does (or give more --partitions)");
        }
        KafkaError::Obstacle(Obstacle::Restamped { .. }) => {
            return format!("{error}: start over with --resume recreate, or in other topics");
        }
        KafkaError::Recreation(RecreationError::Undeletable { topic, code, brokers, .. }) => {
            return format!("{error}\n{}", undeletable(topic.as_str(), *code, brokers));
        }
        KafkaError::Unreachable { brokers, .. } if brokers == DEFAULT_BROKERS => {
            "kafka:9092 is the default, for use inside docker compose. From the host try --bootstrap-servers localhost:29092; \
             without any Kafka try --bootstrap-servers embedded"
        }
        KafkaError::Unreachable { .. } => {
            "check --bootstrap-servers (KAFKA_BOOTSTRAP_SERVERS) and that the broker runs; without any Kafka try \
             --bootstrap-servers embedded"
        }
        KafkaError::NotLetIn { cause, .. } => not_let_in(*cause),
        KafkaError::CreateTopic { code: RDKafkaErrorCode::InvalidTopic, .. } => {
            "a topic whose name differs from it only by `.` and `_` is there already, or is created with it: the two would be one in Kafka's \
             metrics. Choose another name (--topic-bid-requests …), with only one of the two characters"
        }
        KafkaError::CreateTopic { .. } => "create it yourself, or change --partitions or --replication-factor",
        KafkaError::NoTopic { .. } => "name the run's topics by --topic-bid-requests …",
        KafkaError::Deleted { .. } => {
            "start over with --resume recreate, which deletes the others too, or name other topics (--topic-bid-requests …), or append a second \
             stream with --resume never"
        }
        KafkaError::TopicGone { .. } => {
            "start over with --resume recreate, which deletes the other topics too, or name other ones (--topic-bid-requests …)"
        }
        KafkaError::LostRecords { .. } => {
            "start over with --resume recreate, which deletes these topics, or name other ones (--topic-bid-requests …)"
        }
        KafkaError::AnotherWriter { .. } => {
            "--delivery exactly-once undoes such a batch. --resume recreate deletes these topics and begins anew"
        }
        error => return error.to_string(),
    };
    format!("{error}\n{advice}")
}

fn not_let_in(cause: RefusalCause) -> &'static str {
    match cause {
        RefusalCause::Certificate => {
            "name the CA that signed it by -X ssl.ca.location=FILE, and the broker by a name that stands in its certificate \
             (-X ssl.endpoint.identification.algorithm=none does not compare names)"
        }
        RefusalCause::NoTls => "leave -X security.protocol out, or give the address of its TLS listener",
        RefusalCause::Handshake => {
            "check -X security.protocol, and for a client's own certificate ssl.certificate.location and ssl.key.location"
        }
        RefusalCause::Authentication => {
            "check -X sasl.mechanisms, sasl.username and sasl.password (MDG_KAFKA_SASL_PASSWORD_FILE), and -X security.protocol"
        }
        RefusalCause::ClosedUnanswered => {
            "is this the address of a TLS listener? Then give -X security.protocol=SSL, or SASL_SSL with a password"
        }
        RefusalCause::ClosedAtFirstRequest => {
            "does this listener want a password? Then give -X security.protocol=SASL_PLAINTEXT or SASL_SSL, sasl.mechanisms, \
             sasl.username and sasl.password"
        }
    }
}

fn undeletable(topic: &str, code: RDKafkaErrorCode, brokers: &str) -> String {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed => format!(
            "grant the right to delete it: kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:… --operation Delete --topic {topic}"
        ),
        RDKafkaErrorCode::TopicDeletionDisabled => {
            "its brokers allow that only with delete.topic.enable=true: name other topics (--topic-bid-requests …)"
                .to_owned()
        }
        _ => "delete it yourself, or name other topics (--topic-bid-requests …)".to_owned(),
    }
}

/// An error of resuming: what happened, and what to type.
pub(super) fn resume(error: &ResumeError) -> (String, &'static str) {
    let advice = match error {
        ResumeError::Kafka(error) => return (kafka(error), ""),
        ResumeError::NothingHeld => {
            let what = format!("--resume require: {error}");
            return (what, "give --resume auto to begin, or check the topics' names and --bootstrap-servers");
        }
        ResumeError::NoPlainRequest => "lower the faults' shares, or give --from a time",
        ResumeError::Refused { why, .. } => {
            let advice = match **why {
                Mismatch::Emptied => ": give the --from of the first run",
                Mismatch::BeforeWindow { .. } | Mismatch::OtherStart { .. } => " (is this the --from of that run?)",
                _ => "",
            };
            return (format!("{error}{advice}"), START_OVER);
        }
        ResumeError::StartUnknown { .. } => {
            "nothing was written. Give the --from that it began with, with --to in place of --count or --duration"
        }
        _ => "",
    };
    (error.to_string(), advice)
}

/// Which option explains what logs hold.
pub(super) fn explanation(explanation: &Explanation) -> String {
    let (found, given) = explanation.texts("--");
    format!("what is there are the records of {found}, and this command says {given}")
}

/// What might explain the differences of a verdict.
pub(super) fn hint(hint: &Hint) -> String {
    match hint {
        Hint::Explained(found) => explanation(found),
        Hint::OtherStream => {
            "none of the records is of this stream: another --seed, or other stream options than the run's?".to_owned()
        }
        Hint::Headers => "every record differs in its headers: was the run with, or without --headers?".to_owned(),
        Hint::Short { .. } => format!("{hint}. --prefix accepts logs that end early"),
        hint => hint.to_string(),
    }
}

/// A property that cannot be set, with what to give in its place.
pub(super) fn property(error: &PropertyError) -> String {
    match error {
        PropertyError::Refused { key: key @ ("bootstrap.servers" | "metadata.broker.list"), .. } => {
            format!("`{key}` cannot be set: give --bootstrap-servers")
        }
        PropertyError::Refused { key: key @ "test.mock.*", .. } => {
            format!("`{key}` cannot be set: give --bootstrap-servers embedded")
        }
        error => error.to_string(),
    }
}

/// Faults that hold a record back for too long, by their options.
pub(super) fn lag(error: LagError) -> String {
    format!(
        "the spans of --late, --duplicates, --conflicts, --boundary and --idle add up to a record that is emitted {} behind its auction, and an hour is the most: shorten them",
        error.lag()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_cannot_be_deleted_names_the_right_and_what_is_deleted() {
        let error = |code, deleted: &[&str]| {
            let (topic, brokers) = ("clicks".parse().unwrap(), "b:9092".to_owned());
            let deleted = deleted.iter().map(|topic| topic.parse().unwrap()).collect();
            kafka(&RecreationError::Undeletable { topic, code, deleted, brokers }.into())
        };
        let denied = error(RDKafkaErrorCode::TopicAuthorizationFailed, &["impressions"]);
        assert!(denied.contains("topic `clicks` could not be deleted"), "{denied}");
        assert!(denied.contains("; deleted are `impressions`\n"), "{denied}");
        let line =
            "kafka-acls.sh --bootstrap-server b:9092 --add --allow-principal User:… --operation Delete --topic clicks";
        assert!(denied.ends_with(line), "{denied}");
        let disabled = error(RDKafkaErrorCode::TopicDeletionDisabled, &[]);
        assert!(disabled.contains("; none was\n") && disabled.contains("delete.topic.enable=true"), "{disabled}");
    }
}
