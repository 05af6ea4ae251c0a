//! The command that verifies what a run wrote.

use crate::cli::args::stream::TopicPrefix;
use crate::generator::spec::{Layout, Stage, StreamSpec};
use crate::generator::stream::{Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::kafka::{DEFAULT_BROKERS, Property};

/// What stands in place of a secret.
const SECRET: &str = "***";

/// Where a run wrote to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Written<'a> {
    Topics { brokers: &'a str, properties: &'a [Property] },
    Folder(&'a str),
}

/// A command line that verifies a window of a stream. Options at their defaults are left out, whatever the variables say now; a
/// secret must be filled in.
pub(crate) fn verify_command(stream: &Stream, window: Window, written: Written<'_>) -> String {
    let mut words = vec!["mock-data-gen".to_owned(), "verify".to_owned()];
    let mut add = |option: &str, value: &str| {
        if value.starts_with('-') {
            words.push(format!("{option}={}", quoted(value)));
        } else {
            words.extend([option.to_owned(), quoted(value)]);
        }
    };
    match written {
        Written::Folder(folder) => add("--files", folder),
        Written::Topics { brokers, properties } => {
            if brokers != DEFAULT_BROKERS {
                add("--bootstrap-servers", brokers);
            }
            for property in properties {
                add("-X", &format!("{}={}", property.key(), property.shown().unwrap_or(SECRET)));
            }
        }
    }
    let spec = stream.auctions().spec();
    for (option, value) in stream_options(spec).into_iter().chain(layout_options(stream.layout())) {
        add(option, &value);
    }
    for (name, value) in spec.faults.texts() {
        add(&format!("--{name}"), &value);
    }
    if spec.headers {
        words.push("--headers".to_owned());
    }
    let mut add = |option: &str, value: &str| words.extend([option.to_owned(), quoted(value)]);
    let first_ms = stream.auctions().plan(window.start()).request_ms;
    let first = if window.start() == 0 { "epoch".to_owned() } else { Timestamp(first_ms).to_string() };
    add("--from", &first);
    if let Some(count) = window.count() {
        add("--count", &count.to_string());
    }
    words.join(" ")
}

/// Options with the values that are not their defaults.
fn stream_options(spec: &StreamSpec) -> Vec<(&'static str, String)> {
    let texts = |spec: &StreamSpec| {
        [
            ("--seed", spec.seed.to_string()),
            ("--epoch", spec.epoch.to_string()),
            ("--events-per-second", spec.events_per_second.to_string()),
            ("--bid-response-rate", spec.bid_response_rate.to_string()),
            ("--win-rate", spec.win_rate.to_string()),
            ("--click-rate", spec.click_rate.to_string()),
            ("--users", spec.users.to_string()),
            ("--profile", spec.profile.to_string()),
            ("--key-by", spec.key_by.to_string()),
        ]
    };
    let defaults = texts(&StreamSpec::default());
    texts(spec).into_iter().zip(defaults).filter(|(given, default)| given != default).map(|(given, _)| given).collect()
}

fn layout_options(layout: &Layout) -> Vec<(&'static str, String)> {
    if let Some(prefix) = prefix(layout) {
        return vec![("--topic-prefix", prefix)];
    }
    let options = ["--topic-bid-requests", "--topic-bid-responses", "--topic-impressions", "--topic-clicks"];
    let defaults = Layout::default();
    Stage::ALL
        .into_iter()
        .filter(|&stage| layout.topic(stage).name != defaults.topic(stage).name)
        .map(|stage| (options[stage.index()], layout.topic(stage).name.to_string()))
        .collect()
}

/// What `--topic-prefix` makes all names of, if anything does.
fn prefix(layout: &Layout) -> Option<String> {
    let defaults = Layout::default();
    let name = |layout: &Layout, stage| layout.topic(stage).name.to_string();
    let joined = name(layout, Stage::Request);
    let joined = joined.strip_suffix(&name(&defaults, Stage::Request)).filter(|joined| !joined.is_empty())?;
    // Without the sign that is put there, where nothing else is.
    let short = joined.strip_suffix('-').filter(|short| !short.is_empty());
    let made = |prefix: &str| {
        let prefix: TopicPrefix = prefix.parse().ok()?;
        let is_made = |stage| name(layout, stage) == prefix.topic(&name(&defaults, stage));
        Stage::ALL.into_iter().all(is_made).then_some(())
    };
    [short, Some(joined)].into_iter().flatten().find(|prefix| made(prefix).is_some()).map(str::to_owned)
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::spec::KeyBy;

    #[test]
    fn what_is_not_the_default_is_said_and_secrets_are_not() {
        let stream = Stream::new(&StreamSpec::default(), &Layout::default());
        let here = Written::Topics { brokers: DEFAULT_BROKERS, properties: &[] };
        let plain = verify_command(&stream, Window::auctions(0, 5), here);
        assert_eq!(plain, "mock-data-gen verify --from epoch --count 5");
        let spec = StreamSpec { seed: 7, key_by: KeyBy::Request, headers: true, ..StreamSpec::default() };
        let mut topics = Layout::default().topics().clone();
        topics[3].name = "c".parse().unwrap();
        let stream = Stream::new(&spec, &Layout::new(topics).unwrap());
        let properties = ["sasl.password=hunter2", "sasl.username=a b"].map(|text| text.parse().unwrap());
        let there = Written::Topics { brokers: "localhost:29092", properties: &properties };
        let full = verify_command(&stream, Window::unbounded(10), there);
        assert_eq!(
            full,
            "mock-data-gen verify --bootstrap-servers localhost:29092 -X 'sasl.password=***' -X 'sasl.username=a b' \
             --seed 7 --key-by request --topic-clicks c --headers --from 2026-01-01T00:00:01.084Z"
        );
        for (prefix, shown) in
            [("p-", Some("p")), ("p.", Some("p.")), ("p--", Some("p--")), ("-", Some("-")), ("p", None)]
        {
            let mut topics = Layout::default().topics().clone();
            for topic in &mut topics {
                topic.name = format!("{prefix}{}", topic.name).parse().unwrap();
            }
            let stream = Stream::new(&StreamSpec::default(), &Layout::new(topics).unwrap());
            let command = verify_command(&stream, Window::auctions(0, 5), here);
            let expected = match shown {
                Some(shown) if shown.starts_with('-') => format!("--topic-prefix={shown} --from"),
                Some(shown) => format!("--topic-prefix {shown} --from"),
                None => "--topic-bid-requests pbid-requests --topic-bid-responses pbid-responses".to_owned(),
            };
            assert!(command.contains(&expected), "{prefix}: {command}");
        }
        let folder = verify_command(&stream, Window::auctions(0, 1), Written::Folder("it's here"));
        assert!(folder.starts_with(r"mock-data-gen verify --files 'it'\''s here' --seed 7"), "{folder}");
        let folder = verify_command(&stream, Window::auctions(0, 1), Written::Folder("-dash"));
        assert!(folder.starts_with("mock-data-gen verify --files=-dash --seed 7"), "{folder}");
    }
}
