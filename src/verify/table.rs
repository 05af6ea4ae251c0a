//! The verdict for people.

use std::fmt::{self, Display, Formatter};

use super::Counts;
use super::finding::{Class, Difference, Shown};
use super::verdict::{LogVerdict, NotCompared, Outcome, Verdict};
use crate::log::count::{counted, grouped};

/// So many logs with differences are shown; the others are counted.
const LOGS_MAX: usize = 8;
/// So many partitions that begin above offset 0 are shown; the others are counted.
const CUT_MAX: usize = 100;
/// Bytes of a value before and behind the one where two records part.
const AROUND: (usize, usize) = (24, 40);

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let heading = self.heading.to_string();
        if self.outcome == Outcome::NothingCompared && self.start == "nothing" {
            writeln!(f, "{}", heading.lines().next().unwrap_or_default())?;
        } else {
            f.write_str(&heading)?;
        }
        write_bounds(self, f)?;
        writeln!(f)?;
        write_table(self, f)?;
        write_not_compared(self, f)?;
        let different: Vec<&LogVerdict> = self.logs.iter().filter(|log| log.first_difference.is_some()).collect();
        for log in different.iter().take(LOGS_MAX) {
            write_log(f, log)?;
        }
        if different.len() > LOGS_MAX {
            writeln!(f, "\n{} more logs differ; the report as JSON has them all", different.len() - LOGS_MAX)?;
        }
        writeln!(f)?;
        for hint in &self.hint_texts {
            writeln!(f, "{hint}")?;
        }
        if let Some(fingerprint) = &self.fingerprint {
            writeln!(f, "fingerprint  {fingerprint}")?;
        }
        match (self.outcome, self.counts.differences()) {
            (Outcome::Verified, _) => {
                let records = counted(self.counts.matched, "record");
                writeln!(f, "verified     {records}, all as they should be{}", removed(self))
            }
            (Outcome::NothingCompared, _) if self.not_compared.is_none() => {
                writeln!(f, "UNVERIFIED   nothing was compared: there are no records yet")
            }
            (Outcome::NothingCompared, _) => writeln!(f, "UNVERIFIED   nothing was compared{}", removed(self)),
            (Outcome::Different, differences) => {
                writeln!(f, "DIFFERENT    {}{}", counted(differences, "difference"), removed(self))
            }
        }
    }
}

/// What the verdict does not speak of.
fn removed(verdict: &Verdict) -> String {
    let Some(NotCompared { partitions, offsets }) = verdict.not_compared else { return String::new() };
    let were = if offsets == 1 { "was" } else { "were" };
    let of = counted(partitions as u64, "partition");
    format!("; {} of {of} {were} removed before and not compared", counted(offsets, "offset"))
}

fn write_not_compared(verdict: &Verdict, f: &mut Formatter<'_>) -> fmt::Result {
    let cut: Vec<(&LogVerdict, i64)> =
        verdict.logs.iter().filter_map(|log| Some((log, log.log_start_offset?))).collect();
    if !cut.is_empty() {
        writeln!(f)?;
    }
    for (log, log_start_offset) in cut.iter().take(CUT_MAX) {
        let partition = log.partition.map_or(String::new(), |partition| format!("/{partition}"));
        let place = format!("{}{partition}", log.topic);
        let offsets = counted(log_start_offset.unsigned_abs(), "offset");
        if log.is_empty {
            writeln!(f, "not compared {place}: {offsets}; nothing is left of it")?;
        } else {
            writeln!(f, "not compared {place}: {offsets}; it begins at offset {log_start_offset}")?;
        }
    }
    match cut.len().saturating_sub(CUT_MAX) {
        0 => Ok(()),
        more => writeln!(f, "not compared {more} more partitions; the report as JSON has them all"),
    }
}

fn write_bounds(verdict: &Verdict, f: &mut Formatter<'_>) -> fmt::Result {
    let start = match verdict.start {
        "asked" => "as asked for",
        "cut" => "from the logs, whose beginning was removed",
        "nothing" if verdict.outcome == Outcome::NothingCompared => "unknown: nothing is left",
        "nothing" => "unknown: nothing here is of this stream",
        _ => "from the logs",
    };
    writeln!(f, "start        {start}")?;
    match (verdict.end, &verdict.last) {
        ("asked", _) => writeln!(f, "end          as asked for"),
        ("stopped", Some(last)) => {
            let ordinal = grouped(last.ordinal);
            let stage = last.stage;
            writeln!(
                f,
                "end          from the logs: the run stopped behind the {stage} of auction {ordinal}, {}",
                last.time
            )
        }
        ("log", _) => writeln!(f, "end          from the logs: a complete window"),
        _ => writeln!(f, "end          unknown"),
    }
}

fn write_table(verdict: &Verdict, f: &mut Formatter<'_>) -> fmt::Result {
    let width = verdict.logs.iter().map(|log| log.topic.as_str().len()).max().unwrap_or(0).max("topic".len());
    write!(f, "{:width$}  {:>10}  {:>11}", "topic", "partitions", "records")?;
    let shown: Vec<usize> = (0..7).filter(|&at| at == 0 || columns(&verdict.counts)[at].1 > 0).collect();
    for (name, _) in shown.iter().map(|&at| columns(&verdict.counts)[at]) {
        write!(f, "  {name:>10}")?;
    }
    writeln!(f)?;
    let mut rest = verdict.logs.as_slice();
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|log| log.topic == first.topic).count();
        let (topic, others) = rest.split_at(count);
        rest = others;
        let mut counts = Counts::default();
        for log in topic {
            counts.join(&log.counts);
        }
        let partitions = if first.partition.is_some() { count.to_string() } else { "in a file".to_owned() };
        write!(f, "{:width$}  {partitions:>10}", first.topic.as_str())?;
        write_counts(f, &counts, &shown)?;
    }
    write!(f, "{:width$}  {:>10}", "", "")?;
    write_counts(f, &verdict.counts, &shown)
}

fn columns(counts: &Counts) -> [(&'static str, u64); 7] {
    [
        ("matched", counts.matched),
        ("missing", counts.missing),
        ("extra", counts.extra),
        ("duplicated", counts.duplicated),
        ("reordered", counts.reordered),
        ("altered", counts.altered),
        ("foreign", counts.foreign),
    ]
}

fn write_counts(f: &mut Formatter<'_>, counts: &Counts, shown: &[usize]) -> fmt::Result {
    write!(f, "  {:>11}", grouped(counts.records))?;
    for (_, count) in shown.iter().map(|&at| columns(counts)[at]) {
        write!(f, "  {:>10}", grouped(count))?;
    }
    writeln!(f)
}

/// One log that differs: its counts and the first difference.
fn write_log(f: &mut Formatter<'_>, log: &LogVerdict) -> fmt::Result {
    let Some(first) = &log.first_difference else { return Ok(()) };
    let (topic, unit) = (&log.topic, if log.partition.is_some() { "offset" } else { "line" });
    let partition = log.partition.map_or(String::new(), |partition| format!("/{partition}"));
    let counts: Vec<String> = columns(&log.counts)[1..]
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{} {name}", grouped(*count)))
        .collect();
    writeln!(f, "\n{topic}{partition}: {}", counts.join(", "))?;
    let place = match (first.offset, first.behind) {
        (Some(offset), _) => format!("at {unit} {offset}"),
        (None, Some(behind)) => format!("behind {unit} {behind}, the last"),
        (None, None) => "in an empty log".to_owned(),
    };
    writeln!(f, "  first {} {place}{}", name(first.class), why(first, log))?;
    let byte = first.divergence.as_ref().filter(|divergence| divergence.part == "value" || divergence.part == "line");
    let byte = byte.and_then(|divergence| divergence.byte).unwrap_or_default();
    for (word, shown) in [("expected", &first.expected), ("found", &first.found)] {
        match shown {
            Some(shown) => writeln!(f, "    {word:<9} {}", Line(shown, byte))?,
            None => writeln!(f, "    {word:<9} nothing")?,
        }
    }
    Ok(())
}

fn name(class: Class) -> &'static str {
    match class {
        Class::Missing => "missing",
        Class::Extra => "extra",
        Class::Duplicated => "duplicated",
        Class::Reordered => "reordered",
        Class::Altered => "altered",
        Class::Foreign => "foreign",
    }
}

fn why(first: &Difference, log: &LogVerdict) -> String {
    if let (Class::Altered, Some(divergence)) = (first.class, &first.divergence) {
        let byte = divergence.byte.map_or(String::new(), |byte| format!(", byte {byte}"));
        return format!(", in its {}{byte}", divergence.part);
    }
    let Some((position, partition)) = first.belongs else { return String::new() };
    let ordinal = grouped(position.ordinal);
    let stage = position.stage;
    match first.class {
        Class::Extra if log.partition.is_some_and(|here| here != partition) => {
            format!(": the {stage} of auction {ordinal}, which belongs to partition {partition}")
        }
        Class::Extra => format!(": the {stage} of auction {ordinal}, which is not of this window or topic"),
        _ => format!(": the {stage} of auction {ordinal}"),
    }
}

/// A record on one line: what is known of it, and its value around a byte.
struct Line<'a>(&'a Shown, usize);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(shown, byte) = self;
        if let Some(ordinal) = shown.ordinal {
            write!(f, "auction {}, ", grouped(ordinal))?;
        }
        if let Some(timestamp) = shown.timestamp {
            write!(f, "timestamp {timestamp}, ")?;
        }
        if let Some(key) = &shown.key {
            write!(f, "key {}, ", key.escape_debug())?;
        }
        if shown.value.is_none() {
            return f.write_str("no value");
        }
        let (before, behind) = AROUND;
        let start = byte.saturating_sub(before).min(shown.bytes.len());
        let end = byte.saturating_add(behind).min(shown.bytes.len());
        let dots = |is_cut: bool| if is_cut { "…" } else { "" };
        let text = String::from_utf8_lossy(&shown.bytes[start..end]);
        let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        write!(f, "value {}{text}{}", dots(start > 0), dots(end < shown.bytes.len()))
    }
}
