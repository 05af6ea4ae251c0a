//! Run options resolved to a plan: which stream, which window, at which pace, into which sink.

use super::conflicts;
use super::run::{Resume, RunArgs};
use crate::cli::exit::Failure;
use crate::generator::stream::{Stream, Window, WindowError};
use crate::player::pace::wall_clock_us;
use crate::player::{RunPlan, require_partitions};

impl RunArgs {
    /// Refuses what does not fit together, and resolves the rest.
    pub(crate) fn resolve(&self) -> Result<RunPlan, Failure> {
        conflicts::check(&self.options)?;
        let properties = self.options.kafka.properties()?;
        conflicts::require_certain_commits(&self.options, &properties)?;
        let stream = Stream::new(&self.stream.spec()?, &self.layout.layout()?);
        conflicts::require_envelope(&self.options, &stream)?;
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
        conflicts::require_key(&self.options, &stream, window, from_now_ms.is_some())?;
        let chosen = chosen.filter(|_| !self.window.is_bounded());
        let now_until = from_now_ms.map(|_| self.window.end(stream.auctions(), otherwise));
        let from_now_ms = from_now_ms.unwrap_or_default();
        Ok(RunPlan {
            stream,
            window,
            shard: self.options.shard,
            now_until,
            from_now_ms,
            chosen,
            pace,
            threads: self.options.threads.count(),
            fingerprint: self.options.fingerprint,
            answer_key: self.options.answer_key.clone(),
            properties,
            sink: self.options.sink_plan()?,
        })
    }
}
