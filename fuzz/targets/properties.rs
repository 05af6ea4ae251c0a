//! Any text as a property of the Kafka client: it is taken or refused, and a secret is shown nowhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mock_data_gen::kafka::Property;

/// Properties whose values librdkafka keeps out of its own dumps, as far as they can be set as text.
const SECRET: [&str; 9] = [
    "sasl.password",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl.ca.pem",
];
/// Stands in no message of ours by chance.
const MARK: &str = "QqXxZz";

fuzz_target!(|data: (u8, &str)| {
    let (choice, text) = data;
    // Half of the inputs are the value of a secret.
    let (text, is_secret) = match SECRET.get(usize::from(choice)) {
        Some(key) => (format!("{key}={MARK}{text}{MARK}"), true),
        None => (text.to_owned(), false),
    };
    let shown = match text.parse::<Property>() {
        Ok(property) => {
            let value = text.split_once('=').map(|(_, value)| value);
            assert!(property.shown().is_none_or(|shown| Some(shown) == value), "{property:?} is not what was given");
            format!("{property:?} {:?}", property.shown())
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.trim().is_empty());
            format!("{said} {error:?}")
        }
    };
    assert!(!is_secret || !shown.contains(MARK), "a secret is shown: {shown}");
});
