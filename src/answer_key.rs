//! The answer key: what every join and window over a bounded window of the stream must give, from the plan alone.
//!
//! ```text
//! Stream ──> Walk: auctions with their records, in ordinal order ──> Joins, Funnel, Windows, Ledger ──> Table: NDJSON, CSV, digests
//! ```
//!
//! Nothing is read back, so a defect of what wrote the records shows. Memory is bounded by rate × largest lag, whatever the window's
//! length. What each file holds stands in `docs/answer-key.md`.

mod folder;
mod joins;
mod ledger;
mod manifest;
mod settings;
mod table;
mod walk;
mod windows;

use std::fs;
use std::path::Path;

use self::folder::{Folder, is_unfinished};
use self::joins::Joins;
use self::ledger::Ledger;
use self::manifest::{Written, is_of};
pub use self::settings::{EDGES, Edge, Settings};
pub use self::table::TableCount;
use self::table::{Closed, Ended, Table};
use self::walk::{Logs, Walk};
use self::windows::Windows;
use crate::files::FilesError;
use crate::files::require_empty;
use crate::generator::stream::{Stream, Window};
use crate::log::shutdown::Shutdown;

/// Writes the answer key of a bounded window into a folder that is new or empty, or has an unfinished one, and says how many rows each table has. `manifest.json`
/// comes last: a folder without one is not whole. It names end offsets if `are_offsets` says that a run has written the window into
/// topics that hold nothing else, so that a record's index is its offset. `progress` is called with the ordinal of each auction that is
/// through. A window without end ends with the stream.
///
/// # Errors
/// If the folder is not empty or cannot be written, or a signal asks to stop.
pub fn write(
    stream: &Stream,
    window: Window,
    settings: Settings,
    folder: &Path,
    are_offsets: bool,
    stop: &Shutdown,
    mut progress: impl FnMut(u64),
) -> Result<Vec<TableCount>, FilesError> {
    let mut folder = Folder::create(folder)?;
    let path = folder.path().to_owned();
    let made = make(&mut folder, stream, window, settings, stop, &mut progress);
    // Where a file cannot be written, its writer knows why.
    let files = folder.close()?;
    let (tables, logs) = made?;
    let tables: Vec<Closed> = tables.into_iter().map(|table| table.with(&files)).collect();
    let written = Written { stream, window, settings, logs, are_offsets, tables: &tables };
    written.write_manifest(&path)?;
    Ok(tables.iter().map(Closed::count).collect())
}

/// Whether a folder holds the whole key of a window; without a window, of any window of the stream. Unless `counts`, its topics may
/// have any number of partitions: before the brokers are asked nobody knows how many there are.
#[must_use]
pub fn is_written(folder: &Path, stream: &Stream, window: Option<Window>, settings: Settings, counts: bool) -> bool {
    let text = fs::read(folder.join("manifest.json")).unwrap_or_default();
    serde_json::from_slice(&text).is_ok_and(|manifest| is_of(&manifest, stream, window, settings, counts))
}

/// Refuses a folder that is in use; one with an unfinished key is not.
///
/// # Errors
/// If it is in use, or cannot be read.
pub fn require_room(folder: &Path) -> Result<(), FilesError> {
    if is_unfinished(folder) { Ok(()) } else { require_empty(folder) }
}

/// The same where a key that is there already may be replaced, if nothing else is there.
///
/// # Errors
/// If it is in use otherwise, or cannot be read.
pub fn require_replaceable(folder: &Path) -> Result<(), FilesError> {
    if folder::is_replaceable(folder) { Ok(()) } else { require_empty(folder) }
}

/// Removes a key, whole or not, from a folder that holds nothing else; leaves any other folder as it is.
///
/// # Errors
/// If a file cannot be removed.
pub fn remove(folder: &Path) -> Result<(), FilesError> {
    folder::remove(folder)
}

/// Makes all rows.
fn make(
    folder: &mut Folder,
    stream: &Stream,
    window: Window,
    settings: Settings,
    stop: &Shutdown,
    progress: &mut impl FnMut(u64),
) -> Result<(Vec<Ended>, Logs), FilesError> {
    let mut joins = Joins::create(folder, stream, settings)?;
    let mut windows = Windows::create(folder, stream, settings)?;
    let mut ledger = Ledger::create(folder, stream)?;
    let mut walk = Walk::new(stream, window);
    while let Some(auction) = walk.next(|record| windows.saw(record)) {
        if stop.is_requested() {
            return Err(FilesError::Stopped);
        }
        joins.add(&auction)?;
        windows.add(&auction)?;
        ledger.add(&auction)?;
        progress(auction.plan.ordinal);
    }
    let mut tables = joins.into_tables();
    tables.extend(windows.into_tables()?);
    tables.push(ledger.into_table());
    Ok((tables.into_iter().map(Table::close).collect::<Result<_, _>>()?, walk.into_logs()))
}
