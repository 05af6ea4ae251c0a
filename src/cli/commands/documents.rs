//! `completions` and `man`: made from the command line's own description.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::exit::Failure;
use crate::cli::output::terminal::to_stdout;
use crate::sink::SinkError;

/// Options of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    shell: Shell,
}

/// Prints a completion script.
pub(crate) fn completions(args: &CompletionsArgs, mut program: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "mock-data-gen", &mut script);
    Ok(to_stdout(&String::from_utf8_lossy(&script))?)
}

/// Options of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Of which command [default: the program]
    command: Option<String>,
}

/// Prints a manual page.
pub(crate) fn man(args: &ManArgs, mut program: Command) -> Result<(), Failure> {
    program.build();
    let described = match &args.command {
        None => Some(&program),
        Some(name) => program.find_subcommand(name),
    };
    let Some(described) = described else {
        let name = args.command.as_deref().unwrap_or_default();
        return Err(Failure::Usage(format!("there is no command `{name}`: mock-data-gen --help lists them")));
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(described.clone()).render(&mut page).map_err(SinkError::Stdout)?;
    Ok(to_stdout(&String::from_utf8_lossy(&page))?)
}
