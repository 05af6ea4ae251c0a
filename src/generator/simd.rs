//! Vector instructions: batches are computed in columns, several numbers at a time, by what the processor has at run time.
//!
//! A column holds one number of each of 16 things that are computed side by side, whatever the processor's own width is: 16
//! numbers of 32 bits are one vector of AVX-512, two of AVX2, four of SSE2 or NEON. So results do not depend on the processor; property
//! tests hold each column equal to the definition by the piece.

use std::sync::atomic::{AtomicUsize, Ordering};

use fearless_simd::Level;
use fearless_simd::prelude::*;

/// Things that are computed side by side.
pub(crate) const WIDTH: usize = 16;

/// One number of each of [`WIDTH`] things.
pub(crate) type Column = [u32; WIDTH];

/// One more than the place among [`levels`] of the instructions that were chosen; 0 for the best that the processor has.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// The instructions that batches are computed by.
pub(crate) fn level() -> Level {
    let chosen = CHOSEN.load(Ordering::Relaxed);
    let level = chosen.checked_sub(1).and_then(|place| levels().into_iter().flatten().nth(place));
    level.unwrap_or_else(Level::new)
}

/// Each number, its bits rotated to the left.
#[expect(clippy::inline_always, reason = "what is not inlined is compiled without the vector instructions")]
#[inline(always)]
pub(crate) fn rotated<S: Simd, const BY: u32>(numbers: S::u32s) -> S::u32s {
    (numbers << BY) | (numbers >> (32 - BY))
}

/// The names of the instructions that this processor has for batches, from the narrowest on: of `sse2`, `sse4.2`, `avx2`, `avx512`,
/// `neon`, or `none` where it has none of these.
#[must_use]
pub fn available() -> Vec<&'static str> {
    levels().into_iter().flatten().map(name_of).collect()
}

/// Has all batches of this process computed by other instructions than the best that the processor has. Nothing else changes: it is for
/// tests, and to rule the processor out as a cause.
///
/// # Errors
/// If this processor has no instructions of that name; nothing is changed then.
///
/// ```
/// use mock_data_gen::generator::simd;
///
/// for name in simd::available() {
///     simd::choose(name)?;
/// }
/// assert!(simd::choose("mmx").is_err());
/// # Ok::<(), simd::UnavailableError>(())
/// ```
pub fn choose(name: &str) -> Result<(), UnavailableError> {
    let place =
        available().iter().position(|of| *of == name).ok_or_else(|| UnavailableError { name: name.to_owned() })?;
    CHOSEN.store(place + 1, Ordering::Relaxed);
    Ok(())
}

/// Instructions that are not known, or that this processor does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` names no instructions that this processor has for batches; it has {}", available().join(", "))]
pub struct UnavailableError {
    name: String,
}

/// All levels that this processor has, from the narrowest on.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub(crate) fn levels() -> [Option<Level>; 4] {
    let best = Level::new();
    [
        best.as_sse2().map(Level::Sse2),
        best.as_sse4_2().map(Level::Sse4_2),
        best.as_avx2().map(Level::Avx2),
        best.as_avx512().map(Level::Avx512),
    ]
}

/// All levels that this processor has, from the narrowest on.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
pub(crate) fn levels() -> [Option<Level>; 1] {
    [Some(Level::new())]
}

fn name_of(level: Level) -> &'static str {
    match level {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Sse2(_) => "sse2",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Sse4_2(_) => "sse4.2",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Avx2(_) => "avx2",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Avx512(_) => "avx512",
        #[cfg(target_arch = "aarch64")]
        Level::Neon(_) => "neon",
        _ => "none",
    }
}
