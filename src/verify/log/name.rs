//! What a record that is not the expected one is called, and the first difference of a log.

use super::super::compare::{is_same, parting};
use super::super::comparison::{Comparison, Held};
use super::super::finding::{Class, Difference, Shown};
use super::{EARLY_MAX, Log};
use crate::generator::record::Record;
use crate::generator::stream::Position;
use crate::source::Parts;

impl Log {
    pub(super) fn absent(&mut self, with: &Comparison<'_>, expected: &Record, position: Position) {
        let is_end = self.held.is_empty();
        if is_end && with.prefix {
            return;
        }
        if !with.span.is_sure(position) {
            self.unsure.insert(position, self.last_offset);
            return;
        }
        self.missing.add(position);
        self.counts.missing += 1;
        self.missing_at_end += u64::from(is_end);
        if self.first.is_none() {
            let found = self.held.front().map(|held| &held.record);
            self.first = Some(Difference {
                class: Class::Missing,
                offset: found.map(|found| found.offset),
                behind: self.last_offset,
                expected: Some(Shown::expected(expected)),
                found: found.map(Shown::found),
                parting: None,
                belongs: None,
                position: Some(position),
            });
        }
    }

    /// Counts what turned out to be missing once all logs were read.
    pub(in super::super) fn conclude(&mut self, with: &mut Comparison<'_>) {
        for (position, behind) in std::mem::take(&mut self.unsure) {
            if !with.span.is_sure(position) {
                continue;
            }
            self.counts.missing += 1;
            if self.first.is_none() {
                with.stream.fill(position, &mut with.other);
                self.first = Some(Difference {
                    class: Class::Missing,
                    offset: behind.map(|behind| behind + 1),
                    behind,
                    expected: Some(Shown::expected(&with.other)),
                    found: None,
                    parting: None,
                    belongs: None,
                    position: Some(position),
                });
            }
        }
    }

    pub(super) fn altered(&mut self, with: &Comparison<'_>, expected: &Record) {
        self.missing.end_run();
        self.note(with, Class::Altered, Some(expected), None);
    }

    /// A record whose turn is over.
    pub(super) fn late(&mut self, with: &mut Comparison<'_>, found: Position, expected: Option<&Record>) {
        if self.unsure.remove(&found).is_some() {
            self.misplaced(with, found, expected);
            return;
        }
        if !self.missing.take(found) {
            match self.came_early(with) {
                Some(early) => self.one_more(early),
                None => self.note(with, Class::Duplicated, expected, Some(found)),
            }
            return;
        }
        self.counts.missing -= 1;
        let class = self.misplaced(with, found, expected);
        if let Some(first) = &mut self.first
            && first.class == Class::Missing
            && first.position == Some(found)
        {
            first.class = class;
        }
    }

    /// A record before its turn.
    pub(super) fn early_one(&mut self, with: &mut Comparison<'_>, found: Position, expected: &Record) {
        if self.misplaced(with, found, Some(expected)) == Class::Reordered {
            self.reordered.insert(found);
            if self.reordered.len() > EARLY_MAX {
                self.reordered.pop_first();
            }
        }
    }

    /// The position that the next record has too, if another record was said to stand there too early.
    fn came_early(&self, with: &mut Comparison<'_>) -> Option<Position> {
        let Held { record, known } = &self.held[0];
        let is_it = |&position: &Position| {
            self.reordered.contains(&position) && {
                with.stream.fill(position, &mut with.other);
                is_same(record, &with.other)
            }
        };
        known.iter().flatten().copied().find(is_it)
    }

    /// A record came too early, and here it has its turn: that one was one more.
    fn one_more(&mut self, position: Position) {
        self.reordered.remove(&position);
        self.counts.reordered -= 1;
        self.counts.duplicated += 1;
        self.counts.matched += 1;
        if let Some(first) = &mut self.first
            && first.class == Class::Reordered
            && first.belongs.is_some_and(|(belongs, _)| belongs == position)
        {
            first.class = Class::Duplicated;
        }
        self.pass();
    }

    /// A record out of place, which may be altered as well.
    pub(super) fn misplaced(&mut self, with: &mut Comparison<'_>, found: Position, expected: Option<&Record>) -> Class {
        let mut other = std::mem::take(&mut with.other);
        with.stream.fill(found, &mut other);
        let class = if is_same(&self.held[0].record, &other) { Class::Reordered } else { Class::Altered };
        match class {
            Class::Altered => self.note(with, class, Some(&other), None),
            _ => self.note(with, class, expected, Some(found)),
        }
        with.other = other;
        class
    }

    /// Counts the next record as something else than the expected one, and passes it.
    pub(super) fn note(
        &mut self,
        with: &Comparison<'_>,
        class: Class,
        expected: Option<&Record>,
        belongs: Option<Position>,
    ) {
        let topic = &with.stream.layout().topic(self.place.stage).name;
        let found = &self.held[0].record;
        let parting = expected.and_then(|expected| parting(found, expected, topic));
        self.counts.add(class);
        if let (Class::Altered, Some(parting)) = (class, &parting) {
            self.altered_in.insert(parting.part);
        }
        if self.first.is_none() {
            self.first = Some(Difference {
                class,
                offset: Some(found.offset),
                behind: self.last_offset,
                expected: expected.map(|expected| match found.parts {
                    Parts::Line => Shown::line(expected, topic),
                    Parts::All | Parts::Value => Shown::expected(expected),
                }),
                found: Some(Shown::found(found)),
                parting,
                belongs: belongs.map(|position| (position, with.stream.partition(position))),
                position: expected.map(Position::from),
            });
        }
        self.pass();
    }
}
