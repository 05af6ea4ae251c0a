//! A table: the same rows as NDJSON and as CSV, and a digest of the rows in any order.

use serde::Serialize;
use sha2::Sha256;
use sha2::digest::Digest as _;

use super::folder::{Folder, Out, WrittenFile};
use crate::files::FilesError;

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// A text that needs no escaping, such as an id.
    Text(&'a [u8]),
    Number(i64),
    /// A JSON document.
    Json(&'a str),
    Null,
}

impl<'a> Value<'a> {
    pub(super) fn number(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }

    pub(super) fn id(id: Option<&'a [u8; 36]>) -> Self {
        id.map_or(Self::Null, |id| Self::Text(id))
    }
}

/// A table under way.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    columns: &'static [&'static str],
    ndjson: Out,
    csv: Out,
    rows: u64,
    /// See [`RowsDigest`].
    sum: u128,
}

/// A row in both forms, to be added to any number of tables of the same columns.
#[derive(Debug, Default)]
pub(super) struct Row {
    columns: &'static [&'static str],
    csv: Vec<u8>,
    ndjson: Vec<u8>,
    /// The first 16 bytes of the SHA-256 of the CSV line.
    hash: u128,
}

impl Row {
    /// Writes other values over it.
    pub(super) fn set(&mut self, columns: &'static [&'static str], values: &[Value<'_>]) {
        debug_assert_eq!(columns.len(), values.len());
        self.columns = columns;
        self.csv.clear();
        self.ndjson.clear();
        for (index, (column, value)) in columns.iter().zip(values).enumerate() {
            if index > 0 {
                self.csv.push(b',');
            }
            write_csv(&mut self.csv, *value);
            self.ndjson.extend_from_slice(if index == 0 { b"{\"" } else { b",\"" });
            self.ndjson.extend_from_slice(column.as_bytes());
            self.ndjson.extend_from_slice(b"\":");
            write_json(&mut self.ndjson, *value);
        }
        let hash: [u8; 32] = Sha256::digest(&self.csv).into();
        self.hash = hash.first_chunk().map_or(0, |first| u128::from_be_bytes(*first));
        self.csv.push(b'\n');
        self.ndjson.extend_from_slice(b"}\n");
    }
}

impl Table {
    pub(super) fn create(
        folder: &mut Folder,
        name: String,
        columns: &'static [&'static str],
    ) -> Result<Self, FilesError> {
        let ndjson = folder.create_file(format!("{name}.ndjson"))?;
        let mut csv = folder.create_file(format!("{name}.csv"))?;
        csv.write(format!("{}\n", columns.join(",")).as_bytes())?;
        Ok(Self { name, columns, ndjson, csv, rows: 0, sum: 0 })
    }

    /// Adds a row, so many times.
    pub(super) fn add(&mut self, row: &Row, times: usize) -> Result<(), FilesError> {
        debug_assert_eq!(row.columns, self.columns, "{}", self.name);
        for _ in 0..times {
            self.sum = self.sum.wrapping_add(row.hash);
            self.csv.write(&row.csv)?;
            self.ndjson.write(&row.ndjson)?;
        }
        self.rows += times as u64;
        Ok(())
    }

    /// Hands on what is left of it. Its files are whole when the folder is closed.
    pub(super) fn close(self) -> Result<Ended, FilesError> {
        let Self { name, columns, ndjson, csv, rows, sum } = self;
        let files = [ndjson.close()?, csv.close()?];
        Ok(Ended { name, columns, rows: RowsDigest { count: rows, sum: format!("{sum:032x}") }, files })
    }
}

/// A table that gets no more rows.
#[derive(Debug)]
pub(super) struct Ended {
    name: String,
    columns: &'static [&'static str],
    rows: RowsDigest,
    files: [usize; 2],
}

impl Ended {
    /// With what its files became.
    pub(super) fn with(self, written: &[WrittenFile]) -> Closed {
        let Self { name, columns, rows, files } = self;
        Closed { name, columns, rows, files: files.iter().filter_map(|&file| written.get(file).cloned()).collect() }
    }
}

fn write_csv(line: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Text(text) => line.extend_from_slice(text),
        Value::Number(number) => line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        // RFC 4180: in quotes, and quotes doubled.
        Value::Json(text) => line.extend_from_slice(format!("\"{}\"", text.replace('"', "\"\"")).as_bytes()),
        Value::Null => {}
    }
}

fn write_json(line: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Text(text) => {
            line.push(b'"');
            line.extend_from_slice(text);
            line.push(b'"');
        }
        Value::Number(number) => line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::Json(text) => line.extend_from_slice(text.as_bytes()),
        Value::Null => line.extend_from_slice(b"null"),
    }
}

/// How many rows a table has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableCount {
    /// Its name: that of its files without their ending.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// A table that is written.
#[derive(Debug, Serialize)]
pub(super) struct Closed {
    name: String,
    columns: &'static [&'static str],
    rows: RowsDigest,
    files: Vec<WrittenFile>,
}

impl Closed {
    pub(super) fn count(&self) -> TableCount {
        TableCount { name: self.name.clone(), rows: self.rows.count }
    }
}

/// Of the rows in any order: the sum, modulo 2^128, of the first 16 bytes of the SHA-256 of each row's line in the CSV file, read as a
/// big-endian number.
#[derive(Debug, Serialize)]
struct RowsDigest {
    count: u64,
    sum: String,
}
