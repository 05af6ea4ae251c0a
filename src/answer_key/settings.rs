//! What a key is asked for, and the joins that it is about.

use crate::generator::spec::{Span, Stage};
use crate::generator::stream::Stream;

/// The funnel's joins.
pub const EDGES: [Edge; 3] = [
    Edge { name: "request_response", parent: Stage::Request },
    Edge { name: "response_impression", parent: Stage::Response },
    Edge { name: "impression_click", parent: Stage::Impression },
];

/// One of the funnel's joins. The child follows its parent by one stage and carries its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Its word in file names and options.
    pub name: &'static str,
    /// The stage on its left.
    pub parent: Stage,
}

/// What a key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Of each edge: how far behind its parent a child may lie, both ends included.
    pub bounds: [Span; 3],
    /// The length of the tumbling windows.
    pub window: Span,
    /// How far a watermark lags behind the largest event time seen, for the profiles of late data.
    pub watermark_delay: Option<Span>,
}

impl Settings {
    /// One minute.
    pub const WINDOW: Span = Span::from_ms(60_000);

    /// Of a stream: the bounds that its planned faults put children at.
    #[must_use]
    pub fn of(stream: &Stream) -> Self {
        let bounds = stream.auctions().spec().faults.boundary.bounds();
        Self { bounds, window: Self::WINDOW, watermark_delay: None }
    }
}
