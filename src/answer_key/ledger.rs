//! The ledger: a row for each record that a planned fault touched, and for each one that it kept from being emitted.

use super::folder::Folder;
use super::settings::EDGES;
use super::table::{Row, Table, Value};
use super::walk::{Emitted, Seen};
use crate::files::FilesError;
use crate::generator::auction::CopyKind;
use crate::generator::record::key_name;
use crate::generator::spec::{KeyBy, Stage};
use crate::generator::stream::{Position, Stream};

const COLUMNS: &[&str] =
    &["topic", "partition", "index", "ordinal", "stage", "copy", "id", "event_ms", "label", "parameters"];

#[derive(Debug)]
pub(super) struct Ledger<'a> {
    stream: &'a Stream,
    table: Table,
    row: Row,
}

impl<'a> Ledger<'a> {
    pub(super) fn create(folder: &mut Folder, stream: &'a Stream) -> Result<Self, FilesError> {
        Ok(Self { stream, table: Table::create(folder, "ledger".to_owned(), COLUMNS)?, row: Row::default() })
    }

    pub(super) fn add(&mut self, auction: &Emitted) -> Result<(), FilesError> {
        if self.stream.auctions().is_plain() {
            return Ok(());
        }
        for stage in Stage::ALL {
            let Some(event_ms) = auction.plan.event_ms(stage) else { continue };
            if auction.fate.of(stage).is_dropped {
                self.add_row(auction, (stage, CopyKind::Event), event_ms, None, "dropped", "{}")?;
            }
            let mut records: Vec<&Seen> = auction.records.iter().filter(|record| record.stage == stage).collect();
            records.sort_unstable_by_key(|record| record.form);
            for record in records {
                for (label, parameters) in self.labels(auction, record) {
                    let place = Some((record.partition, record.index));
                    self.add_row(auction, (stage, record.form), event_ms, place, label, &parameters)?;
                }
            }
        }
        Ok(())
    }

    /// What was done to a record.
    fn labels(&self, auction: &Emitted, record: &Seen) -> Vec<(&'static str, String)> {
        let (stage, plan) = (record.stage, &auction.plan);
        let fate = auction.fate.of(stage);
        let mut labels = Vec::new();
        let after = |ms: Option<i64>| format!(r#"{{"after_ms":{}}}"#, ms.unwrap_or(0));
        match record.form {
            CopyKind::Event if fate.late_ms > 0 => labels.push(("late", format!(r#"{{"by_ms":{}}}"#, fate.late_ms))),
            CopyKind::Event => {}
            CopyKind::Duplicate => labels.push(("duplicate", after(fate.duplicate_ms))),
            CopyKind::Conflict => labels.push(("conflict", after(fate.conflict_ms))),
            CopyKind::Malformed => labels.push(("malformed", "{}".to_owned())),
            CopyKind::Invalid => labels.push(("invalid", "{}".to_owned())),
            CopyKind::Tombstone => labels.push(("tombstone", "{}".to_owned())),
        }
        let edge = stage.index().checked_sub(1).map(|edge| (edge, EDGES[edge]));
        if let Some((at, edge)) = edge.filter(|_| record.form.is_event()) {
            if auction.fate.of(edge.parent).is_dropped {
                labels.push(("orphan", format!(r#"{{"parent":"{}"}}"#, edge.parent)));
            }
            if let Some(side_ms) = plan.edges[at] {
                let bound_ms = self.stream.auctions().spec().faults.boundary.bounds()[at].ms();
                let parameters = format!(r#"{{"edge":"{}","bound_ms":{bound_ms},"side_ms":{side_ms}}}"#, edge.name);
                labels.push(("boundary", parameters));
            }
        }
        let due_ms = fate.due_ms(record.form, record.event_ms).unwrap_or(record.emit_ms);
        if record.emit_ms > due_ms {
            labels.push(("held", format!(r#"{{"by_ms":{}}}"#, record.emit_ms - due_ms)));
        }
        if plan.is_hot && stage == Stage::Request && record.form == CopyKind::Event {
            labels.push(("hot_user", format!(r#"{{"user":{}}}"#, plan.user)));
        }
        labels
    }

    /// `place` is the partition and the index in it; none for a record that was never emitted.
    fn add_row(
        &mut self,
        auction: &Emitted,
        (stage, form): (Stage, CopyKind),
        event_ms: i64,
        place: Option<(u32, u64)>,
        label: &str,
        parameters: &str,
    ) -> Result<(), FilesError> {
        let ordinal = auction.plan.ordinal;
        let partition = place.map_or_else(
            || self.stream.partition(Position { emit_ms: event_ms, ordinal, stage, copy: form.copy() }),
            |(partition, _)| partition,
        );
        let (kind, number) = key_name(KeyBy::Id, stage, form, ordinal, || auction.plan.user);
        let mut id = [0; 36];
        self.stream.auctions().ids().id(kind, number).hyphenated().encode_lower(&mut id);
        let values = [
            Value::Text(self.stream.layout().topic(stage).name.as_str().as_bytes()),
            Value::Number(i64::from(partition)),
            Value::number(place.map(|(_, index)| index.cast_signed())),
            Value::Number(ordinal.cast_signed()),
            Value::Text(stage.name().as_bytes()),
            Value::Number(i64::from(form.copy())),
            Value::Text(&id),
            Value::Number(event_ms),
            Value::Text(label.as_bytes()),
            Value::Json(parameters),
        ];
        self.row.set(COLUMNS, &values);
        self.table.add(&self.row, 1)
    }

    pub(super) fn into_table(self) -> Table {
        self.table
    }
}
