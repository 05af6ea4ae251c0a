//! What planned faults do to a document's bytes.

use crate::generator::timestamp::Timestamp;

/// The member whose type is made wrong.
const TIME: &str = r#""event_timestamp":"#;

/// Makes a document one that no parser takes: cut off somewhere, without its first colon, or with a first byte that is no UTF-8. The word
/// says which, and where it is cut.
pub(in crate::generator) fn break_json(document: &mut Vec<u8>, word: u32) {
    match word % 3 {
        0 => {
            let inside = document.len() as u64 - 1;
            // At least the brace stays, and at least the last one goes.
            document.truncate(1 + ((inside * u64::from(word)) >> 32) as usize);
        }
        1 => {
            if let Some(colon) = document.iter().position(|&byte| byte == b':') {
                document.remove(colon);
            }
        }
        _ => document[0] = 0xff,
    }
}

/// Makes a document one that its schema refuses: its time a number, or its own id, the first member, left out. The word says which.
pub(in crate::generator) fn violate_schema(document: &mut Vec<u8>, event_ms: i64, word: u32) {
    if word.is_multiple_of(2) {
        let at = document.windows(TIME.len()).position(|bytes| bytes == TIME.as_bytes());
        if let Some(at) = at {
            let from = at + TIME.len();
            // The quotes go with it.
            let to = from + Timestamp(event_ms).text().len() + 2;
            document.splice(from..to, event_ms.to_string().into_bytes());
        }
    } else if let Some(comma) = document.iter().position(|&byte| byte == b',') {
        document.drain(1..=comma);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &[u8] = br#"{"click_id":"x","n":1,"event_timestamp":"2026-01-01T00:00:00.082Z"}"#;

    #[test]
    fn no_parser_takes_what_is_broken() {
        for word in (0..3_000).map(|step| step * 1_431_655).chain([0, u32::MAX, u32::MAX - 1, u32::MAX - 2]) {
            let mut document = DOCUMENT.to_vec();
            break_json(&mut document, word);
            assert!(!document.is_empty() && document.len() <= DOCUMENT.len());
            assert!(serde_json::from_slice::<serde_json::Value>(&document).is_err(), "{word}");
        }
    }

    #[test]
    fn what_violates_the_schema_is_json_still() {
        let violated = |word| {
            let mut document = DOCUMENT.to_vec();
            violate_schema(&mut document, 1_767_225_600_082, word);
            String::from_utf8(document).unwrap()
        };
        assert_eq!(violated(0), r#"{"click_id":"x","n":1,"event_timestamp":1767225600082}"#);
        assert_eq!(violated(1), r#"{"n":1,"event_timestamp":"2026-01-01T00:00:00.082Z"}"#);
    }
}
