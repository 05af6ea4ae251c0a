//! The sites that ads are shown on: 500, popularity falling as 1/rank, each with a subject of its own.
//!
//! All names end in `.example` (RFC 2606): nothing in the data points at a real host, person or brand.

/// Number of sites. Site `r` (1-based) is `site-00r`, and `r` is also its rank in popularity.
pub const SITES: u16 = 500;

/// Weight of the site of rank 1; rank `r` weighs `SITE_WEIGHT / r`, rounded down: a Zipf shape with exponent 1.
pub const SITE_WEIGHT: u32 = 1_000_000;

/// Number of publishers, `pub-001` … `pub-150`; each site belongs to one, drawn uniformly.
pub const PUBLISHERS: u32 = 150;

/// How many category codes a site has, weights in percent: one 50, two 30, three 20.
pub const CATEGORY_COUNT_PERCENT: [u32; 3] = [50, 30, 20];

/// Article numbers run from 1 to this: the path of `site.page`.
pub const ARTICLES: u32 = 100_000;

/// What a site writes about.
#[derive(Debug)]
pub struct Subject {
    /// First part of the domain: `news` of `news-042.example`.
    pub name: &'static str,
    /// Share of the sites, in percent.
    pub weight: u32,
    /// IAB Content Taxonomy 1.0 tier-1 codes: the first is always sent, the others when the site has more than one.
    /// IAB24–IAB26 (uncategorised, non-standard, illegal) never occur.
    pub categories: [&'static str; 4],
}

/// The subjects; their weights add up to 100. Together they use each of IAB1–IAB23.
pub const SUBJECTS: [Subject; 14] = [
    Subject { name: "news", weight: 16, categories: ["IAB12", "IAB11", "IAB3", "IAB15"] },
    Subject { name: "sports", weight: 10, categories: ["IAB17", "IAB12", "IAB9", "IAB7"] },
    Subject { name: "tech", weight: 10, categories: ["IAB19", "IAB15", "IAB3", "IAB5"] },
    Subject { name: "movies", weight: 9, categories: ["IAB1", "IAB14", "IAB9", "IAB18"] },
    Subject { name: "food", weight: 8, categories: ["IAB8", "IAB10", "IAB7", "IAB6"] },
    Subject { name: "travel", weight: 8, categories: ["IAB20", "IAB8", "IAB9", "IAB14"] },
    Subject { name: "finance", weight: 7, categories: ["IAB13", "IAB3", "IAB12", "IAB21"] },
    Subject { name: "health", weight: 6, categories: ["IAB7", "IAB6", "IAB8", "IAB15"] },
    Subject { name: "style", weight: 6, categories: ["IAB18", "IAB22", "IAB14", "IAB1"] },
    Subject { name: "cars", weight: 5, categories: ["IAB2", "IAB19", "IAB22", "IAB17"] },
    Subject { name: "games", weight: 5, categories: ["IAB9", "IAB1", "IAB19", "IAB5"] },
    Subject { name: "home", weight: 4, categories: ["IAB10", "IAB21", "IAB16", "IAB22"] },
    Subject { name: "careers", weight: 3, categories: ["IAB4", "IAB5", "IAB3", "IAB11"] },
    Subject { name: "family", weight: 3, categories: ["IAB6", "IAB23", "IAB16", "IAB14"] },
];
