//! Classifying what one log holds against its expected records: missing, extra, duplicated, reordered, altered or foreign.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Context, Placement};
use super::finding::{Class, Counts, Difference, Shown};
use super::missing::Missing;
use super::read_ahead::{Held, ReadAhead};
use crate::generator::record::Record;
use crate::generator::stream::Position;
use crate::log::compare::{divergence, is_same, resembles};
use crate::log::record::Parts;
use crate::source::{LogPlace, SourceError};

/// How many records further on it is looked to tell a record that came too early from those before it that are missing.
pub(super) const LOOK: usize = 8;
/// Records that came too early and are remembered until their turn, a log.
const EARLY_MAX: usize = 4_096;

/// A log: what was read ahead of it, and what was found so far.
#[derive(Debug)]
pub(super) struct Log {
    number: usize,
    pub(super) place: LogPlace,
    pub(super) read: ReadAhead,
    missing: Missing,
    /// Positions that are not there and need not be, as far as is known, each with the offset before.
    unsure: BTreeMap<Position, Option<i64>>,
    /// Positions whose records were found before their turn.
    early: BTreeSet<Position>,
    /// Positions whose records were said to be reordered for that.
    reordered: BTreeSet<Position>,
    counts: Counts,
    pub(super) first: Option<Difference>,
    /// Records of the end that are not there.
    pub(super) missing_at_end: u64,
    /// First parts in which altered records differ.
    pub(super) altered_in: BTreeSet<&'static str>,
}

impl Log {
    pub(super) fn new(number: usize, place: LogPlace) -> Self {
        Self {
            number,
            place,
            read: ReadAhead::new(number, place.stage),
            missing: Missing::default(),
            unsure: BTreeMap::new(),
            early: BTreeSet::new(),
            reordered: BTreeSet::new(),
            counts: Counts::default(),
            first: None,
            missing_at_end: 0,
            altered_in: BTreeSet::new(),
        }
    }

    /// Its records by what they were found to be.
    pub(super) fn counts(&self) -> Counts {
        Counts { records: self.read.records(), ..self.counts }
    }

    /// Whether nothing is left to be read.
    pub(super) fn has_ended(&mut self, with: &mut Context<'_>) -> Result<bool, SourceError> {
        Ok(!self.read.hold_for(with, 1)?)
    }

    /// Takes the next record of the log as the expected one, or says what stands there instead. False if the log has ended.
    pub(super) fn expect(&mut self, with: &mut Context<'_>, expected: &Record) -> Result<bool, SourceError> {
        let position = Position::from(expected);
        let was_early = self.early.remove(&position);
        if was_early {
            self.missing.end_run();
        }
        if was_early || !with.span.begins[self.number].is_before(position) {
            return Ok(true);
        }
        while self.read.hold_for(with, 1)? {
            if is_same(&self.read[0].record, expected) {
                self.counts.matched += 1;
                self.missing.end_run();
                with.find(position);
                self.read.pass();
                return Ok(true);
            }
            if self.settle(with, expected, position)? {
                return Ok(true);
            }
        }
        self.record_missing(with, expected, position);
        Ok(false)
    }

    /// What the next record is, if not the expected one. True if the expected one is dealt with.
    fn settle(&mut self, with: &mut Context<'_>, expected: &Record, position: Position) -> Result<bool, SourceError> {
        let standing = self.standing(with, 0, Some(position));
        if let Placement::Here(found) = standing {
            with.find(found);
        }
        match standing {
            Placement::Here(found) if found == position => {
                self.altered(with, expected);
                Ok(true)
            }
            Placement::Here(found) if found > position => self.settle_one_to_come(with, expected, position, found),
            Placement::Here(found) => {
                self.on_late(with, found, Some(expected));
                Ok(false)
            }
            Placement::Elsewhere(found) => {
                self.note(with, Class::Extra, Some(expected), Some(found));
                Ok(false)
            }
            Placement::Unknown => {
                let topic = &with.stream.layout().topic(self.place.stage).name;
                if resembles(&self.read[0].record, expected, topic) && self.following(with, position)? != Some(position)
                {
                    self.altered(with, expected);
                    return Ok(true);
                }
                self.note(with, Class::Foreign, Some(expected), None);
                Ok(false)
            }
        }
    }

    /// The same where the next record belongs behind the expected one: it came early, or the expected one is missing.
    fn settle_one_to_come(
        &mut self,
        with: &mut Context<'_>,
        expected: &Record,
        position: Position,
        found: Position,
    ) -> Result<bool, SourceError> {
        let following = self.following(with, position)?;
        let is_early = following.is_some_and(|next| next < found);
        if is_early && self.early.contains(&found) {
            // Another one came early before, and was counted as the expected one.
            self.note(with, Class::Duplicated, Some(expected), Some(found));
            return Ok(false);
        }
        if is_early && self.early.len() < EARLY_MAX {
            self.early.insert(found);
            self.on_early(with, found, expected);
            return Ok(false);
        }
        if following.is_none()
            && self.read.len() > LOOK
            && let Some(passed) = self.passed(with, position)
        {
            self.on_late(with, passed, Some(expected));
            return Ok(false);
        }
        self.record_missing(with, expected, position);
        Ok(true)
    }

    /// Names what is left when all that was expected is through.
    pub(super) fn finish(&mut self, with: &mut Context<'_>) -> Result<(), SourceError> {
        while self.read.hold_for(with, 1)? {
            match self.standing(with, 0, None) {
                Placement::Here(found) => {
                    with.find(found);
                    self.on_late(with, found, None);
                }
                Placement::Elsewhere(found) => self.note(with, Class::Extra, None, Some(found)),
                Placement::Unknown => self.note(with, Class::Foreign, None, None),
            }
        }
        Ok(())
    }

    /// Where one of the held records belongs. Where it can be several of the stream's, it is taken for the one that is expected, then for
    /// one that is missing, then for the next to come.
    fn standing(&mut self, with: &Context<'_>, at: usize, next: Option<Position>) -> Placement {
        let (number, stage) = (self.number, self.place.stage);
        let Held { record, known } = &mut self.read[at];
        let known = known.get_or_insert_with(|| with.identifier.positions(stage, record));
        let here = || known.iter().copied().filter(|&position| with.is_here(number, stage, position));
        let to_come = here().filter(|p| next.is_some_and(|next| *p >= next) && !self.early.contains(p)).min();
        let missing = || here().find(|p| self.missing.holds(*p) || self.unsure.contains_key(p));
        let found = to_come.filter(|_| to_come == next).or_else(missing).or(to_come).or_else(|| here().max());
        match (found, known.first()) {
            (Some(position), _) => Placement::Here(position),
            (None, Some(&position)) => Placement::Elsewhere(position),
            (None, None) => Placement::Unknown,
        }
    }

    /// Where the next record stands if it is one that was passed already, equal to one to come.
    fn passed(&self, with: &Context<'_>, next: Position) -> Option<Position> {
        let known = self.read[0].known.iter().flatten().copied();
        known.filter(|&p| p < next && with.is_here(self.number, self.place.stage, p)).max()
    }

    /// Of a held record that can be several of the stream's, the next behind a position.
    fn equal_behind(&self, with: &Context<'_>, at: usize, position: Position) -> Option<Position> {
        let known = self.read[at].known.iter().flatten().copied();
        known.filter(|&p| p > position && with.is_here(self.number, self.place.stage, p)).min()
    }

    /// The next position that decides: of the first record behind the next one that belongs here, and was not passed yet. One that can be
    /// before the next one as well as behind it decides only where no other does.
    fn following(&mut self, with: &mut Context<'_>, from: Position) -> Result<Option<Position>, SourceError> {
        let first = self.standing(with, 0, Some(from));
        let mut undecided = None;
        for at in 1..=LOOK {
            if !self.read.hold_for(with, at + 1)? {
                break;
            }
            let standing = self.standing(with, at, Some(from));
            let Placement::Here(position) = standing else { continue };
            if let (true, Some(_), Placement::Here(last)) = (standing == first, undecided, first)
                && self.equal_behind(with, 0, last).is_none()
            {
                // No other of its equals is to come: the next one is one too many.
                return Ok(Some(from));
            }
            if position < from || standing == first || self.early.contains(&position) {
                continue;
            }
            let behind = match first {
                Placement::Here(first) if position < first => self.equal_behind(with, at, first),
                _ => None,
            };
            let Some(behind) = behind else { return Ok(Some(position)) };
            undecided.get_or_insert(if at == 1 && position == from { position } else { behind });
        }
        Ok(undecided)
    }

    /// Counts the expected record as missing, where it has to be there.
    fn record_missing(&mut self, with: &Context<'_>, expected: &Record, position: Position) {
        let is_end = self.read.is_empty();
        if is_end && with.prefix {
            return;
        }
        if !with.span.is_sure(position) {
            self.unsure.insert(position, self.read.last_offset());
            return;
        }
        self.missing.add(position);
        self.counts.missing += 1;
        self.missing_at_end += u64::from(is_end);
        if self.first.is_none() {
            let found = self.read.first();
            self.first = Some(Difference {
                class: Class::Missing,
                offset: found.map(|found| found.offset),
                behind: self.read.last_offset(),
                expected: Some(Shown::expected(expected)),
                found: found.map(Shown::found),
                divergence: None,
                belongs: None,
                position: Some(position),
            });
        }
    }

    /// Counts what turned out to be missing once all logs were read.
    pub(super) fn conclude(&mut self, with: &mut Context<'_>) {
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
                    divergence: None,
                    belongs: None,
                    position: Some(position),
                });
            }
        }
    }

    fn altered(&mut self, with: &Context<'_>, expected: &Record) {
        self.missing.end_run();
        self.note(with, Class::Altered, Some(expected), None);
    }

    /// A record whose turn is over.
    fn on_late(&mut self, with: &mut Context<'_>, found: Position, expected: Option<&Record>) {
        if self.unsure.remove(&found).is_some() {
            self.misplaced(with, found, expected);
            return;
        }
        if !self.missing.take(found) {
            match self.came_early(with) {
                Some(early) => self.reclassify_duplicate(early),
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
    fn on_early(&mut self, with: &mut Context<'_>, found: Position, expected: &Record) {
        if self.misplaced(with, found, Some(expected)) == Class::Reordered {
            self.reordered.insert(found);
            if self.reordered.len() > EARLY_MAX {
                self.reordered.pop_first();
            }
        }
    }

    /// The position that the next record has too, if another record was said to stand there too early.
    fn came_early(&self, with: &mut Context<'_>) -> Option<Position> {
        let Held { record, known } = &self.read[0];
        let is_it = |&position: &Position| {
            self.reordered.contains(&position) && {
                with.stream.fill(position, &mut with.other);
                is_same(record, &with.other)
            }
        };
        known.iter().flatten().copied().find(is_it)
    }

    /// A record came too early, and here it has its turn: that one was one more.
    fn reclassify_duplicate(&mut self, position: Position) {
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
        self.read.pass();
    }

    /// A record out of place, which may be altered as well.
    fn misplaced(&mut self, with: &mut Context<'_>, found: Position, expected: Option<&Record>) -> Class {
        let mut other = std::mem::take(&mut with.other);
        with.stream.fill(found, &mut other);
        let class = if is_same(&self.read[0].record, &other) { Class::Reordered } else { Class::Altered };
        match class {
            Class::Altered => self.note(with, class, Some(&other), None),
            _ => self.note(with, class, expected, Some(found)),
        }
        with.other = other;
        class
    }

    /// Counts the next record as something else than the expected one, and passes it.
    fn note(&mut self, with: &Context<'_>, class: Class, expected: Option<&Record>, belongs: Option<Position>) {
        let topic = &with.stream.layout().topic(self.place.stage).name;
        let found = &self.read[0].record;
        let divergence = expected.and_then(|expected| divergence(found, expected, topic));
        self.counts.add(class);
        if let (Class::Altered, Some(divergence)) = (class, &divergence) {
            self.altered_in.insert(divergence.part);
        }
        if self.first.is_none() {
            self.first = Some(Difference {
                class,
                offset: Some(found.offset),
                behind: self.read.last_offset(),
                expected: expected.map(|expected| match found.parts {
                    Parts::Line => Shown::line(expected, topic),
                    Parts::All | Parts::Value => Shown::expected(expected),
                }),
                found: Some(Shown::found(found)),
                divergence,
                belongs: belongs.map(|position| (position, with.stream.partition(position))),
                position: expected.map(Position::from),
            });
        }
        self.read.pass();
    }
}
