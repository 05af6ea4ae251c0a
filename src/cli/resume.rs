//! The start of a run into a real Kafka: look at the brokers, find out where the log ends, go on behind it.

use std::fmt;
use std::thread;
use std::time::Duration;

use super::Failure;
use super::partitions::{require_partitions, uneven_topics};
use super::play::{Beginning, Player};
use super::run::Resume;
use super::terminal::note;
use crate::generator::record::Record;
use crate::generator::spec::Span;
use crate::generator::stream::{Assignment, Step, Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::kafka::{Cluster, Existing, KafkaError, Target, group_name};
use crate::log::heading::Resumed;
use crate::pace::{Pace, wall_clock_us};
use crate::resume::{ResumeError, ResumePoint, ResumeRequest, Start, TopicLog, find_end};
use crate::run::Outcome;
use crate::sink::kafka::Kafka;
use crate::source::topics::Topics;
use crate::verify::explain;

/// A hole that a live run fills without being asked, where the window starts now.
const CATCH_UP_MS: i64 = 24 * 3_600_000;
/// The next record is looked for over at most this many of other parts.
const NEXT_WITHIN: u32 = 50_000_000;
/// Meanwhile a signal is looked for this often.
const LOOK_EVERY: u32 = 10_000;

/// Brokers that do not answer a run under way are asked again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What there is to do where topics may hold records already.
#[derive(Debug)]
pub(super) enum Course {
    /// To play what is left of the window.
    Play(Beginning),
    /// Nothing: the window is complete.
    Nothing(Assignment, Resumed),
}

/// A hole that is too large to be filled unasked.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "times carry their unit in the name")]
pub(super) struct Hole {
    from_ms: i64,
    now_ms: i64,
    limit_ms: i64,
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |ms: i64| humantime::format_duration(Duration::from_secs(ms.unsigned_abs() / 1_000));
        let (hole, limit) = (span(self.now_ms - self.from_ms), span(self.limit_ms));
        writeln!(
            f,
            "the topics end {hole} ago, at {}: the hole is larger than --catch-up {limit}",
            Timestamp(self.from_ms)
        )?;
        write!(
            f,
            "nothing was written. To fill it at full speed give a larger --catch-up; to begin anew name other topics (--topic-bid-requests …) \
             or delete these"
        )
    }
}

impl Player<'_> {
    /// Plays into Kafka.
    pub(super) fn play_kafka(&self, stream: &Stream) -> Result<(), Failure> {
        match self.play_kafka_to_its_end(stream) {
            Err(failure) if failure.is_stop() && self.window.end().is_none() => Ok(()),
            played => played.inspect_err(|failure| self.warn_of_recreating_again(failure)),
        }
    }

    /// What topics that exist already may be.
    pub(super) fn existing(&self) -> Existing {
        if self.options.resume == Some(Resume::Never) { Existing::Any } else { Existing::Resumed }
    }

    fn play_kafka_to_its_end(&self, stream: &Stream) -> Result<(), Failure> {
        let never = self.options.resume == Some(Resume::Never);
        let target = Target {
            brokers: &self.options.kafka.bootstrap_servers,
            properties: self.properties,
            transfer: self.transfer(),
            layout: stream.layout(),
            topics: self.topic_settings(stream, self.existing()),
            stop: self.stop,
        };
        self.recreate(&target)?;
        let mut cluster = Cluster::prepare(&target)?;
        for topic in cluster.created() {
            note!(format!("created topic {topic}"), topic = topic.as_str());
        }
        require_partitions(self.shard, cluster.layout())?;
        if let Some(warning) = uneven_topics(stream.auctions().spec(), cluster.layout()) {
            tracing::warn!(target: "mock_data_gen::cli::resume", "{warning}");
        }
        let stream = Stream::new(stream.auctions().spec(), cluster.layout());
        if never {
            if cluster.end_offsets().iter().flatten().any(|&end| end > 0) {
                tracing::warn!(
                    target: "mock_data_gen::cli::resume",
                    "--resume never begins anew behind what the topics hold: such topics can neither be gone on with nor verified as one stream"
                );
            }
            return self.play(&stream, &mut Kafka::new(&cluster, self.stop, self.metrics)?);
        }
        if self.options.is_exactly_once() {
            return self.play_exactly_once(&stream, &mut cluster);
        }
        let Some(beginning) = self.begin(&stream, self.start(&stream), &mut cluster)? else { return Ok(()) };
        let mut kafka = Kafka::new(&cluster, self.stop, self.metrics)?;
        kafka.commit_offsets(&cluster, &group_name(&stream), &beginning.part)?;
        self.play_on(&stream, &beginning, &mut kafka, None)
    }

    /// Fences an earlier writer before it looks where the log ends.
    fn play_exactly_once(&self, stream: &Stream, cluster: &mut Cluster) -> Result<(), Failure> {
        let mut kafka = Kafka::transactional(cluster, self.shard, self.stop, self.metrics)?;
        let start = self.start(stream);
        let Some(beginning) = self.begin(stream, start, cluster)? else { return Ok(()) };
        kafka.append_behind(cluster.end_offsets());
        let cluster = &*cluster;
        kafka.commit_offsets(cluster, &group_name(stream), &beginning.part)?;
        // By now it is known where the window starts, whatever retention removes of it.
        let start = Start::Given(beginning.part.window());
        let mut renew = |kafka: &mut Kafka| loop {
            match self.renew(stream, start, cluster, kafka) {
                Err(failure) if failure.is_silence() && !self.stop.is_requested() => {
                    tracing::warn!(target: "kafka", "{failure}");
                    thread::sleep(ASK_AGAIN);
                }
                renewed => return renewed,
            }
        };
        self.play_on(stream, &beginning, &mut kafka, Some(&mut renew))
    }

    /// Goes on with another client, behind what the log holds; if that is nothing yet, from where the run started.
    fn renew(
        &self,
        stream: &Stream,
        start: Start,
        cluster: &Cluster,
        kafka: &mut Kafka,
    ) -> Result<Assignment, Failure> {
        kafka.replace(cluster, self.shard)?;
        let ask = ResumeRequest { fresh: false, require: false, ..self.ask(stream, start, cluster) };
        let mut log = TopicLog::new(cluster, self.stop)?.beside(group_name(stream));
        let standing = find_end(&ask, &mut log).map_err(|error| match error {
            // All that it held was the stream's when the run began.
            ResumeError::Refused { ref why, .. } if why.is_of_a_writer() => Failure::Intruded(error),
            error => error.into(),
        })?;
        kafka.append_behind(&standing.end_offsets);
        kafka.renew_offsets(&standing.part);
        Ok(standing.part)
    }

    /// Where the window starts. The topics are there by now: had a window from now started when the program did, what became due while they
    /// were made would be repaid in one piece, and make late what becomes due meanwhile.
    pub(super) fn start(&self, stream: &Stream) -> Start {
        let Some(end) = self.now_until else { return Start::Given(self.window) };
        // A window whose end has passed meanwhile starts where it was to start.
        let window =
            Window::resolve(stream.auctions(), (wall_clock_us() / 1_000).saturating_add(self.from_now_ms), end)
                .unwrap_or(self.window);
        Start::Now(window.start(), end)
    }

    fn ask<'a>(&'a self, stream: &'a Stream, start: Start, cluster: &Cluster) -> ResumeRequest<'a> {
        ResumeRequest {
            stream,
            start,
            shard: self.shard,
            require: self.options.resume == Some(Resume::Require),
            fresh: cluster.created().len() == stream.layout().topics().len(),
            transactional: self.options.is_exactly_once(),
            stop: self.stop,
        }
    }

    /// Finds out where the log ends; `None` if the window is complete there.
    fn begin(&self, stream: &Stream, start: Start, cluster: &mut Cluster) -> Result<Option<Beginning>, Failure> {
        let (course, end_offsets) = self.course(stream, start, cluster, &mut self.log(stream, cluster)?)?;
        cluster.set_end_offsets(end_offsets);
        match course {
            Course::Play(beginning) => Ok(Some(beginning)),
            Course::Nothing(part, resumed) => {
                let beginning = Beginning { part, resumed: Some(resumed), first_alone: false };
                self.report_nothing_to_do(stream, &beginning, &Outcome::nothing())?;
                self.write_answer_key(stream, &beginning, &Outcome::nothing())?;
                Ok(None)
            }
        }
    }

    /// The topics as a run looks at them: beside the offsets that it keeps.
    pub(super) fn log<'a>(&'a self, stream: &Stream, cluster: &'a Cluster) -> Result<TopicLog<'a>, Failure> {
        Ok(TopicLog::new(cluster, self.stop)?.beside(group_name(stream)))
    }

    /// What there is to do behind what the log holds, and where its partitions end. It only looks.
    pub(super) fn course(
        &self,
        stream: &Stream,
        start: Start,
        cluster: &Cluster,
        log: &mut TopicLog<'_>,
    ) -> Result<(Course, [Vec<i64>; 4]), Failure> {
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
                "retention has left nothing in the topics: the run goes on behind as many records of this stream as each partition had, \
                 and nothing shows any more that they were this stream's, nor that none was written under --delivery exactly-once, whose ends of \
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
                self.require_small_hole(from_ms)?;
                let mut times = self.times(stream);
                times.first_ms = from_ms;
                cluster.check(times, self.stop)?;
            }
            Next::NotFound => {}
            Next::Complete => return Ok((Course::Nothing(part, resumed), end_offsets)),
        }
        Ok((Course::Play(Beginning { part, resumed: Some(resumed), first_alone }), end_offsets))
    }

    /// An error, with the option that explains what the topics hold, where one does.
    fn explained(&self, stream: &Stream, start: Start, cluster: &Cluster, error: ResumeError) -> Failure {
        let may_be = matches!(&error, ResumeError::Refused { why, .. } if why.may_be_of_options());
        let start = if let Start::Given(window) = start { Some(window.start()) } else { None };
        let look = || {
            let mut topics = Topics::open(cluster, self.stop).ok()?;
            explain(stream.auctions().spec(), &mut topics, start).ok()?
        };
        // The error stands without it, too.
        match may_be.then(look).flatten() {
            Some(explanation) => Failure::Explained { error: Box::new(error), explanation },
            None => error.into(),
        }
    }

    /// Where the part's first record stands.
    fn next_due(&self, stream: &Stream, part: &Assignment) -> Result<Next, Failure> {
        let mut records = stream.assigned_records(part);
        let mut record = Record::default();
        for passed in 0..NEXT_WITHIN {
            if passed.is_multiple_of(LOOK_EVERY) && self.stop.is_requested() {
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

    /// Refuses a hole larger than `--catch-up`: given, or the default where the window starts now.
    fn require_small_hole(&self, from_ms: i64) -> Result<(), Failure> {
        let now = self.pace == Pace::Live && self.now_until.is_some();
        // A start before now has asked for what lies between.
        let unasked = now.then_some(CATCH_UP_MS.saturating_sub(self.from_now_ms.min(0)));
        let Some(limit_ms) = self.options.catch_up.map(Span::ms).or(unasked) else { return Ok(()) };
        let now_ms = wall_clock_us() / 1_000;
        if now_ms.saturating_sub(from_ms) > limit_ms {
            return Err(Failure::Hole(Hole { from_ms, now_ms, limit_ms }));
        }
        Ok(())
    }
}

/// What is left to play.
#[derive(Debug, Clone, Copy)]
enum Next {
    Due(i64),
    NotFound,
    Complete,
}
