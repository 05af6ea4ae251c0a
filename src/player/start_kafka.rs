//! The start of a run into a real Kafka: look at the brokers, find out where the log ends, resume after it.

use std::thread;
use std::time::Duration;

use super::error::RunError;
use super::gap::Gap;
use super::observer::Notice;
use super::pace::wall_clock_us;
use super::play::Outcome;
use super::run_plan::{KafkaPlan, ResumeMode};
use super::session::{Beginning, Session};
use crate::generator::record::Record;
use crate::generator::spec::{ByStage, KeyBy, Layout, StreamSpec};
use crate::generator::stream::{Assignment, Shard, Step, Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::kafka::{Cluster, Existing, Former, KafkaError, Recreation, Target, group_name};
use crate::log::heading::Resumed;
use crate::resume::{ResumeError, ResumePoint, ResumeRequest, Start, TopicLog, find_end};
use crate::sink::kafka::Kafka;
use crate::source::topics::Topics;
use crate::verify::explain;

/// The next record is looked for over at most this many of other parts.
const NEXT_WITHIN: u32 = 50_000_000;
/// Meanwhile a signal is looked for this often.
const LOOK_EVERY: u32 = 10_000;

/// Brokers that do not answer a run under way are asked again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What there is to do where topics may hold records already.
#[derive(Debug)]
pub(crate) enum Course {
    /// To play what is left of the window.
    Play(Beginning),
    /// Nothing: the window is complete.
    Nothing(Assignment, Resumed),
}

/// A run into a Kafka that is not ours.
#[derive(Debug)]
pub struct KafkaRun<'a> {
    /// The run.
    pub session: &'a Session<'a>,
    /// What it is to do there.
    pub plan: &'a KafkaPlan,
}

impl KafkaRun<'_> {
    /// Plays into Kafka.
    pub(super) fn play(&self) -> Result<(), RunError> {
        match self.play_to_its_end() {
            Err(error) if error.is_stop() && self.session.plan.window.end().is_none() => Ok(()),
            played => played,
        }
    }

    /// What topics that exist already may be.
    pub(crate) fn existing(&self) -> Existing {
        if self.plan.resume == ResumeMode::Never { Existing::Any } else { Existing::Resumed }
    }

    /// What it wants to write to.
    #[must_use]
    pub fn target<'t>(&'t self, stream: &'t Stream) -> Target<'t> {
        Target {
            brokers: &self.plan.brokers,
            properties: &self.session.plan.properties,
            transfer: self.session.transfer(),
            layout: stream.layout(),
            topics: self.session.topic_settings(stream, self.existing()),
            stop: self.session.stop,
        }
    }

    fn play_to_its_end(&self) -> Result<(), RunError> {
        let Session { plan, stop, metrics, observer } = self.session;
        let target = self.target(&plan.stream);
        self.recreate(&target)?;
        let mut cluster = Cluster::prepare(&target)?;
        for topic in cluster.created() {
            observer.notice(Notice::CreatedTopic(topic));
        }
        require_partitions(plan.shard, cluster.layout())?;
        if let Some(warning) = uneven_topics(plan.stream.auctions().spec(), cluster.layout()) {
            tracing::warn!(target: "mock_data_gen::cli::resume", "{warning}");
        }
        let stream = Stream::new(plan.stream.auctions().spec(), cluster.layout());
        if self.plan.resume == ResumeMode::Never {
            if cluster.end_offsets().values().flatten().any(|&end| end > 0) {
                tracing::warn!(
                    target: "mock_data_gen::cli::resume",
                    "a second stream is appended to what the topics hold: such topics can neither be resumed nor verified as one stream"
                );
            }
            return self.session.play(&stream, &mut Kafka::new(&cluster, stop, metrics)?);
        }
        if self.plan.is_exactly_once() {
            return self.play_exactly_once(&stream, &mut cluster);
        }
        let Some(beginning) = self.begin(&stream, self.start(&stream), &mut cluster)? else { return Ok(()) };
        let mut kafka = Kafka::new(&cluster, stop, metrics)?;
        kafka.commit_offsets(&cluster, &group_name(&stream), &beginning.part)?;
        self.session.play_on(&stream, &beginning, &mut kafka, None)
    }

    /// Deletes the four topics and creates them again, where that is asked for, and says what goes before it does.
    fn recreate(&self, target: &Target<'_>) -> Result<(), RunError> {
        if self.plan.resume != ResumeMode::Recreate {
            return Ok(());
        }
        let recreation = Recreation::look(target)?;
        for Former { topic, offsets, .. } in &recreation.former {
            self.session.observer.notice(Notice::DeletingTopic { topic, offsets: *offsets });
        }
        if self.plan.is_exactly_once() && !recreation.former.is_empty() {
            Kafka::fence(target, self.session.stop, self.session.metrics)?;
        }
        Ok(recreation.run()?)
    }

    /// Fences an earlier writer before it looks where the log ends.
    fn play_exactly_once(&self, stream: &Stream, cluster: &mut Cluster) -> Result<(), RunError> {
        let mut kafka =
            Kafka::transactional(cluster, self.session.plan.shard, self.session.stop, self.session.metrics)?;
        let start = self.start(stream);
        let Some(beginning) = self.begin(stream, start, cluster)? else { return Ok(()) };
        kafka.append_behind(cluster.end_offsets());
        let cluster = &*cluster;
        kafka.commit_offsets(cluster, &group_name(stream), &beginning.part)?;
        // By now it is known where the window starts, whatever retention removes of it.
        let start = Start::Given(beginning.part.window());
        let mut renew = |kafka: &mut Kafka| loop {
            match self.renew(stream, start, cluster, kafka) {
                Err(error) if error.is_silence() && !self.session.stop.is_requested() => {
                    tracing::warn!(target: "kafka", "{error}");
                    thread::sleep(ASK_AGAIN);
                }
                renewed => return renewed,
            }
        };
        self.session.play_on(stream, &beginning, &mut kafka, Some(&mut renew))
    }

    /// Goes on with another client, behind what the log holds; if that is nothing yet, from where the run started.
    fn renew(
        &self,
        stream: &Stream,
        start: Start,
        cluster: &Cluster,
        kafka: &mut Kafka,
    ) -> Result<Assignment, RunError> {
        kafka.replace(cluster, self.session.plan.shard)?;
        let ask = ResumeRequest { fresh: false, require: false, ..self.ask(stream, start, cluster) };
        let mut log = TopicLog::new(cluster, self.session.stop)?.beside(group_name(stream));
        let standing = find_end(&ask, &mut log).map_err(|error| match error {
            // All that it held was the stream's when the run began.
            ResumeError::Refused { ref why, .. } if why.is_of_a_writer() => RunError::Intruded(error),
            error => error.into(),
        })?;
        kafka.append_behind(&standing.end_offsets);
        kafka.renew_offsets(&standing.part);
        Ok(standing.part)
    }

    /// Where the window starts. The topics are there by now: had a window from now started when the program did, what became due while they
    /// were made would be repaid in one piece, and make late what becomes due meanwhile.
    pub(crate) fn start(&self, stream: &Stream) -> Start {
        let Some(end) = self.session.plan.now_until else { return Start::Given(self.session.plan.window) };
        // A window whose end has passed meanwhile starts where it was to start.
        let window = Window::resolve(
            stream.auctions(),
            (wall_clock_us() / 1_000).saturating_add(self.session.plan.from_now_ms),
            end,
        )
        .unwrap_or(self.session.plan.window);
        Start::Now(window.start(), end)
    }

    fn ask<'a>(&'a self, stream: &'a Stream, start: Start, cluster: &Cluster) -> ResumeRequest<'a> {
        ResumeRequest {
            stream,
            start,
            shard: self.session.plan.shard,
            require: self.plan.resume == ResumeMode::Require,
            fresh: cluster.created().len() == stream.layout().topics().len(),
            transactional: self.plan.is_exactly_once(),
            stop: self.session.stop,
        }
    }

    /// Finds out where the log ends; `None` if the window is complete there.
    fn begin(&self, stream: &Stream, start: Start, cluster: &mut Cluster) -> Result<Option<Beginning>, RunError> {
        let (course, end_offsets) = self.course(stream, start, cluster, &mut self.log(stream, cluster)?)?;
        cluster.set_end_offsets(end_offsets);
        match course {
            Course::Play(beginning) => Ok(Some(beginning)),
            Course::Nothing(part, resumed) => {
                let beginning = Beginning { part, resumed: Some(resumed), first_alone: false };
                self.session.report_nothing_to_do(stream, &beginning, &Outcome::nothing())?;
                self.session.write_answer_key(stream, &beginning, &Outcome::nothing())?;
                Ok(None)
            }
        }
    }

    /// The topics as a run looks at them: beside the offsets that it keeps.
    pub(crate) fn log<'a>(&'a self, stream: &Stream, cluster: &'a Cluster) -> Result<TopicLog<'a>, RunError> {
        Ok(TopicLog::new(cluster, self.session.stop)?.beside(group_name(stream)))
    }

    /// What there is to do behind what the log holds, and where its partitions end. It only looks.
    pub(crate) fn course(
        &self,
        stream: &Stream,
        start: Start,
        cluster: &Cluster,
        log: &mut TopicLog<'_>,
    ) -> Result<(Course, ByStage<Vec<i64>>), RunError> {
        let found = find_end(&self.ask(stream, start, cluster), log);
        let standing = found.map_err(|error| self.explained(stream, start, cluster, error))?;
        let ResumePoint { part, begins, records, furthest, by_offsets, first_alone, end_offsets } = standing;
        if begins {
            return Ok((Course::Play(Beginning { part, resumed: None, first_alone }), end_offsets));
        }
        if by_offsets {
            tracing::warn!(
                target: "mock_data_gen::cli::resume",
                "retention has cut the topics, so the log alone does not tell where each partition goes on: the offsets of group \
                 `{}` do",
                group_name(stream)
            );
        } else if furthest.is_none() {
            tracing::warn!(
                target: "mock_data_gen::cli::resume",
                "retention has left nothing in the topics: the run resumes after as many records of this stream as each partition had, \
                 and nothing shows any more that they were this stream's, nor that none was written by exactly-once delivery, whose ends of \
                 transactions would be counted as records"
            );
        }
        let next = self.next_due(stream, &part)?;
        let from = match next {
            Next::Due(from_ms) => Some(Timestamp(from_ms)),
            // So rare that none was found: it is due later than all that is there.
            Next::NotFound => furthest.map(|position| Timestamp(position.emit_ms)),
            Next::Complete => None,
        };
        let resumed = Resumed { records, from };
        match next {
            Next::Due(from_ms) => {
                if let Some(gap) =
                    Gap::too_large(from_ms, wall_clock_us() / 1_000, self.plan.catch_up, self.session.plan)
                {
                    return Err(RunError::Gap(gap));
                }
                let mut times = self.session.times(stream);
                times.first_ms = from_ms;
                cluster.check(times, self.session.stop)?;
            }
            Next::NotFound => {}
            Next::Complete => return Ok((Course::Nothing(part, resumed), end_offsets)),
        }
        Ok((Course::Play(Beginning { part, resumed: Some(resumed), first_alone }), end_offsets))
    }

    /// An error, with the option that explains what the topics hold, where one does.
    fn explained(&self, stream: &Stream, start: Start, cluster: &Cluster, error: ResumeError) -> RunError {
        let may_be = matches!(&error, ResumeError::Refused { why, .. } if why.may_be_of_options());
        let start = if let Start::Given(window) = start { Some(window.start()) } else { None };
        let look = || {
            let mut topics = Topics::open(cluster, self.session.stop).ok()?;
            explain(stream.auctions().spec(), &mut topics, start).ok()?
        };
        // The error stands without it, too.
        match may_be.then(look).flatten() {
            Some(explanation) => RunError::Explained { error: Box::new(error), explanation },
            None => error.into(),
        }
    }

    /// Where the part's first record stands.
    fn next_due(&self, stream: &Stream, part: &Assignment) -> Result<Next, RunError> {
        let mut records = stream.assigned_records(part);
        let mut record = Record::default();
        for passed in 0..NEXT_WITHIN {
            if passed.is_multiple_of(LOOK_EVERY) && self.session.stop.is_requested() {
                return Err(KafkaError::Stopped.into());
            }
            match records.step(&mut record) {
                Step::Record => return Ok(Next::Due(record.emit_ms)),
                Step::Skipped { .. } => {}
                Step::End => return Ok(Next::Complete),
            }
        }
        Ok(Next::NotFound)
    }
}

/// What is left to play.
#[derive(Debug, Clone, Copy)]
enum Next {
    Due(i64),
    NotFound,
    Complete,
}

/// What is to be said of topics that one key on all four would have co-partitioned, had they equal counts.
#[must_use]
pub fn uneven_topics(spec: &StreamSpec, layout: &Layout) -> Option<String> {
    let counts = layout.topics().each_ref().map(|topic| topic.partitions);
    if spec.key_by == KeyBy::Id || counts.iter().all(|count| *count == counts[0]) {
        return None;
    }
    let shown: Vec<String> =
        layout.topics().iter().map(|topic| format!("{} {}", topic.name, topic.partitions)).collect();
    Some(format!(
        "records keyed by {} are co-partitioned in topics of equal partition counts, and these differ: {}. Joins have to repartition",
        spec.key_by,
        shown.join(", ")
    ))
}

/// Refuses a shard that owns nothing: somebody counts more workers than there are partitions.
///
/// # Errors
/// If no topic of the layout has a partition of the shard's.
pub fn require_partitions(shard: Shard, layout: &Layout) -> Result<(), RunError> {
    if shard.owns_any(layout) {
        return Ok(());
    }
    let most = layout.topics().iter().map(|topic| topic.partitions.count()).max().unwrap_or(0);
    Err(RunError::NoPartition { shard, most })
}
