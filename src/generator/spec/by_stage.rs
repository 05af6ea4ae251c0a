//! One value for each stage.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use super::Stage;

/// One value for each stage of the funnel.
///
/// ```
/// use mock_data_gen::Stage;
/// use mock_data_gen::generator::spec::ByStage;
///
/// let mut counts = ByStage::from_fn(|_| 0);
/// counts[Stage::Click] += 2;
/// assert_eq!(counts.iter().find(|(_, count)| **count > 0), Some((Stage::Click, &2)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ByStage<T>([T; Stage::ALL.len()]);

impl<T> ByStage<T> {
    /// What a function makes of each stage.
    #[must_use]
    pub fn from_fn(f: impl FnMut(Stage) -> T) -> Self {
        Self(Stage::ALL.map(f))
    }

    /// Each stage with its value, in funnel order.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, &T)> {
        Stage::ALL.into_iter().zip(&self.0)
    }

    /// The values in funnel order.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The values in funnel order, to be changed.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// The same with each value changed by a function.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> ByStage<U> {
        ByStage(self.0.map(f))
    }

    /// References to the values.
    #[must_use]
    pub fn each_ref(&self) -> ByStage<&T> {
        ByStage(self.0.each_ref())
    }

    /// The values in funnel order.
    #[must_use]
    pub fn into_array(self) -> [T; Stage::ALL.len()] {
        self.0
    }
}

impl<T> From<[T; Stage::ALL.len()]> for ByStage<T> {
    /// Values in funnel order.
    fn from(values: [T; Stage::ALL.len()]) -> Self {
        Self(values)
    }
}

impl<T> Index<Stage> for ByStage<T> {
    type Output = T;

    fn index(&self, stage: Stage) -> &T {
        &self.0[stage.index()]
    }
}

impl<T> IndexMut<Stage> for ByStage<T> {
    fn index_mut(&mut self, stage: Stage) -> &mut T {
        &mut self.0[stage.index()]
    }
}
