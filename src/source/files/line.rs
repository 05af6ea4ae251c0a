//! A line of a file as a record.

use crate::generator::record::envelope;
use crate::log::record::{LogRecord, Parts, refill};

/// Whether a line of a topic's file is an envelope of that topic.
pub(super) fn is_envelope(topic: &str, line: &[u8]) -> bool {
    envelope::read(topic, line).is_some()
}

/// Fills a record with what an envelope says; with the whole line, if it is none of this topic.
pub(super) fn parse(topic: &str, line: Vec<u8>, record: &mut LogRecord) {
    let Some((envelope, payload)) = envelope::read(topic, &line) else {
        let offset = record.offset;
        *record = LogRecord { offset, parts: Parts::Line, value: Some(line), ..LogRecord::default() };
        return;
    };
    record.parts = Parts::All;
    record.partition = envelope.partition;
    record.timestamp_ms = envelope.timestamp;
    refill(&mut record.key, envelope.key.as_deref().map(str::as_bytes));
    let header = |(name, value): (String, Option<String>)| (name.into_bytes(), value.map(String::into_bytes));
    record.headers = envelope.headers.0.into_iter().map(header).collect();
    record.value = payload;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::spec::{Faults, Layout, Stage, StreamSpec};
    use crate::generator::stream::{Stream, Window};

    #[test]
    fn an_envelope_is_taken_apart_into_the_record_that_it_was_made_of() {
        let share = || "0.3".parse().unwrap();
        let faults = Faults { malformed: share(), invalid: share(), tombstones: share(), ..Faults::default() };
        let spec = StreamSpec { headers: true, faults: faults.try_into().unwrap(), ..StreamSpec::default() };
        let stream = Stream::new(&spec, &Layout::default());
        for expected in stream.records(Window::auctions(0, 100)) {
            let topic = &stream.layout().topic(expected.stage).name;
            let mut line = Vec::new();
            envelope::write(&mut line, topic, &expected).unwrap();
            line.pop();
            let mut record = LogRecord { offset: 7, ..LogRecord::default() };
            parse(topic.as_str(), line, &mut record);
            assert_eq!(record, LogRecord::of(&expected, 7));
        }
    }

    #[test]
    fn what_is_no_envelope_of_the_topic_is_a_line() {
        let topic = Layout::default().topic(Stage::Click).name.clone();
        let whole = r#"{"topic":"clicks","partition":0,"key":null,"timestamp":5,"value":null}"#;
        let mut record = LogRecord::default();
        parse(topic.as_str(), whole.into(), &mut record);
        assert_eq!((record.parts, &record.key, &record.value), (Parts::All, &None, &None));
        let twice = whole.replace('}', r#","value_base64":"aGk="}"#);
        let broken = whole.replace(r#""value":null"#, r#""value_base64":"aGk""#);
        let without = whole.replace(r#","value":null"#, "");
        for line in [
            &twice,
            &broken,
            &without,
            "",
            "{",
            &whole[..40],
            &whole.replace("clicks", "other"),
            &format!("{whole}x"),
            "[1]",
            "\u{0}",
        ] {
            let mut record = LogRecord::default();
            parse(topic.as_str(), line.into(), &mut record);
            assert_eq!((record.parts, record.value.as_deref()), (Parts::Line, Some(line.as_bytes())));
        }
    }
}
