//! `--resume recreate`: the topics are deleted and created again, and the window begins anew in them.

use super::Failure;
use super::play::Player;
use super::run::Resume;
use super::terminal::note;
use crate::kafka::{Former, Recreation, Target};
use crate::log::count::grouped;
use crate::sink::kafka::Kafka;

impl Player<'_> {
    /// Deletes the four topics and creates them again, where that is asked for, and says what goes before it does.
    pub(super) fn recreate(&self, target: &Target<'_>) -> Result<(), Failure> {
        if self.options.resume != Some(Resume::Recreate) {
            return Ok(());
        }
        let recreation = Recreation::look(target)?;
        for Former { topic, offsets, .. } in &recreation.former {
            note!(
                format!("deleting topic {topic} with {} offsets", grouped(*offsets)),
                topic = topic.as_str(),
                offsets
            );
        }
        if self.options.is_exactly_once() && !recreation.former.is_empty() {
            Kafka::fence(target, self.stop, self.metrics)?;
        }
        Ok(recreation.run()?)
    }

    /// Other messages say that the same command goes on; it would delete what is there now.
    pub(super) fn warn_of_recreating_again(&self, failure: &Failure) {
        if self.options.resume == Some(Resume::Recreate) && failure.exit_code() != 2 {
            tracing::warn!(
                target: "mock_data_gen::cli::recreate",
                "to go on, give the same command without --resume recreate: with it the topics are deleted again"
            );
        }
    }
}
