//! Run options resolved: which stream, which window, at which pace.

use std::sync::Arc;

use super::super::Failure;
use super::super::partitions::require_partitions;
use super::super::play::Player;
use super::{Resume, RunArgs};
use crate::generator::stream::{Stream, Window, WindowEnd, WindowError};
use crate::kafka::Property;
use crate::log::shutdown::Shutdown;
use crate::metrics::Metrics;
use crate::pace::{Pace, wall_clock_us};

/// Options that were found to fit together, resolved.
#[derive(Debug)]
pub(in crate::cli) struct Resolved {
    pub(in crate::cli) stream: Stream,
    pub(in crate::cli) window: Window,
    /// The window's end, if the wall clock says where it starts.
    pub(in crate::cli) now_until: Option<WindowEnd>,
    /// How far from now it starts then, in milliseconds.
    pub(in crate::cli) from_now_ms: i64,
    /// How the window ends, where nothing bounds it and the program chose.
    pub(in crate::cli) chosen: Option<&'static str>,
    pub(in crate::cli) pace: Pace,
    pub(in crate::cli) properties: Vec<Property>,
}

impl Resolved {
    /// What plays it.
    pub(in crate::cli) fn player<'a>(
        &'a self,
        args: &'a RunArgs,
        stop: &'a Arc<Shutdown>,
        metrics: &'a Arc<Metrics>,
    ) -> Player<'a> {
        Player {
            options: &args.options,
            terminal: args.terminal,
            properties: &self.properties,
            window: self.window,
            shard: args.options.shard,
            now_until: self.now_until,
            from_now_ms: self.from_now_ms,
            chosen: self.chosen,
            pace: self.pace,
            stop,
            metrics,
        }
    }
}

impl RunArgs {
    /// Refuses what does not fit together, and resolves the rest.
    pub(in crate::cli) fn resolve(&self) -> Result<Resolved, Failure> {
        self.options.check()?;
        let properties = self.options.kafka.properties()?;
        self.options.require_certain_commits(&properties)?;
        let stream = Stream::new(&self.stream.spec()?, &self.layout.layout()?);
        self.options.require_envelope(&stream)?;
        let pace = self.options.pace(self.window.has_start());
        let from_now_ms = self.window.ahead_of_now_ms(pace);
        if !self.options.shard.is_whole() && from_now_ms.is_some() {
            return Err(Failure::Usage(
                "--shard workers must agree on where the window starts, and each has another now: give --from a time or epoch"
                    .to_owned(),
            ));
        }
        if !self.options.is_kafka() {
            require_partitions(self.options.shard, stream.layout())?;
        }
        let (otherwise, chosen) = self.options.default_end(pace);
        let goes_on = self.options.is_kafka() && !matches!(self.options.resume, Some(Resume::Never | Resume::Recreate));
        let window = match self.window.resolve(stream.auctions(), pace, otherwise) {
            // Topics may hold the window, which began at an earlier now.
            Err(Failure::Window(WindowError::Reversed { .. })) if from_now_ms.is_some() && goes_on => {
                Window::auctions(stream.auctions().first_from_ms(wall_clock_us() / 1_000), 0)
            }
            resolved => resolved?,
        };
        self.options.require_key(&stream, window, from_now_ms.is_some())?;
        let chosen = chosen.filter(|_| !self.window.is_bounded());
        let now_until = from_now_ms.map(|_| self.window.end(stream.auctions(), otherwise));
        let from_now_ms = from_now_ms.unwrap_or_default();
        Ok(Resolved { stream, window, now_until, from_now_ms, chosen, pace, properties })
    }
}
