//! A deterministic, replayable stream of correlated ad-tech events: bid request → bid response → impression → click.
//!
//! **The stream already exists; a program only plays a window of it.** Auction `n` and everything that follows from it is a
//! pure function of the [`StreamSpec`] and `n`: ids, times, order, partitions and bytes are the same on every machine,
//! for ever.
//!
//! Without default features this crate is a light fixture library: no Kafka client, no runtime, no command line. A test can
//! take any window of the stream as a constant:
//!
//! ```
//! use mock_data_gen::{Layout, Rate, Stage, Stream, StreamSpec, Window};
//!
//! let spec = StreamSpec { seed: 7, click_rate: Rate::from_percent(50), ..StreamSpec::default() };
//! let stream = Stream::new(&spec, &Layout::default());
//!
//! // All records of the first 100 auctions, in the order in which a run emits them.
//! let records: Vec<_> = stream.records(Window::auctions(0, 100)).collect();
//! let count = |stage| records.iter().filter(|record| record.stage == stage).count();
//! assert_eq!(Stage::ALL.map(count), [100, 60, 13, 6]);
//!
//! // The same auctions again, without those before them.
//! let some: Vec<_> = stream.records(Window::auctions(40, 2)).collect();
//! assert!(some.iter().all(|record| records.contains(record)));
//! ```
//!
//! A [`Record`] has all that Kafka stores. Its key, partition, timestamp and value never change:
//!
//! ```
//! use mock_data_gen::{Layout, Stream, StreamSpec, Window};
//!
//! let stream = Stream::new(&StreamSpec::default(), &Layout::default());
//! let request = stream.records(Window::auctions(0, 1)).next().expect("each auction has a request");
//! assert_eq!(request.key, b"63e8dea2-cc50-59e5-b81c-9da9621276bd");
//! assert_eq!((request.partition, request.timestamp_ms), (4, 1_767_225_600_082));
//! let document = r#"{"id":"63e8dea2-cc50-59e5-b81c-9da9621276bd","imp":[{"id":"1","banner":{"w":160,"h":600,"pos":1},"bidfloor":0.76,"bidfloorcur":"USD","secure":1}],"site":{"id":"site-002","domain":"food-002.example","cat":["IAB8","IAB7"],"page":"https://food-002.example/article/65598","publisher":{"id":"pub-042","name":"Example Publisher 042"}},"device":{"ua":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36","ip":"198.19.0.225","geo":{"lat":33.8088,"lon":-84.4730,"country":"USA","region":"GA"},"devicetype":2,"os":"macOS","osv":"15.6"},"user":{"id":"635228bb-a304-59e6-b0bc-bd1ff1b2c298","buyeruid":"ce8bed0c-575f-55d8-a711-2ea37383ee44"},"at":1,"tmax":120,"cur":["USD"],"source":{"fd":1,"tid":"a5b36c34-1c85-58a2-a720-c3ee2aac1aec"},"regs":{"coppa":0,"ext":{"gdpr":0}},"event_timestamp":"2026-01-01T00:00:00.082Z","received_at":"2026-01-01T00:00:00.097Z"}"#;
//! assert_eq!(str::from_utf8(&request.value)?, document);
//! # Ok::<(), std::str::Utf8Error>(())
//! ```
//!
//! # What to look for
//!
//! | To | use |
//! |---|---|
//! | choose a stream | [`StreamSpec`]: a seed, an [`Epoch`], [`EventsPerSecond`], a [`Rate`] for each step of the funnel, [`Users`], [`KeyBy`] |
//! | add late, doubled, broken or missing records | [`Faults`], made a [`FaultPlan`] by `try_into` |
//! | place records in topics and [`Partitions`] | [`Layout`] |
//! | take records | [`Stream::records`] with a [`Window`], or [`Stream::fill`] at a [`Position`] |
//! | compare runs | [`StreamSpec::stream_id`], [`Fingerprints`] |
//!
//! Numbers make values by constructors such as [`Rate::from_percent`], which refuse what is out of range when a constant is
//! compiled. Text makes the same values by [`str::parse`], which returns a [`SpecError`].
//!
//! # Features
//!
//! Each holds the one before it: none; `verify` writes folders, reads them back and verifies them, and makes answer keys;
//! `kafka` plays runs; `cli` is the program, and the default. What they add is the program's own, has no stable interface,
//! and is hidden here.

pub use self::generator::digest::Digest;
pub use self::generator::fingerprint::Fingerprints;
pub use self::generator::record::{Header, Record};
pub use self::generator::spec::{
    Epoch, EventsPerSecond, FaultPlan, Faults, KeyBy, Layout, Partitions, Rate, SpecError, Spread, Stage, StreamSpec,
    Users,
};
pub use self::generator::stream::{Position, Stream, Window};

#[doc(hidden)]
pub mod generator;

#[cfg(feature = "verify")]
#[doc(hidden)]
pub mod metrics;

#[cfg(feature = "verify")]
#[doc(hidden)]
pub mod log;

#[cfg(feature = "verify")]
#[doc(hidden)]
pub mod files;

#[cfg(feature = "kafka")]
#[doc(hidden)]
pub mod kafka;

#[cfg(feature = "verify")]
#[doc(hidden)]
pub mod sink;

#[cfg(feature = "verify")]
#[doc(hidden)]
pub mod source;

#[cfg(feature = "kafka")]
#[doc(hidden)]
pub mod resume;

#[cfg(feature = "verify")]
#[doc(hidden)]
pub mod verify;

#[cfg(feature = "verify")]
#[doc(hidden)]
pub mod answer_key;

#[cfg(feature = "kafka")]
#[doc(hidden)]
pub mod player;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

/// The guide's Rust block is compiled and run with the documentation's examples.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide/fixtures.md")]
struct Guide;
