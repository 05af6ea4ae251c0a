//! Weighted choice in constant time: the alias method over exact integer weights.

use super::words::{Words, uniform_below};

/// A table of weighted choices. A pick takes two words: one chooses a column, one decides between its two entries.
///
/// Each entry's probability is its weight over the sum of the weights, off by less than 2^-31.
#[derive(Debug, Clone)]
pub struct Alias {
    total: u32,
    columns: Vec<Column>,
}

/// A column belongs to its own entry below `threshold` of `total`, else to `other`.
#[derive(Debug, Clone, Copy)]
struct Column {
    threshold: u32,
    other: u16,
}

impl Alias {
    /// Builds the table. The order in which columns are filled is part of the stream law: entries are taken from the highest
    /// index down, first the light ones, then the heavy ones.
    ///
    /// # Panics
    /// If there is no weight, more than 65,536 of them, or their sum is 0 or above 2^32 − 1. The tables of this crate are
    /// constants, so that is a mistake of the program, not of its user.
    #[must_use]
    pub fn new(weights: &[u32]) -> Self {
        let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        assert!(total > 0 && u32::try_from(total).is_ok() && weights.len() <= 1 << 16, "no table of {total}");
        let count = weights.len() as u64;
        let mut share: Vec<u64> = weights.iter().map(|&weight| u64::from(weight) * count).collect();
        let mut columns: Vec<Column> =
            (0..weights.len()).map(|index| Column { threshold: total as u32, other: index as u16 }).collect();
        let (mut light, mut heavy): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&index| share[index] < total);
        while let (Some(small), Some(&large)) = (light.pop(), heavy.last()) {
            columns[small] = Column { threshold: share[small] as u32, other: large as u16 };
            share[large] -= total - share[small];
            if share[large] < total {
                heavy.pop();
                light.push(large);
            }
        }
        Self { total: total as u32, columns }
    }

    /// The entry that the words at `position` and `position + 1` choose.
    #[must_use]
    pub fn pick(&self, words: &impl Words, position: usize) -> usize {
        let index = words.uniform_below(position, self.columns.len() as u32) as usize;
        let column = self.columns[index];
        if uniform_below(words.word(position + 1), self.total) < column.threshold {
            index
        } else {
            usize::from(column.other)
        }
    }

    /// Each entry's exact probability in units of `1 / (total * columns)`: the weights times the number of columns again.
    #[cfg(test)]
    fn shares(&self) -> Vec<u64> {
        let mut shares = vec![0u64; self.columns.len()];
        for (index, column) in self.columns.iter().enumerate() {
            shares[index] += u64::from(column.threshold);
            shares[usize::from(column.other)] += u64::from(self.total - column.threshold);
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// forall weights w: the table gives entry i exactly w[i] / sum(w).
        #[test]
        fn the_table_holds_the_weights_exactly(weights in prop::collection::vec(0u32..1_000_000, 1..600)) {
            prop_assume!(weights.iter().any(|&weight| weight > 0));
            let count = weights.len() as u64;
            let expected: Vec<u64> = weights.iter().map(|&weight| u64::from(weight) * count).collect();
            prop_assert_eq!(Alias::new(&weights).shares(), expected);
        }
    }
}
