//! The command line: options from flags and environment, commands, exit codes.

mod options;
mod play;
mod run;
mod schema;
mod show;
mod signals;
mod window;

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::error::{ContextKind, ContextValue};
use clap::{Command as ClapCommand, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::sink::{KafkaError, SinkError};
use crate::spec::STREAM_VERSION;
use crate::stream::WindowError;

/// Program, stream version and librdkafka: all three can matter to what a topic holds.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    format!("{}\nstream version {STREAM_VERSION}\nlibrdkafka {librdkafka}", env!("CARGO_PKG_VERSION"))
});

const AFTER_HELP: &str = "\
Examples:
  mock-data-gen --bootstrap-servers embedded --fast              a look without any Kafka
  mock-data-gen --bootstrap-servers localhost:29092 --fast       one hour of seed 42 into Kafka
  mock-data-gen --sink files --out fixtures --fast --count 100   a fixture that never changes
  mock-data-gen --sink stdout --fast --count 100 | jq .value     the same, to look at
  mock-data-gen show 7                                           one auction, whole

Exit codes: 0 done, 2 usage, 3 I/O or Kafka, 4 another writer, 5 stopped by a signal before a bounded window was complete.";

/// A deterministic, replayable stream of correlated OpenRTB 2.6 ad-tech events, played into Apache Kafka.
///
/// Auction n and all that follows from it (bid request, bid response, impression, click) is a pure function of the stream
/// options: the same ids, times, order, partitions and bytes on every machine.
#[derive(Debug, Parser)]
#[command(
    name = "mock-data-gen",
    version = VERSION.as_str(),
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP,
    max_term_width = 100,
    allow_negative_numbers = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a window of the stream into a sink (the default command)
    Run(Box<run::RunArgs>),
    /// Show one auction, whole: its events, ids, partitions and times
    Show(show::ShowArgs),
    /// Print the JSON Schema of an event type
    Schema(schema::SchemaArgs),
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("{0}\nchange --from, --to, --count or --duration (or --epoch)")]
    Window(#[from] WindowError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("signals cannot be listened for: {0}")]
    Signals(io::Error),
    #[error("the topics do not hold what was sent")]
    ReadBack,
    #[error("stopped by a signal before the window was complete")]
    Stopped,
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Window(_) | Self::Sink(SinkError::NotEmpty(_) | SinkError::LongName(_)) => 2,
            Self::Kafka(error) | Self::Sink(SinkError::Kafka(error)) => match error.cause() {
                KafkaError::TooLarge { .. } | KafkaError::TooManyPartitions { .. } => 2,
                KafkaError::Stopped => 5,
                error if error.is_another_writer() => 4,
                _ => 3,
            },
            Self::Sink(SinkError::ReaderGone) => 0,
            Self::Stopped | Self::Sink(SinkError::Stopped) => 5,
            Self::Sink(_) | Self::ReadBack | Self::Signals(_) => 3,
        }
    }
}

/// Runs the program on the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    log_to_stderr();
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe while help is printed is nobody's loss.
            let _ = error.print();
            if let Some(variable) = origin(&error) {
                to_stderr(&format!("The value comes from the variable {variable}.\n"));
            }
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let result = match &cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(args),
        Some(Command::Show(args)) => show::show(args),
        Some(Command::Schema(args)) => schema::schema(args),
    };
    match result {
        Ok(()) | Err(Failure::Sink(SinkError::ReaderGone)) => ExitCode::SUCCESS,
        Err(failure) => {
            to_stderr(&format!("error: {failure}\n"));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn parse() -> Result<Cli, clap::Error> {
    let command = without_beaten_variables(without_empty_variables(Cli::command()));
    Cli::from_arg_matches(&command.try_get_matches()?)
}

/// An empty variable is unset, as in a shell's `${X:-default}`; clap would take it for a value.
fn without_empty_variables(command: ClapCommand) -> ClapCommand {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(None::<&str>) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// Options of which at most one may be given. One on the command line beats the variables of all.
const ALTERNATIVES: [&[&str]; 2] = [&["to", "count", "duration"], &["fast", "speed"]];

/// A flag beats a variable, also the variable of an option that excludes it.
fn without_beaten_variables(command: ClapCommand) -> ClapCommand {
    let beaten = |id: &str| ALTERNATIVES.iter().any(|group| group.contains(&id) && group.iter().any(|id| is_typed(id)));
    command
        .mut_args(|arg| if beaten(arg.get_id().as_str()) { arg.env(None::<&str>) } else { arg })
        .mut_subcommands(without_beaten_variables)
}

/// Whether an option stands on the command line.
fn is_typed(id: &str) -> bool {
    let flag = format!("--{}", id.replace('_', "-"));
    let is_it = |typed: &str| typed.strip_prefix(&flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    std::env::args_os().any(|typed| typed.to_str().is_some_and(is_it))
}

/// The variable that a refused value came from.
fn origin(error: &clap::Error) -> Option<String> {
    let ContextValue::String(shown) = error.get(ContextKind::InvalidArg)? else { return None };
    let long = shown.strip_prefix("--")?.split([' ', '=']).next()?;
    let command = Cli::command();
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(long))?;
    let variable = arg.get_env()?.to_str()?;
    (!is_typed(long) && std::env::var_os(variable).is_some()).then(|| variable.to_owned())
}

/// Logs go to standard error; `RUST_LOG` chooses how much (`RUST_LOG=debug` shows the Kafka client's own).
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .without_time()
        .init();
}

/// Prints what is not data. A broken standard error is no reason to end a run.
fn to_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints data.
fn to_stdout(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => SinkError::ReaderGone.into(),
        _ => SinkError::Stdout(error).into(),
    })
}
