//! The wire shapes: one file a document, fields in document order, no logic.
//!
//! They are the product document's shapes. Impressions and clicks are not OpenRTB objects; they stand here because they
//! travel with them.

mod bid_request;
mod bid_response;
mod click;
mod impression;
mod number;

pub use self::bid_request::{Banner, BidRequest, Device, Geo, Imp, Publisher, Regs, RegsExt, Site, Source, User};
pub use self::bid_response::{Bid, BidResponse, BidResponseExt, SeatBid};
pub use self::click::Click;
pub use self::impression::Impression;
pub use self::number::{Cents, Degrees};
