//! Which single option explains that logs hold something else than the stream says: the stream with that option changed is tried
//! on the logs' first records.

mod explanation;
mod sample;
mod search;

pub use self::explanation::Explanation;
use self::sample::{Fit, Sample};
use crate::generator::spec::StreamSpec;
use crate::source::{Source, SourceError};

/// Looks for the one option whose other value makes a stream of which the logs hold the beginning, and says what it found. The
/// source is read from its beginning.
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
        let found = StreamSpec { headers: !spec.headers, ..spec.clone() };
        return Ok(
            (sample.fit(&found) == Some(Fit::Whole)).then(|| Explanation::new("headers", found.headers, spec.headers))
        );
    }
    // Where the records themselves say that they are of this stream, some of them are lost or changed.
    let is_named = spec.headers && sample.stream_id() == Some(spec.stream_id().to_string());
    if is_named || sample.fit(spec) == Some(Fit::Whole) {
        return Ok(None);
    }
    Ok(search::single(spec, &sample))
}
