//! The file of `--config`: TOML whose keys are the options' long names, and a `[kafka]` table of librdkafka properties.
//!
//! Numbers are taken as they are written, never through a float, so `0.123456789` stays exact.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// No file of options or with a secret is larger; what is, such as a device, is no such file.
const LARGEST_BYTES: u64 = 1 << 20;

/// The table of librdkafka properties.
const KAFKA: &str = "kafka";

/// A file's entries, in its order of keys.
#[derive(Debug, Default)]
pub(crate) struct ConfigFile {
    /// By long name, such as `events-per-second`.
    pub(crate) options: Vec<Entry>,
    /// By librdkafka's name, such as `sasl.username`.
    pub(crate) properties: Vec<Entry>,
}

/// A key with the text that its flag would have.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: String,
    /// From 1.
    pub(crate) line: usize,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigFileError {
    #[error("cannot read {path}: {source}\ngive --config a TOML file, or omit it", path = .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path}, line {line}: not TOML: {reason}", path = .path.display())]
    Syntax { path: PathBuf, line: usize, reason: String },
    #[error(
        "{path}, line {line}: there is no table [{key}]: options stand by themselves, librdkafka's properties in [kafka]",
        path = .path.display()
    )]
    Table { path: PathBuf, line: usize, key: String },
    #[error("{path}, line {line}: `{key}` is {found}: give a text, a number, true or false", path = .path.display())]
    Type { path: PathBuf, line: usize, key: String, found: &'static str },
    #[error("{path}, line {line}: `{key}` stands in line {first} as well: leave one of them", path = .path.display())]
    Twice { path: PathBuf, line: usize, key: String, first: usize },
}

/// Reads a file that somebody wrote by hand.
pub(crate) fn read_small(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    if File::open(path)?.take(LARGEST_BYTES + 1).read_to_string(&mut text)? as u64 > LARGEST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

impl ConfigFile {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigFileError> {
        let text = read_small(path).map_err(|source| ConfigFileError::Unreadable { path: path.to_owned(), source })?;
        // An editor's byte order mark is no part of TOML.
        Self::parse(path, text.strip_prefix('\u{feff}').unwrap_or(&text))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigFileError> {
        let table = DeTable::parse(text).map_err(|error| ConfigFileError::Syntax {
            path: path.to_owned(),
            line: line(text, error.span().map_or(0, |span| span.start)),
            // Not its Display, which quotes the line: that may hold a secret.
            reason: error.message().to_owned(),
        })?;
        let mut file = Self::default();
        let flatten = Flatten { path, text };
        for (key, value) in table.get_ref() {
            match value.get_ref() {
                DeValue::Table(properties) if key.get_ref() == KAFKA => {
                    flatten.table("", properties, &mut file.properties)?;
                }
                DeValue::Table(_) => {
                    let (path, line) = (path.to_owned(), line(text, key.span().start));
                    return Err(ConfigFileError::Table { path, line, key: key.get_ref().to_string() });
                }
                _ => flatten.entry(key.get_ref().to_string(), key, value, &mut file.options)?,
            }
        }
        Ok(file)
    }
}

/// Makes entries of a table.
#[derive(Clone, Copy)]
struct Flatten<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Flatten<'_> {
    /// `sasl.username = "alice"` is a table in a table to TOML, and one property to us.
    fn table(self, prefix: &str, table: &DeTable<'_>, entries: &mut Vec<Entry>) -> Result<(), ConfigFileError> {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(deeper) => self.table(&format!("{name}."), deeper, entries)?,
                _ => self.entry(name, key, value, entries)?,
            }
        }
        Ok(())
    }

    fn entry(
        self,
        name: String,
        key: &Spanned<impl Sized>,
        value: &Spanned<DeValue<'_>>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), ConfigFileError> {
        let line = line(self.text, key.span().start);
        let wrong = |found, key| Err(ConfigFileError::Type { path: self.path.to_owned(), line, key, found });
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str().to_owned(),
            DeValue::Integer(_) => return wrong("a number in another base than ten", name),
            DeValue::Float(digits) => digits.as_str().to_owned(),
            DeValue::Boolean(on) => on.to_string(),
            DeValue::Datetime(_) => self.text.get(value.span()).unwrap_or_default().to_owned(),
            DeValue::Array(_) => return wrong("a list", name),
            DeValue::Table(_) => return wrong("a table", name),
        };
        // TOML refuses a key that it sees twice; `"sasl.username"` and `sasl.username` are two to it.
        if let Some(other) = entries.iter().find(|other| other.key == name) {
            let (line, first) = (line.max(other.line), line.min(other.line));
            return Err(ConfigFileError::Twice { path: self.path.to_owned(), line, key: name, first });
        }
        entries.push(Entry { key: name, value: text, line });
        Ok(())
    }
}

/// The line of a byte, from 1.
fn line(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, ConfigFileError> {
        ConfigFile::parse(Path::new("mdg.toml"), text)
    }

    fn shown(entries: &[Entry]) -> Vec<(&str, &str, usize)> {
        entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str(), entry.line)).collect()
    }

    #[test]
    fn values_are_taken_as_they_are_written() {
        let text = "seed = 18446744073709551615\nwin-rate = 0.123456789\nclick-rate = \"0.5\"\n\nfast = true\n\
                    epoch = 2026-01-01T00:00:00.500Z\nusers = 4_000\n";
        let file = parse(text).unwrap();
        let expected = [
            ("click-rate", "0.5", 3),
            ("epoch", "2026-01-01T00:00:00.500Z", 6),
            ("fast", "true", 5),
            ("seed", "18446744073709551615", 1),
            ("users", "4000", 7),
            ("win-rate", "0.123456789", 2),
        ];
        assert_eq!(shown(&file.options), expected);
    }

    #[test]
    fn kafkas_properties_keep_their_dots() {
        let text = "[kafka]\nsasl.username = \"alice\"\n\"linger.ms\" = 7\n[kafka.ssl]\nca.location = \"/ca.pem\"\n";
        let file = parse(text).unwrap();
        let mut properties = shown(&file.properties);
        properties.sort_unstable();
        assert_eq!(
            properties,
            [("linger.ms", "7", 3), ("sasl.username", "alice", 2), ("ssl.ca.location", "/ca.pem", 5)]
        );
        assert!(file.options.is_empty());
    }

    #[test]
    fn what_is_no_option_is_refused_with_its_line() {
        let cases = [
            ("seed = [1]", "mdg.toml, line 1: `seed` is a list"),
            ("\n[seed]\nx = 1", "mdg.toml, line 2: there is no table [seed]"),
            ("seed = 0x10", "`seed` is a number in another base"),
            ("fast = true\nseed 42", "mdg.toml, line 2: not TOML"),
            ("seed = 1\nseed = 2", "mdg.toml, line 2: not TOML"),
            ("[kafka]\nsasl.password = hunter2", "mdg.toml, line 2: not TOML"),
            ("[kafka]\n\"linger.ms\" = 1\n\nlinger.ms = 2", "mdg.toml, line 4: `linger.ms` stands in line 2 as well"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
