//! The command line: options from flags and environment, commands, exit codes.

mod advice;
mod args;
mod commands;
mod config;
mod exit;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod output;
mod signals;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command as ClapCommand, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::args::run::RunArgs;
use self::commands::{answer_key, check, documents, health, run, schema, show, verify};
use self::config::{Configuration, INSTRUCTIONS_VARIABLE};
use self::exit::Failure;
use self::output::terminal::{self, TerminalArgs, to_stderr};
use crate::generator::simd;
use crate::generator::version::STREAM_VERSION;
use crate::sink::SinkError;

/// Program, stream version and librdkafka: all three can matter to what a topic holds.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    format!("{}\nstream version {STREAM_VERSION}\nlibrdkafka {librdkafka}", env!("CARGO_PKG_VERSION"))
});

const AFTER_HELP: &str = "\
Examples:
  mock-data-gen --bootstrap-servers embedded --fast              a look without any Kafka
  mock-data-gen --bootstrap-servers localhost:29092 --fast       one hour of seed 42 into Kafka
  mock-data-gen --sink files --out mine --fast --count 100       a fixture that never changes
  mock-data-gen --sink stdout --fast --count 100 | jq .value     the same, to look at
  mock-data-gen verify --bootstrap-servers localhost:29092       prove what the topics hold
  mock-data-gen answer-key --out key --count 100                 what joins over it must give
  mock-data-gen show 7                                           one auction, whole

Exit codes: 0 done, 1 verify found differences or health found a run unwell, 2 usage, 3 I/O or Kafka or nothing was left to verify, 4 another writer, 5 stopped by a signal before a bounded window was complete.";

/// A deterministic, replayable stream of correlated OpenRTB 2.6 ad-tech events, played into Apache Kafka.
///
/// Auction n and all that follows from it (bid request, bid response, impression, click) is a pure function of the stream
/// options: the same ids, times, order, partitions and bytes on every machine.
#[derive(Debug, Parser)]
#[command(
    name = "mock-data-gen",
    version,
    long_version = VERSION.as_str(),
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP,
    max_term_width = 100,
    allow_negative_numbers = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// TOML file with options by their long names, and a [kafka] table of librdkafka properties
    // Read before everything else is parsed: see `configuration`.
    #[arg(long, env = "MDG_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a window of the stream into a sink (the default command)
    Run(Box<RunArgs>),
    /// Prove that topics or files hold exactly what the stream says; without window options the logs say which window it is
    Verify(Box<verify::VerifyArgs>),
    /// Write what every join, funnel and window over a window of the stream must give, and the list of its planned faults
    AnswerKey(Box<answer_key::AnswerKeyArgs>),
    /// Show one auction, whole, by its ordinal or by an id of one of its events: documents, ids, partitions and times
    Show(Box<show::ShowArgs>),
    /// Print the JSON Schema of an event type, or the statement that creates a table of it in an engine
    Schema(schema::SchemaArgs),
    /// Say what a run with these options would do: each value with its origin, bounds, and what the brokers say
    Check(Box<RunArgs>),
    /// Print a completion script for a shell
    Completions(documents::CompletionsArgs),
    /// Print the manual page
    Man(documents::ManArgs),
    /// Ask a run that was started with --listen how it is: exit code 0 if it is well, else 1
    Health(health::HealthArgs),
}

/// Runs the program on the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let (configuration, arguments) = match configure(&typed) {
        Ok(resolved) => resolved,
        Err(failure) => return ended(&failure, &Configuration::default()),
    };
    let (cli, matches) = match parse(&arguments) {
        Ok(parsed) => parsed,
        Err(mut error) => {
            advise(&mut error, &arguments);
            // A closed pipe while help is printed is nobody's loss.
            let _ = error.print();
            let text = error.to_string();
            if error.kind() == ErrorKind::ArgumentConflict && text.contains("the subcommand") {
                to_stderr("options stand behind the command: mock-data-gen show --seed 7 3\n");
            }
            to_stderr(&configuration.explain(text.split("\n\nUsage:").next().unwrap_or_default(), false));
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    terminal::speak(match &cli.command {
        None => cli.run.terminal,
        Some(Command::Run(args) | Command::Check(args)) => args.terminal,
        Some(Command::Verify(args)) => args.terminal,
        Some(Command::AnswerKey(args)) => args.terminal,
        Some(_) => TerminalArgs::default(),
    });
    if let Err(failure) = choose_instructions() {
        return ended(&failure, &configuration);
    }
    for variable in configuration.unknown_variables() {
        tracing::warn!(target: "mock_data_gen::cli", "the variable {variable}");
    }
    let result = match &cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(args),
        Some(Command::Verify(args)) => verify::run(args, &configuration),
        Some(Command::AnswerKey(args)) => answer_key::run(args),
        Some(Command::Show(args)) => show::show(args),
        Some(Command::Schema(args)) => schema::schema(args),
        Some(Command::Check(args)) => check::check(args, &configuration, (&command(), &matches)),
        Some(Command::Completions(args)) => documents::completions(args, command()),
        Some(Command::Man(args)) => documents::man(args, command()),
        Some(Command::Health(args)) => health::health(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ended(&failure, &configuration),
    }
}

/// Has records made by the vector instructions that [`INSTRUCTIONS_VARIABLE`] names.
fn choose_instructions() -> Result<(), Failure> {
    let Some(name) = std::env::var_os(INSTRUCTIONS_VARIABLE) else { return Ok(()) };
    simd::choose(&name.to_string_lossy())
        .map_err(|error| Failure::Usage(format!("{INSTRUCTIONS_VARIABLE}: {error}; unset it for the fastest")))
}

/// Names the option that is meant by a flag that people take for one.
fn advise(error: &mut clap::Error, arguments: &[OsString]) {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return };
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let root = command();
    let named = arguments.get(1).and_then(|word| root.find_subcommand(word.to_str()?));
    let Some(advice) = config::advice(flag, named.unwrap_or(&root)) else { return };
    for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::Suggested] {
        error.remove(kind);
    }
    if advice.starts_with("--") {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(advice));
    } else {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![advice.into()]));
    }
}

/// Says why a command did not succeed.
fn ended(failure: &Failure, configuration: &Configuration) -> ExitCode {
    if matches!(failure, Failure::Sink(SinkError::ReaderGone)) {
        return ExitCode::SUCCESS;
    }
    terminal::error(&failure_message(failure, configuration), failure.exit_code(), &failure.place());
    ExitCode::from(failure.exit_code())
}

/// A failure, and where the options that it names come from.
fn failure_message(failure: &Failure, configuration: &Configuration) -> String {
    let message = failure.to_string();
    // A window's error speaks of the times that follow from what was given.
    let typed = matches!(failure, Failure::Window(_));
    format!("{message}\n{}", configuration.explain(&message, typed)).trim_end().to_owned()
}

/// Whether help or the version is asked for. `help` is a command, and may be a value elsewhere.
fn asks_for_help(arguments: &[OsString]) -> bool {
    let is_flag = |word: &OsString| ["-h", "--help", "-V", "--version"].iter().any(|help| word == help);
    arguments.iter().skip(1).any(is_flag) || arguments.get(1).is_some_and(|word| word == "help")
}

/// Puts what variables and the file say before what was typed. Who asks for help gets it, whatever those say.
fn configure(typed: &[OsString]) -> Result<(Configuration, Vec<OsString>), Failure> {
    if asks_for_help(typed) {
        return Ok((Configuration::default(), typed.to_vec()));
    }
    let variables = std::env::vars_os().collect();
    Ok(Configuration::resolve(&command(), typed, &variables)?)
}

/// The whole command line: all commands, options, variables and defaults. The manual page, the completions and the tests of bad
/// input are made from it.
#[must_use]
pub fn command() -> ClapCommand {
    fn without_values(command: ClapCommand) -> ClapCommand {
        command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(without_values)
    }
    without_values(Cli::command())
        .mut_subcommand("verify", verify::with_own_help)
        .mut_subcommand("answer-key", answer_key::with_own_help)
}

/// Variables were read by [`Configuration`] already.
fn parse(arguments: &[OsString]) -> Result<(Cli, ArgMatches), clap::Error> {
    fn without_variables(command: ClapCommand) -> ClapCommand {
        command.mut_args(|arg| arg.env(None::<&str>)).mut_subcommands(without_variables)
    }
    let command = if asks_for_help(arguments) { command() } else { without_variables(command()) };
    let matches = command.try_get_matches_from(arguments)?;
    Ok((Cli::from_arg_matches(&matches)?, matches))
}
