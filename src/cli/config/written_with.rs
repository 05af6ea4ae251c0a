//! The options that a folder of files was written with, by its manifest: defaults of commands that read it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::words::on_or_off;
use crate::generator::spec::{Boundary, Epoch, EventsPerSecond, Idle, KeyBy, Profile, Rate, Spread, Stage, Users};
use crate::generator::version::STREAM_VERSION;

/// What a folder says of itself.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Faults that are off where a manifest does not name them. `--idle` has no word for that.
const FAULTS: [&str; 9] =
    ["late", "duplicates", "conflicts", "orphans", "boundary", "malformed", "invalid", "tombstones", "hot-user"];
const OFF: &str = "0";
const TOPICS: [&str; 4] = ["topic-bid-requests", "topic-bid-responses", "topic-impressions", "topic-clicks"];

/// Long names with their values as text. Empty if the folder has no manifest of a run of this stream version.
pub(crate) fn written_with(folder: &Path) -> Vec<(String, String)> {
    let text = fs::read(folder.join(MANIFEST)).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&text).unwrap_or(Value::Null);
    let is_ours = manifest["stream_version"].as_u64() == Some(STREAM_VERSION.into());
    let Some(spec) = manifest["spec"].as_object().filter(|_| is_ours) else { return Vec::new() };
    let text_of = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = spec.iter().filter(|(field, _)| !["stream_version", "faults"].contains(&field.as_str()));
    let mut options: Vec<(String, String)> =
        fields.map(|(field, value)| (field.replace('_', "-"), text_of(value))).collect();
    let faults = &manifest["spec"]["faults"];
    options.extend(FAULTS.map(|name| (name.to_owned(), faults.get(name).map_or_else(|| OFF.to_owned(), text_of))));
    options.extend(faults.get("idle").map(|idle| ("idle".to_owned(), text_of(idle))));
    let topic = |stage: Stage| &manifest["layout"][stage.index()];
    for (option, stage) in TOPICS.into_iter().zip(Stage::ALL) {
        options.extend(topic(stage)["name"].as_str().map(|name| (option.to_owned(), name.to_owned())));
    }
    let counts = Stage::ALL.map(|stage| topic(stage)["partitions"].as_u64());
    if let Some(count) = counts[0].filter(|_| counts.iter().all(|count| *count == counts[0])) {
        options.push(("partitions".to_owned(), count.to_string()));
    }
    options
}

/// Whether two texts are one value of an option. One that is none is for the parser to refuse.
pub(crate) fn are_one(option: &str, given: &str, written: &str) -> bool {
    fn same<T: std::str::FromStr + PartialEq>(given: &str, written: &str) -> bool {
        given.parse::<T>().is_ok_and(|given| written.parse().is_ok_and(|written: T| given == written))
    }
    if given == written {
        return true;
    }
    let same = match option {
        "seed" | "partitions" => same::<u64>,
        "epoch" => same::<Epoch>,
        "events-per-second" => same::<EventsPerSecond>,
        "users" => same::<Users>,
        "profile" => same::<Profile>,
        "key-by" => same::<KeyBy>,
        "late" | "duplicates" | "conflicts" => same::<Spread>,
        "boundary" => same::<Boundary>,
        "idle" => same::<Idle>,
        // A switch that is typed has no value.
        "headers" => {
            |given: &str, written: &str| on_or_off(if given.is_empty() { "true" } else { given }) == on_or_off(written)
        }
        topic if topic.starts_with("topic-") => |_: &str, _: &str| false,
        _ => same::<Rate>,
    };
    same(given, written)
}
