//! Which option explains that logs hold something else than the stream says, or which two together: the stream with these changed is
//! tried on the logs' first records.

mod explanation;
mod sample;
mod search;

pub use self::explanation::Explanation;
use self::sample::{Fit, Sample};
use self::search::Change;
use crate::generator::spec::StreamSpec;
use crate::source::{Source, SourceError};

/// Looks for the one option whose other value makes a stream of which the logs hold the beginning, else for two of them, and says what it
/// found. The source is read from its beginning.
///
/// # Errors
/// If the source cannot be read.
pub fn explain(
    spec: &StreamSpec,
    source: &mut dyn Source,
    start: Option<u64>,
) -> Result<Option<Explanation>, SourceError> {
    let Some(sample) = Sample::read(source, start)? else { return Ok(None) };
    if sample.has_headers() != spec.headers {
        let other = StreamSpec { headers: !spec.headers, ..spec.clone() };
        let headers = |second| Explanation::new("headers", other.headers, spec.headers).and(second);
        if sample.fit(&other) == Some(Fit::Whole) {
            return Ok(Some(headers(None)));
        }
        return Ok(search::one(&other, &sample).map(|second| headers(Some(second.into()))));
    }
    // Where the records themselves say that they are of this stream, some of them are lost or changed.
    let is_named = spec.headers && sample.stream_id() == Some(spec.stream_id().to_string());
    if is_named || sample.fit(spec) == Some(Fit::Whole) {
        return Ok(None);
    }
    if let Some(change) = search::one(spec, &sample) {
        return Ok(Some(change.into()));
    }
    Ok(search::two(spec, &sample).map(|[first, second]| Explanation::from(first).and(Some(second.into()))))
}

impl From<Change> for Explanation {
    fn from(change: Change) -> Self {
        Self::new(change.option, change.found, change.given)
    }
}
