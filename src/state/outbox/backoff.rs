//! How long after a failed attempt the next one is made, for letters and events alike.

use std::time::Duration;

use rand::{Rng, RngExt};

/// The first pause, in seconds.
const FIRST: i64 = 30;

/// The longest pause, in seconds.
const LONGEST: i64 = 3600;

/// The pause after an attempt, the first of which is 1: 30 seconds, twice as long each time, an hour at most, and no less
/// than the receiver asks for up to that. Up to a tenth is added, so that what failed together does not come back
/// together.
#[must_use]
pub fn retry_delay(attempt: i32, asked: Option<Duration>, rng: &mut impl Rng) -> time::Duration {
    let doubled = FIRST << attempt.saturating_sub(1).clamp(0, 7);
    let asked = asked.map_or(0, |asked| {
        i64::try_from(asked.as_secs()).unwrap_or(i64::MAX)
    });
    let seconds = doubled.max(asked).min(LONGEST);
    time::Duration::seconds(seconds + rng.random_range(0..=seconds / 10))
}
