//! Numbers that are printed from integers: a float's text would belong to a dependency.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::generator::money::Money;

/// Money as a JSON number with exactly two decimals: `0.50`.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(transparent))]
pub struct Cents(#[cfg_attr(feature = "cli", schemars(with = "f64", range(min = 0)))] pub Money);

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(self.0, serializer)
    }
}

/// Degrees as a JSON number with exactly four decimals, from units of 1e-4: `-122.4194`.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(transparent))]
pub struct Degrees(#[cfg_attr(feature = "cli", schemars(with = "f64", range(min = -180, max = 180)))] pub i32);

impl fmt::Display for Degrees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:04}", units / 10_000, units % 10_000)
    }
}

impl Serialize for Degrees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(self, serializer)
    }
}

fn number<S: Serializer>(text: impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    RawValue::from_string(text.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_keep_four_decimals_and_their_sign() {
        let shown = [0, 1, -1, -1_224_194, 377_749, 1_000_000].map(|e4| Degrees(e4).to_string());
        assert_eq!(shown, ["0.0000", "0.0001", "-0.0001", "-122.4194", "37.7749", "100.0000"]);
    }
}
