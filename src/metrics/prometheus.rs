//! The counters as Prometheus reads them: its text format, version 0.0.4.

use std::fmt::{self, Write};
use std::sync::atomic::Ordering::Relaxed;

use super::counters::{LATENESS_BOUNDS_US, Metrics, State, by_stage, load};
use crate::generator::spec::ByStage;
use crate::generator::version::STREAM_VERSION;

/// All families, with the version of the Kafka client. Values of labels need no escapes: topic names, codes and versions have none of the characters that do.
#[must_use]
pub fn text(metrics: &Metrics, librdkafka: &str) -> String {
    let mut page = Page::default();
    build(&mut page, librdkafka);
    let seen = metrics.snapshot();
    page.family("mdg_state", "gauge", "Where the run stands: 1 for the state that it is in.");
    for state in State::ALL {
        page.sample("mdg_state", &[("state", state.name())], u8::from(state == seen.state));
    }
    page.family("mdg_records_released_total", "counter", "Records that the sink took.");
    for (stage, released) in seen.released.iter() {
        page.sample("mdg_records_released_total", &[("stage", stage.name())], released);
    }
    let help = "Records that Kafka acknowledged; for other sinks, records that were written.";
    page.by_topic("mdg_records_acked_total", help, metrics, by_stage(&metrics.acked));
    let help = "Payload bytes of the acknowledged records, before compression.";
    page.by_topic("mdg_bytes_acked_total", help, metrics, by_stage(&metrics.acked_bytes));
    page.family("mdg_queue_records", "gauge", "Records sent that are not acknowledged yet.");
    page.sample("mdg_queue_records", &[], seen.queue());
    let help = "Partitions whose records have waited for an acknowledgement for 10 s or more.";
    page.family("mdg_stalled_partitions", "gauge", help);
    page.sample("mdg_stalled_partitions", &[], seen.stalled);
    lateness(&mut page, metrics);
    let help = "How far the record that is released now lies behind its due time; 0 while on time, or at full speed.";
    page.family("mdg_schedule_lag_seconds", "gauge", help);
    page.sample("mdg_schedule_lag_seconds", &[], Millionths(i128::try_from(seen.lag.as_micros()).unwrap_or(i128::MAX)));
    let help = "Emit time of the last released record, in seconds since 1970.";
    page.family("mdg_virtual_time_seconds", "gauge", help);
    if let Some(emit_ms) = seen.emit_ms {
        page.sample("mdg_virtual_time_seconds", &[], Millionths(i128::from(emit_ms) * 1_000));
    }
    page.family("mdg_delivery_errors_total", "counter", "Records that were not stored, by librdkafka's code.");
    for (code, count) in &*metrics.delivery_errors.get() {
        page.sample("mdg_delivery_errors_total", &[("code", code)], count);
    }
    let help = "Errors of the Kafka client that concern no single record, by librdkafka's code.";
    page.family("mdg_client_errors_total", "counter", help);
    for (code, count) in &*metrics.client_errors.get() {
        page.sample("mdg_client_errors_total", &[("code", code)], count);
    }
    page.0
}

fn build(page: &mut Page, librdkafka: &str) {
    let stream_version = STREAM_VERSION.to_string();
    page.family("mdg_build_info", "gauge", "Versions of the program, of the stream's law and of librdkafka; always 1.");
    let labels =
        [("version", env!("CARGO_PKG_VERSION")), ("stream_version", &*stream_version), ("librdkafka", librdkafka)];
    page.sample("mdg_build_info", &labels, 1);
}

fn lateness(page: &mut Page, metrics: &Metrics) {
    let help = "Release of a record to the sink against its due time; records due before the run began do not count.";
    page.family("mdg_release_lateness_seconds", "histogram", help);
    let buckets = load(&metrics.lateness);
    let mut records = 0;
    for (bound_us, in_bucket) in LATENESS_BOUNDS_US.into_iter().zip(buckets) {
        records += in_bucket;
        let bound = Millionths(bound_us.into()).to_string();
        page.sample("mdg_release_lateness_seconds_bucket", &[("le", &bound)], records);
    }
    let records: u64 = buckets.iter().sum();
    page.sample("mdg_release_lateness_seconds_bucket", &[("le", "+Inf")], records);
    let sum_us = metrics.lateness_us.load(Relaxed);
    page.sample("mdg_release_lateness_seconds_sum", &[], Millionths(sum_us.into()));
    page.sample("mdg_release_lateness_seconds_count", &[], records);
}

/// A page of samples. Writing to a String cannot fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn by_topic(&mut self, name: &str, help: &str, metrics: &Metrics, values: ByStage<u64>) {
        self.family(name, "counter", help);
        for (stage, value) in values.iter() {
            self.sample(name, &[("topic", &metrics.topics[stage])], value);
        }
    }
}

/// Millionths as a decimal without trailing zeros: 500 is `0.0005`.
struct Millionths(i128);

impl fmt::Display for Millionths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let text = format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::generator::record::Record;
    use crate::generator::spec::{Layout, Stage};

    #[test]
    fn millionths_read_as_decimals() {
        let shown = [0, 1, 500, 1_000_000, 1_767_225_600_082_000, -1_500_000].map(|n| Millionths(n).to_string());
        assert_eq!(shown, ["0", "0.000001", "0.0005", "1", "1767225600.082", "-1.5"]);
    }

    #[test]
    fn the_histogram_is_cumulative_and_its_bounds_belong_to_the_bucket() {
        let metrics = Metrics::new(&Layout::default());
        for late_us in [0, 500, 501, 1_000, 70_000_000] {
            metrics.late(Duration::from_micros(late_us));
        }
        let text = text(&metrics, "2.12.1");
        for line in [
            "mdg_release_lateness_seconds_bucket{le=\"0.0005\"} 2",
            "mdg_release_lateness_seconds_bucket{le=\"0.001\"} 4",
            "mdg_release_lateness_seconds_bucket{le=\"60\"} 4",
            "mdg_release_lateness_seconds_bucket{le=\"+Inf\"} 5",
            "mdg_release_lateness_seconds_sum 70.002001",
            "mdg_release_lateness_seconds_count 5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn counters_stand_under_topic_stage_and_code() {
        let metrics = Metrics::new(&Layout::default());
        metrics.enter(State::Running);
        metrics.released(&Record { stage: Stage::Click, emit_ms: 1_500, ..Record::default() });
        metrics.acked(Stage::Impression, 345);
        metrics.delivery_error("MSG_SIZE_TOO_LARGE");
        metrics.client_error("_TRANSPORT");
        metrics.client_error("_TRANSPORT");
        let text = text(&metrics, "2.12.1");
        for line in [
            "mdg_state{state=\"running\"} 1",
            "mdg_state{state=\"starting\"} 0",
            "mdg_records_released_total{stage=\"click\"} 1",
            "mdg_records_acked_total{topic=\"impressions\"} 1",
            "mdg_records_acked_total{topic=\"clicks\"} 0",
            "mdg_bytes_acked_total{topic=\"impressions\"} 345",
            "mdg_virtual_time_seconds 1.5",
            "mdg_delivery_errors_total{code=\"MSG_SIZE_TOO_LARGE\"} 1",
            "mdg_client_errors_total{code=\"_TRANSPORT\"} 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
