//! librdkafka properties that users set: any, except those that our guarantees rest on.

mod refused;

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError as ClientError;

use self::refused::{REFUSED, prefixed};

/// Where Debian, Alpine and most images keep the CA certificates; the OpenSSL inside this program looks elsewhere.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// librdkafka's word for: look where certificates usually are.
const PROBE: &str = "probe";

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
    #[error("not of the form key=value, such as linger.ms=5")]
    Form,
    /// Reserved.
    #[error("`{key}` cannot be set: {reason}")]
    Refused {
        /// Which.
        key: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// librdkafka takes it under this name too, so that it would pass by what is refused.
    #[error("`topic.{plain}` cannot be set: give it as {plain}")]
    Prefixed {
        /// Its other name.
        plain: String,
    },
    /// Not a number, where librdkafka would take the beginning of it for one, or another one.
    #[error("`{key}` cannot be `{value}`: give {wanted}")]
    Number {
        /// Which.
        key: String,
        /// As it was given.
        value: String,
        /// What is a number there.
        wanted: &'static str,
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
        const WORDS: [&str; 7] = ["password", "passphrase", "secret", ".pem", "token", "jaas", "oauthbearer.config"];
        WORDS.iter().any(|word| self.key.contains(word))
    }

    /// The file of a certificate or a key that it names. librdkafka looks there only when it connects by TLS.
    fn file(&self) -> Option<&Path> {
        let is_file = self.key.starts_with("ssl.") && self.key.ends_with(".location") && self.value != PROBE;
        is_file.then_some(Path::new(&self.value))
    }

    /// Asks librdkafka whether it takes the property, whole. What it says may quote the value, so a secret's answer is left out.
    fn check(&self) -> Result<(), PropertyError> {
        let wanted = number_wanted(&self.key);
        let fits = |wanted: &Number| wanted.is_form_of(&self.value);
        if let Some(wanted) = wanted.filter(|wanted| !fits(wanted) && !self.value.is_empty()) {
            return Err(self.is_no(wanted));
        }
        let understood = understood(&self.key, &self.value).map_err(|error| PropertyError::Unknown {
            key: self.key.clone(),
            reason: match error {
                _ if self.is_secret() => "the value is not of the form that it wants".to_owned(),
                ClientError::ClientConfig(_, reason, _, _) => reason.trim_end().to_owned(),
                error => error.to_string(),
            },
        })?;
        match wanted {
            // One of more than 32 bits loses those above.
            Some(Number::Whole) if understood.as_ref() != Some(&self.value) => Err(self.is_no(Number::Whole)),
            _ => Ok(()),
        }
    }

    fn is_no(&self, wanted: Number) -> PropertyError {
        PropertyError::Number { key: self.key.clone(), value: self.value.clone(), wanted: wanted.words() }
    }
}

/// What a property takes that is a number. librdkafka would read as much of a value as looks like one in C: `30s` is 30, `1e5` is 1,
/// `010` is 8.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole,
    Decimal,
}

impl Number {
    /// Whether a text is a number to everybody: digits, or digits with a point between them where that is taken.
    fn is_form_of(self, text: &str) -> bool {
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let digits = text.strip_prefix('-').unwrap_or(text);
        match self {
            Self::Whole => is_digits(digits) && (digits == "0" || !digits.starts_with('0')),
            Self::Decimal => digits
                .split_once('.')
                .map_or_else(|| is_digits(digits), |(whole, part)| is_digits(whole) && is_digits(part)),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Whole => "a whole number in plain digits, such as 30",
            Self::Decimal => "a number in plain digits, such as 30 or 0.5",
        }
    }
}

/// What is wanted of a property, if it is a number by default.
fn number_wanted(key: &str) -> Option<Number> {
    let mut config = ClientConfig::new();
    // Of a topic's properties it tells once one of them is set.
    config.set("request.timeout.ms", "30000");
    let default = config.create_native_config().ok()?.get(key).ok()?;
    default.parse::<f64>().ok()?;
    let takes_fractions = understood(key, "0.5").is_ok_and(|half| half.as_deref() == Some("0.5"));
    Some(if takes_fractions { Number::Decimal } else { Number::Whole })
}

/// How librdkafka writes a property's value once it has taken it; `None` where it does not tell.
fn understood(key: &str, value: &str) -> Result<Option<String>, ClientError> {
    let mut config = ClientConfig::new();
    config.set(key, value);
    Ok(config.create_native_config()?.get(key).ok())
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
            return Err(PropertyError::Refused { key: "test.mock.*", reason: "the embedded broker takes its place" });
        }
        if let Some(plain) = prefixed(key) {
            return Err(PropertyError::Prefixed { plain: plain.to_owned() });
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
    fn a_number_is_taken_whole_or_refused() {
        let cases = [
            ("socket.timeout.ms", "30s", Number::Whole),
            ("socket.timeout.ms", "3e4", Number::Whole),
            ("socket.timeout.ms", "010000", Number::Whole),
            ("socket.timeout.ms", "0x400", Number::Whole),
            ("socket.timeout.ms", "+1000", Number::Whole),
            ("socket.timeout.ms", " 1000", Number::Whole),
            ("socket.timeout.ms", "60 000", Number::Whole),
            ("socket.timeout.ms", "4294968296", Number::Whole),
            ("socket.timeout.ms", "soon", Number::Whole),
            ("compression.level", "1.5", Number::Whole),
            ("linger.ms", "5ms", Number::Decimal),
            ("linger.ms", "1e2", Number::Decimal),
            ("linger.ms", "0x10", Number::Decimal),
            ("linger.ms", "nan", Number::Decimal),
            ("linger.ms", "1,5", Number::Decimal),
            ("linger.ms", ".5", Number::Decimal),
        ];
        for (key, value, wanted) in cases {
            let error = format!("{key}={value}").parse::<Property>().unwrap_err();
            let [key, value] = [key, value].map(str::to_owned);
            assert_eq!(error, PropertyError::Number { key, value, wanted: wanted.words() });
        }
        let error = "socket.timeout.ms=3".parse::<Property>().unwrap_err().to_string();
        assert!(error.contains("outside allowed range 10..300000"), "{error}");
        let taken = [
            "socket.timeout.ms=30000",
            "topic.metadata.refresh.interval.ms=-1",
            "compression.level=-1",
            "linger.ms=900000",
            "linger.ms=0.25",
            "linger.ms=10.0",
            "client.id=007",
            "client.id=5 stars",
            "sasl.password=010",
            "enable.random.seed=1",
            "compression.type=zstd",
        ];
        for text in taken {
            assert!(text.parse::<Property>().is_ok(), "{text}: {:?}", text.parse::<Property>());
        }
    }

    #[test]
    fn no_other_name_leads_around_what_is_refused() {
        for (key, _) in REFUSED {
            let error = format!("topic.{key}=1").parse::<Property>().unwrap_err();
            assert_eq!(error, PropertyError::Prefixed { plain: key.to_owned() });
        }
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
        let property: Property = "sasl.oauthbearer.config=hunter2".parse().unwrap();
        assert_eq!(format!("{property:?}"), "sasl.oauthbearer.config=***");
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
