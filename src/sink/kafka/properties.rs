//! librdkafka properties that users set: any, except those that our guarantees rest on.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use rdkafka::config::ClientConfig;

/// Where Debian, Alpine and most images keep the CA certificates; the OpenSSL inside this program looks elsewhere.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// librdkafka's word for: look where certificates usually are.
const PROBE: &str = "probe";

/// Properties that are refused, and why.
const REFUSED: [(&str, &str); 26] = [
    ("bootstrap.servers", "give --bootstrap-servers"),
    ("metadata.broker.list", "give --bootstrap-servers"),
    ("enable.idempotence", "delivery is idempotent, always: without it a retry can double or reorder records"),
    ("acks", "a record counts as delivered when all in-sync replicas have it"),
    ("request.required.acks", "a record counts as delivered when all in-sync replicas have it"),
    ("enable.gapless.guarantee", "a refused record must stop the run, not leave a gap"),
    ("message.timeout.ms", "a record that timed out would be a gap; the run waits instead"),
    ("delivery.timeout.ms", "a record that timed out would be a gap; the run waits instead"),
    ("retries", "retries are endless: giving up on a record would be a gap"),
    ("message.send.max.retries", "retries are endless: giving up on a record would be a gap"),
    ("max.in.flight", "idempotent delivery allows 5, and resuming counts on it"),
    ("max.in.flight.requests.per.connection", "idempotent delivery allows 5, and resuming counts on it"),
    ("batch.num.messages", "resuming counts on batches of at most 2,000 records"),
    ("partitioner", "partitions are chosen by this program, so that they are the same everywhere"),
    ("transactional.id", "the program chooses it where delivery needs one"),
    ("allow.auto.create.topics", "missing topics are created by this program, with settings that fit the window"),
    ("enable.auto.commit", "the program keeps no consumer group"),
    ("isolation.level", "logs are read committed"),
    ("plugin.library.paths", "it would load a library into this process"),
    ("sasl.kerberos.kinit.cmd", "it would run a shell command"),
    ("delivery.report.only.error", "every report is counted"),
    ("compression.codec", "give it as compression.type, its other name"),
    ("queuing.strategy", "records are delivered in the stream's order"),
    ("queue.buffering.max.ms", "give it as linger.ms, its other name"),
    ("queue.buffering.max.kbytes", "the queue is bounded at 128 MiB"),
    ("queue.buffering.max.messages", "the queue is bounded at 128 MiB, not by a count"),
];

/// A librdkafka property, as `key=value`. Its `Debug` form hides the value of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    key: String,
    value: String,
}

/// A text that is not a property that may be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// No `=`, or nothing before it.
    #[error("not of the form key=value")]
    Form,
    /// Reserved.
    #[error("`{key}` cannot be set: {reason}")]
    Refused {
        /// Which.
        key: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// It names a file that cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// librdkafka does not know it, or not with this value.
    #[error("`{key}` is refused by the Kafka client: {reason}")]
    Unknown {
        /// Which.
        key: String,
        /// What librdkafka says.
        reason: String,
    },
}

impl Property {
    /// librdkafka's name of it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its value, unless that must never be shown.
    #[must_use]
    pub fn shown(&self) -> Option<&str> {
        (!self.is_secret()).then_some(&self.value)
    }

    /// Whether its value must never be shown.
    fn is_secret(&self) -> bool {
        ["password", "secret", ".pem", "token", "jaas"].iter().any(|word| self.key.contains(word))
    }

    /// The file of a certificate or a key that it names. librdkafka looks there only when it connects by TLS.
    fn file(&self) -> Option<&Path> {
        let is_file = self.key.starts_with("ssl.") && self.key.ends_with(".location") && self.value != PROBE;
        is_file.then_some(Path::new(&self.value))
    }

    /// Asks librdkafka whether it takes the property. What it says may quote the value, so a secret's answer is left out.
    fn check(&self) -> Result<(), PropertyError> {
        let mut config = ClientConfig::new();
        config.set(&self.key, &self.value);
        config.create_native_config().map(|_| ()).map_err(|error| PropertyError::Unknown {
            key: self.key.clone(),
            reason: match error {
                _ if self.is_secret() => "the value is not of the form that it wants".to_owned(),
                rdkafka::error::KafkaError::ClientConfig(_, reason, _, _) => reason,
                error => error.to_string(),
            },
        })
    }
}

impl FromStr for Property {
    type Err = PropertyError;

    fn from_str(text: &str) -> Result<Self, PropertyError> {
        let (key, value) = text.split_once('=').ok_or(PropertyError::Form)?;
        let key = key.trim();
        if key.is_empty() {
            return Err(PropertyError::Form);
        }
        if key.starts_with("test.mock.") {
            return Err(PropertyError::Refused { key: "test.mock.*", reason: "give --bootstrap-servers embedded" });
        }
        if let Some((key, reason)) = REFUSED.into_iter().find(|(refused, _)| *refused == key) {
            return Err(PropertyError::Refused { key, reason });
        }
        let property = Self { key: key.to_owned(), value: value.to_owned() };
        property.check()?;
        if let Some(Err(error)) = property.file().map(fs::metadata) {
            return Err(PropertyError::Unreadable { path: property.value, reason: error.to_string() });
        }
        Ok(property)
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.shown().unwrap_or("***"))
    }
}

/// Sets properties on a client, and the CA bundle where TLS is used and none is named.
pub(super) fn apply(properties: &[Property], config: &mut ClientConfig) {
    for Property { key, value } in properties {
        config.set(key, value);
    }
    let tls = config.get("security.protocol").is_some_and(|protocol| protocol.to_ascii_lowercase().ends_with("ssl"));
    let named =
        ["ssl.ca.location", "ssl.ca.pem", "ssl.ca.certificate.stores"].iter().any(|key| config.get(key).is_some());
    if tls && !named && Path::new(CA_BUNDLE).exists() {
        config.set("ssl.ca.location", CA_BUNDLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_that_guarantees_rest_on_are_refused_with_the_reason() {
        for (key, reason) in REFUSED {
            let error = format!("{key}=1").parse::<Property>().unwrap_err();
            assert_eq!(error, PropertyError::Refused { key, reason });
        }
    }

    #[test]
    fn unknown_properties_and_values_are_refused_by_name() {
        for text in ["linger.mss=5", "linger.ms=soon", "compression.type=rar"] {
            let error = text.parse::<Property>().unwrap_err().to_string();
            assert!(error.contains(text.split_once('=').unwrap().0), "{error}");
        }
        for text in ["", "linger.ms", "=5"] {
            assert_eq!(text.parse::<Property>(), Err(PropertyError::Form));
        }
        assert!("linger.ms=7".parse::<Property>().is_ok());
    }

    #[test]
    fn a_file_that_is_not_there_is_refused_before_anything_connects() {
        for key in ["ssl.ca.location", "ssl.key.location", "ssl.certificate.location", "ssl.keystore.location"] {
            let error = format!("{key}=/nowhere").parse::<Property>().unwrap_err().to_string();
            assert_eq!(error, "cannot read /nowhere: No such file or directory (os error 2)");
        }
        assert!("ssl.ca.location=probe".parse::<Property>().is_ok());
    }

    #[test]
    fn secrets_are_never_shown() {
        let property: Property = "sasl.password=hunter2".parse().unwrap();
        assert_eq!(format!("{property:?}"), "sasl.password=***");
        let error = "ssl.key.pem=hunter2".parse::<Property>().map_err(|error| error.to_string());
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn tls_finds_the_usual_certificates() {
        let mut config = ClientConfig::new();
        apply(&["security.protocol=SASL_SSL".parse().unwrap()], &mut config);
        assert_eq!(config.get("ssl.ca.location").is_some(), Path::new(CA_BUNDLE).exists());
        let mut config = ClientConfig::new();
        apply(&["security.protocol=ssl".parse().unwrap(), "ssl.ca.location=/".parse().unwrap()], &mut config);
        assert_eq!(config.get("ssl.ca.location"), Some("/"));
        let mut config = ClientConfig::new();
        apply(&[], &mut config);
        assert_eq!(config.get("ssl.ca.location"), None);
    }
}
