//! The pool of sites, made ready once for a stream.

use crate::generator::catalog::sites::{CATEGORY_COUNT_PERCENT, PUBLISHERS, SITE_WEIGHT, SITES, SUBJECTS};
use crate::generator::random::{Alias, Lanes, Words};

/// A site and its publisher.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its place in [`Auctions::sites`](super::Auctions::sites), counted from 0.
    pub row: usize,
    /// `site-042`.
    pub id: String,
    /// `news-042.example`.
    pub domain: String,
    /// One to three IAB codes, the subject's own first.
    pub categories: Vec<&'static str>,
    /// `pub-017`.
    pub publisher_id: String,
    /// `Example Publisher 017`.
    pub publisher_name: String,
}

/// All sites and their popularity.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    sites: Vec<Site>,
    popularity: Alias,
}

impl Pool {
    pub(super) fn new(seed: u64) -> Self {
        let lanes = Lanes::new("site", seed);
        let subjects = Alias::new(&SUBJECTS.map(|subject| subject.weight));
        let category_counts = Alias::new(&CATEGORY_COUNT_PERCENT);
        let sites = (1..=SITES).map(|rank| site(rank, &lanes.words(u64::from(rank)), &subjects, &category_counts));
        let weights: Vec<u32> = (1..=u32::from(SITES)).map(|rank| SITE_WEIGHT / rank).collect();
        Self { sites: sites.collect(), popularity: Alias::new(&weights) }
    }

    /// All sites.
    pub(super) fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// A site by popularity; takes two words.
    pub(super) fn pick(&self, words: &impl Words, position: usize) -> &Site {
        &self.sites[self.popularity.pick(words, position)]
    }
}

/// The site of a rank. Words: 0 and 1 the subject, 2 and 3 how many categories, 4 and 5 which, 6 the publisher.
fn site(rank: u16, words: &impl Words, subjects: &Alias, category_counts: &Alias) -> Site {
    let subject = &SUBJECTS[subjects.pick(words, 0)];
    let count = category_counts.pick(words, 2) + 1;
    let mut others = subject.categories[1..].to_vec();
    let mut categories = vec![subject.categories[0]];
    for position in 4..3 + count {
        categories.push(others.remove(words.uniform_below(position, others.len() as u32) as usize));
    }
    let publisher = 1 + words.uniform_below(6, PUBLISHERS);
    Site {
        row: usize::from(rank - 1),
        id: format!("site-{rank:03}"),
        domain: format!("{}-{rank:03}.example", subject.name),
        categories,
        publisher_id: format!("pub-{publisher:03}"),
        publisher_name: format!("Example Publisher {publisher:03}"),
    }
}
