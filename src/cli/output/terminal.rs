//! What goes to standard error: notes, logs, errors, and the line that moves on a terminal.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::{LazyLock, OnceLock};

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format;

use crate::cli::exit::Place;
use crate::generator::stream::Window;
use crate::log::heading::Heading;
use crate::sink::SinkError;

/// Of what the program itself says, as against its parts; it is told whatever `RUST_LOG` asks for.
const TARGET: &str = "run";

/// The line that moves. Whatever else is written takes it away for a moment, so that neither tears the other.
pub(crate) static MOVING: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How this process speaks: set once, after the options are known.
static MANNER: OnceLock<TerminalArgs> = OnceLock::new();

/// How to speak.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Run (these change no byte)")]
pub(crate) struct TerminalArgs {
    /// Say nothing but warnings and errors: no progress, no notes, no report for people
    #[arg(short, long, env = "MDG_QUIET", value_parser = BoolishValueParser::new())]
    quiet: bool,
    /// Form of all that is said: text, or one JSON object a line
    #[arg(long, env = "MDG_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl TerminalArgs {
    /// Whether people look at what moves.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && self.log_format == LogFormat::Text && io::stderr().is_terminal()
    }

    /// Whether to say what is for people alone.
    pub(crate) fn is_for_people(self) -> bool {
        !self.quiet && self.log_format == LogFormat::Text
    }

    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }
}

/// Speaks in this manner from here on, logs included; `RUST_LOG` chooses how much is logged (`RUST_LOG=debug` shows the Kafka
/// client's own log).
pub(crate) fn speak(manner: TerminalArgs) {
    let asked = EnvFilter::try_from_default_env();
    let misunderstood = asked.as_ref().err().map(ToString::to_string);
    let mut filter = asked.unwrap_or_else(|_| EnvFilter::new("warn"));
    // The Kafka client says nothing at that level but what `-X debug=…` asks for.
    for told in [TARGET, "librdkafka::debug"] {
        if let Ok(told) = format!("{told}=info").parse() {
            filter = filter.add_directive(told);
        }
    }
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| StandardError);
    match manner.log_format {
        LogFormat::Text => {
            // Fields are for programs: the message says the same to people.
            let message = format::debug_fn(|out, field, value| match field.name() {
                "message" => write!(out, "{value:?}"),
                _ => Ok(()),
            });
            logs.fmt_fields(message).with_ansi(io::stderr().is_terminal()).without_time().init();
        }
        LogFormat::Json => {
            logs.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
        }
    }
    // Nobody speaks twice.
    let _ = MANNER.set(manner);
    if let Some(why) =
        misunderstood.filter(|_| env::var_os(EnvFilter::DEFAULT_ENV).is_some_and(|text| !text.is_empty()))
    {
        tracing::warn!(target: "mock_data_gen::cli::terminal", "{} is not understood, and taken as warn: {why}", EnvFilter::DEFAULT_ENV);
    }
}

fn manner() -> TerminalArgs {
    MANNER.get().copied().unwrap_or_default()
}

/// Tells people something that is not data. As logs each line is one of its own.
pub(crate) fn to_stderr(text: &str) {
    match manner() {
        TerminalArgs { quiet: true, .. } => {}
        TerminalArgs { log_format: LogFormat::Text, .. } => write(text),
        TerminalArgs { log_format: LogFormat::Json, .. } => {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                // What stands in columns for people is one space apart for programs.
                let words: Vec<&str> = line.split_whitespace().collect();
                tracing::info!(target: TARGET, "{}", words.join(" "));
            }
        }
    }
}

/// Tells a note to people; to programs its fields too, by the macro's words for them: `note!(text, topic, offsets = 3)`.
macro_rules! note {
    ($text:expr, $($fields:tt)*) => {
        if $crate::cli::output::terminal::speaks_json() {
            tracing::info!(target: "run", $($fields)*, "{}", $text.trim());
        } else {
            $crate::cli::output::terminal::to_stderr(&format!("{}\n", $text));
        }
    };
}
pub(crate) use note;

/// Whether each line is an object. A quiet one has no notes.
pub(crate) fn speaks_json() -> bool {
    let manner = manner();
    manner.log_format == LogFormat::Json && !manner.quiet
}

/// Says what a run is about to play.
pub(crate) fn heading(heading: &Heading) {
    if !speaks_json() {
        return to_stderr(&heading.to_string());
    }
    let fields = serde_json::to_value(heading).unwrap_or_default();
    let text = |at: &str| fields.pointer(at).and_then(|value| value.as_str().map(str::to_owned));
    let number = |at: &str| fields.pointer(at).and_then(serde_json::Value::as_u64);
    tracing::info!(
        target: TARGET,
        stream_id = text("/stream_id"),
        stream_version = number("/stream_version"),
        seed = text("/seed"),
        first_ordinal = number("/window/first_ordinal"),
        end_ordinal = number("/window/end_ordinal"),
        first_arrival = text("/window/first_arrival"),
        last_arrival = text("/window/last_arrival"),
        shard = text("/shard"),
        resumed_records = number("/resumed/records"),
        resumed_from = text("/resumed/from"),
        "{}",
        if fields.get("resumed").is_none() { "begins" } else if text("/resumed/from").is_some() { "resumes" } else { "nothing to do" }
    );
}

/// Prints data.
pub(crate) fn to_stdout(text: &str) -> Result<(), SinkError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => SinkError::ReaderGone,
        _ => SinkError::Stdout(error),
    })
}

/// Says why the program ends, with which code, and where that was.
pub(crate) fn error(text: &str, exit_code: u8, place: &Place) {
    match manner().log_format {
        LogFormat::Text => write(&format!("error: {text}\n")),
        LogFormat::Json => {
            let Place { topic, partition, offset } = place;
            tracing::error!(target: TARGET, exit_code, topic, partition, offset, "{text}");
        }
    }
}

/// Writes to standard error as it is. That it is broken is no reason to end a run.
pub(crate) fn write(text: &str) {
    let _ = StandardError.write_all(text.as_bytes());
}

/// Standard error beside the line that moves.
struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        MOVING.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A bar over the auctions of a window: each that is through moves it on.
pub(crate) fn auctions_bar(window: Window) -> ProgressBar {
    let (bar, template) = match window.count() {
        Some(count) => (ProgressBar::new(count), "{wide_bar} {human_pos} of {human_len} auctions, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {human_pos} auctions, {elapsed}"),
    };
    let bar = MOVING.add(bar);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
