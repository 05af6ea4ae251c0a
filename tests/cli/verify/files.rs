//! Damaged files are named like damaged topics.

use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::sink::Sink;
use mock_data_gen::source::Source;
use mock_data_gen::verify::{Class, Verdict, VerifyOptions, verify};

use super::{EDGE, OTHERWISE_PERCENT_MAX, PLACES, faulty_stream, flip, one, plain, stream, window};
use crate::choices::Choices;

/// A folder that the file sink wrote, and the same records as logs of one topic each.
fn folder(choices: &mut Choices, envelope: bool) -> (tempfile::TempDir, Stream, Window) {
    let (stream, wanted) = stream(choices);
    folder_of(stream, wanted, envelope)
}

fn folder_of(stream: Stream, wanted: Window, envelope: bool) -> (tempfile::TempDir, Stream, Window) {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = mock_data_gen::sink::files::Files::create(folder.path(), envelope, &stream, &wanted.into()).unwrap();
    stream.records(wanted).for_each(|record| sink.submit(&record).unwrap());
    sink.close(true).unwrap();
    (folder, stream, wanted)
}

fn verdict_of_files(folder: &std::path::Path, stream: &Stream, demand: VerifyOptions) -> Verdict {
    let mut source = mock_data_gen::source::files::Files::open(folder, stream.layout()).unwrap();
    let stream = Stream::new(stream.auctions().spec(), source.layout());
    verify(&stream, &mut source, demand, &Shutdown::default(), |_, _| {}).unwrap()
}

/// Damages one line of a file, and says what that is.
type LineDamage = fn(&mut Choices, &mut Vec<Vec<u8>>, usize) -> Class;

const LINE_DAMAGES: [(&str, LineDamage); 9] = [
    ("lost", |_, lines, at| {
        lines.remove(at);
        Class::Missing
    }),
    ("doubled", |_, lines, at| {
        let line = lines[at - 1].clone();
        lines.insert(at, line);
        Class::Duplicated
    }),
    ("swapped", |_, lines, at| {
        lines.swap(at, at + 1);
        Class::Reordered
    }),
    ("flipped", |choices, lines, at| {
        let line = lines[at].clone();
        while lines[at] == line || lines[at].contains(&b'\n') {
            lines[at].clone_from(&line);
            flip(choices, &mut lines[at]);
        }
        Class::Altered
    }),
    ("cut in the middle", |choices, lines, at| {
        let kept = choices.index(lines[at].len());
        lines[at].truncate(kept);
        Class::Altered
    }),
    ("with garbage behind it", |choices, lines, at| {
        let garbage = choices.of(&["}", "\r", "\0\0\0", "x", " "]);
        lines[at].extend_from_slice(garbage.as_bytes());
        Class::Altered
    }),
    ("not JSON", |_, lines, at| {
        lines.insert(at, b"# a comment".to_vec());
        Class::Foreign
    }),
    ("not text", |_, lines, at| {
        lines.insert(at, vec![0xff, 0xfe, 0x00, b'{']);
        Class::Foreign
    }),
    ("of somebody else", |_, lines, at| {
        lines.insert(at, br#"{"id":"4711","event_timestamp":"2026-01-01T00:00:00.000Z"}"#.to_vec());
        Class::Foreign
    }),
];

#[test]
fn damaged_files_are_named_like_damaged_topics() {
    for round in 0..PLACES {
        let mut choices = Choices(20_000_000 + round);
        for envelope in [false, true] {
            let (folder, stream, wanted) = folder(&mut choices, envelope);
            let clean = verdict_of_files(folder.path(), &stream, VerifyOptions::default());
            assert!(clean.is_clean(), "round {round}: {clean}");
            if choices.index(2) == 0 {
                std::fs::remove_file(folder.path().join("manifest.json")).unwrap();
            }
            let (name, damage) = LINE_DAMAGES[choices.index(LINE_DAMAGES.len())];
            let topic = choices.index(2);
            let path = folder.path().join(format!("{}.ndjson", stream.layout().topics()[topic].name));
            let text = std::fs::read(&path).unwrap();
            let mut lines: Vec<Vec<u8>> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
            lines.pop();
            let at = EDGE + 2 + choices.index(lines.len() - 2 * EDGE - 4);
            let class = damage(&mut choices, &mut lines, at);
            // A garbage that JSON passes over is no damage to an envelope.
            let is_harmless = envelope && [b' ', b'\r'].contains(lines[at].last().unwrap_or(&b'x'));
            std::fs::write(&path, [lines.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
            for demand in [window(wanted), VerifyOptions::default()] {
                let found = verdict_of_files(folder.path(), &stream, demand);
                let shown = format!("round {round}, envelope {envelope}, line {} {name}: {found}", at + 1);
                if is_harmless {
                    assert!(found.is_clean(), "{shown}");
                    continue;
                }
                let counts = plain(found.counts());
                let expected = plain(&one(class));
                assert_eq!(counts[2..], expected[2..], "{shown}");
                let first = found.logs()[topic].first_difference.as_ref().expect(&shown);
                assert_eq!((first.class, first.offset), (class, Some(at as i64 + 1)), "{shown}");
            }
        }
    }
}

#[test]
fn files_of_streams_with_faults_are_verified_in_envelopes() {
    let mut otherwise = 0;
    for round in 0..PLACES {
        let mut choices = Choices(22_000_000 + round);
        let (stream, wanted) = faulty_stream(&mut choices);
        let (folder, stream, wanted) = folder_of(stream, wanted, true);
        for demand in [
            window(wanted),
            VerifyOptions::default(),
            VerifyOptions { fingerprint: true, threads: 2, ..window(wanted) },
        ] {
            let found = verdict_of_files(folder.path(), &stream, demand);
            assert!(found.is_clean(), "round {round}: {found}");
        }
        let path = folder.path().join("bid-requests.ndjson");
        let text = std::fs::read(&path).unwrap();
        let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
        let at = choices.index(lines.len());
        let class = if choices.index(2) == 0 {
            lines.remove(at);
            Class::Missing
        } else {
            lines.insert(choices.index(lines.len()), lines[at]);
            Class::Duplicated
        };
        std::fs::write(&path, lines.concat()).unwrap();
        let found = verdict_of_files(folder.path(), &stream, window(wanted));
        assert!(!found.is_clean(), "round {round}: {found}");
        otherwise += usize::from(plain(found.counts())[2..] != plain(&one(class))[2..]);
    }
    println!("{otherwise} of {PLACES} told otherwise");
    assert!(otherwise <= OTHERWISE_PERCENT_MAX, "{otherwise} told otherwise");
}

#[test]
fn a_file_that_was_cut_off_is_missing_its_end() {
    for round in 0..PLACES {
        let mut choices = Choices(21_000_000 + round);
        let (folder, stream, wanted) = folder(&mut choices, round % 2 == 0);
        let path = folder.path().join("bid-requests.ndjson");
        let text = std::fs::read(&path).unwrap();
        let kept = choices.index(text.len() - 1);
        std::fs::write(&path, &text[..kept]).unwrap();
        let found = verdict_of_files(folder.path(), &stream, window(wanted));
        let whole = text[..kept].split(|&byte| byte == b'\n').count() as u64 - 1;
        let all = text.split(|&byte| byte == b'\n').count() as u64 - 1;
        let counts = found.logs()[0].counts;
        // The line that was cut is a damaged one; only its end may be what was cut off.
        assert_eq!(counts.matched + counts.altered + counts.missing, all, "round {round}: {found}");
        assert!(counts.matched == whole || counts.matched == whole + 1, "round {round}: {found}");
        assert!(counts.altered <= 1 && counts.missing + 1 >= all - whole, "round {round}: {found}");
        assert_eq!(found.counts().differences(), counts.altered + counts.missing, "round {round}: {found}");
    }
}
