//! What the fuzz targets ask of the command line: to judge it, and to do nothing.

use std::ffi::OsString;

use crate::cli::config::{Configuration, Variables};
use crate::cli::exit::Failure;
use crate::cli::{Command, command, failure_message, parse};

/// The exit code of arguments and variables as far as they decide it, and what would be said.
#[must_use]
pub fn judge(typed: &[OsString], variables: &Variables) -> (u8, String) {
    let (configuration, arguments) = match Configuration::resolve(&command(), typed, variables) {
        Ok(resolved) => resolved,
        Err(error) => return refused(&error.into(), &Configuration::default()),
    };
    let cli = match parse(&arguments) {
        Ok((cli, _)) => cli,
        Err(error) => {
            let text = error.to_string();
            let origins = configuration.explain(&text, false);
            return (if error.use_stderr() { 2 } else { 0 }, text + &origins);
        }
    };
    let resolved = match &cli.command {
        None => cli.run.resolve().map(drop),
        Some(Command::Run(args) | Command::Check(args)) => args.resolve().map(drop),
        Some(_) => Ok(()),
    };
    resolved.map_or_else(|failure| refused(&failure, &configuration), |()| (0, String::new()))
}

fn refused(failure: &Failure, configuration: &Configuration) -> (u8, String) {
    (failure.exit_code(), failure_message(failure, configuration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_judged_as_the_program_judges_them() {
        let judged = |words: &[&str]| {
            let typed: Vec<OsString> = std::iter::once(&"mock-data-gen").chain(words).map(OsString::from).collect();
            judge(&typed, &Variables::from([("EVENTS_PER_SECOND".into(), "fifty".into())]))
        };
        let (code, text) = judged(&["--sink", "null"]);
        assert_eq!(code, 2);
        assert!(text.contains("comes from the variable EVENTS_PER_SECOND"), "{text}");
        assert_eq!(judged(&["--sink", "null", "--events-per-second", "5"]), (0, String::new()));
        let (code, text) = judged(&["--sink", "null", "--out", "x", "--events-per-second", "5"]);
        assert!(code == 2 && text.starts_with("--out is the folder of --sink files"), "{text}");
    }
}
