//! What an answer key holds, for people.

use std::path::Path;

use crate::answer_key::TableCount;
use crate::log::count::grouped;

/// The tables for people.
pub(crate) fn shown(tables: &[TableCount], folder: &Path) -> String {
    let width = tables.iter().map(|table| table.name.len()).max().unwrap_or(0);
    let row = |table: &TableCount| format!("{:width$}  {:>11}\n", table.name, grouped(table.rows));
    let rows: String = tables.iter().map(row).collect();
    format!("{:width$}  {:>11}\n{rows}\nanswer key   {}\n", "table", "rows", folder.display())
}
