//! A run: what is to be done as plain data, done, and told to whoever wants to know.

mod embedded;
mod error;
mod files;
mod kafka;
mod observer;
pub mod pace;
mod plan;
pub mod play;
mod read_back;
pub mod report;
mod session;

pub use self::error::{Gap, ReportError, RunError};
#[cfg(feature = "cli")]
pub(crate) use self::kafka::Course;
pub use self::kafka::{KafkaRun, require_partitions, uneven_topics};
pub use self::observer::{Bar, Notice, Observer, Shown};
pub use self::plan::{Delivery, EmbeddedPlan, FilesPlan, KafkaPlan, ResumeMode, RunPlan, SinkPlan};
pub use self::session::Session;
use crate::sink::null::Null;
use crate::sink::stdout::Stdout;

/// Plays what a plan says.
///
/// # Errors
/// Why the run did not come to its end.
pub fn run(session: &Session<'_>) -> Result<(), RunError> {
    let stream = &session.plan.stream;
    match &session.plan.sink {
        SinkPlan::Stdout => session.play(stream, &mut Stdout::new(stream.layout())),
        SinkPlan::Null => session.play(stream, &mut Null),
        SinkPlan::Files(plan) => files::play_files(session, plan),
        SinkPlan::Embedded(plan) => embedded::play_embedded(session, plan),
        SinkPlan::Kafka(plan) => KafkaRun { session, plan }.play(),
    }
}
