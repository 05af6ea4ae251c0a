//! Where reports for programs go: to standard output where that carries no data, or into a file.

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::output::terminal::{self, to_stdout};
use crate::player::ReportError;
use crate::sink::SinkError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportForm {
    /// For people
    Text,
    /// One line of JSON
    Json,
}

/// Whether standard output is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandardOutput {
    IsFree,
    CarriesData,
}

/// How a command reports.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Form of the report; JSON goes to standard output, or to standard error where that carries data (--sink stdout)
    #[arg(long, env = "MDG_REPORT", value_enum, default_value_t = ReportForm::Text)]
    report: ReportForm,
    /// Write the report as JSON into this file
    #[arg(long, env = "MDG_REPORT_FILE", value_name = "FILE", value_parser = parse_file)]
    report_file: Option<PathBuf>,
}

/// `-` would make a file of that name.
fn parse_file(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("give a file".to_owned()),
        "-" => Err("give a file; --report json writes to standard output".to_owned()),
        path => Ok(PathBuf::from(path)),
    }
}

impl ReportArgs {
    /// Whether people are told.
    pub(crate) fn is_text(&self) -> bool {
        self.report == ReportForm::Text
    }

    /// Makes sure that the file can be written: hours may lie between, and an earlier report must not be taken for this one.
    pub(crate) fn prepare(&self) -> Result<(), ReportError> {
        self.write("")
    }

    /// Gives a report to programs that asked for one.
    pub(crate) fn give(&self, report: &impl Serialize, output: StandardOutput) -> Result<(), ReportError> {
        if self.report_file.is_none() && self.is_text() {
            return Ok(());
        }
        let line = line_of(report)?;
        match (&self.report_file, output) {
            (Some(_), _) => self.write(&line),
            (None, StandardOutput::IsFree) => Ok(to_stdout(&line)?),
            (None, StandardOutput::CarriesData) => {
                terminal::write(&line);
                Ok(())
            }
        }
    }

    fn write(&self, text: &str) -> Result<(), ReportError> {
        let Some(path) = &self.report_file else { return Ok(()) };
        fs::write(path, text).map_err(|source| ReportError::File { path: path.clone(), source })
    }
}

/// A report as a line of JSON.
pub(crate) fn line_of(report: &impl Serialize) -> Result<String, ReportError> {
    let line = serde_json::to_string(report).map_err(|error| SinkError::Stdout(error.into()))?;
    Ok(format!("{line}\n"))
}
