//! The only place that reads a clock for decisions. Everything else takes the time as a parameter.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use time::{OffsetDateTime, UtcOffset, macros::format_description};

use akgate_rules::position::BootInstant;

/// Where the time comes from, so that a test can move it.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, UTC.
    fn now(&self) -> OffsetDateTime;

    /// The time since boot, from a clock that keeps running while the machine sleeps and cannot be set.
    fn since_boot(&self) -> BootInstant {
        let now = clock_gettime(BOOT_CLOCK);
        let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
        BootInstant(Duration::new(
            seconds.unwrap_or_default(),
            nanos.unwrap_or_default(),
        ))
    }
}

#[cfg(target_os = "linux")]
const BOOT_CLOCK: ClockId = ClockId::Boottime;

/// Elsewhere the monotonic clock is the nearest to it.
#[cfg(not(target_os = "linux"))]
const BOOT_CLOCK: ClockId = ClockId::Monotonic;

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// The latest time that was ever seen, so that what has expired stays expired if the clock steps back. The database
/// stores it between restarts ([`crate::live::membership`]).
#[derive(Debug, Default)]
pub struct LatestTime(AtomicI64);

impl LatestTime {
    /// The later of this time and the latest that was seen before.
    pub fn see(&self, now: OffsetDateTime) -> OffsetDateTime {
        let seen = unix_micros(now);
        let before = self.0.load(Ordering::Acquire);
        // Every call asks: the cores do not write to one place for each.
        if seen > before.saturating_add(LATEST_TIME_PRECISION) {
            self.0.fetch_max(seen, Ordering::AcqRel);
        }
        match before > seen {
            true => {
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(before) * 1000).unwrap_or(now)
            }
            false => now,
        }
    }
}

/// How precisely the latest time is kept, in microseconds.
const LATEST_TIME_PRECISION: i64 = 100_000;

fn unix_micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// Formats an instant to the minute, in UTC, without the zone.
#[must_use]
pub fn format_utc_minute(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]");
    at.to_offset(UtcOffset::UTC)
        .format(form)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn latest_time_never_goes_back() {
        let latest = LatestTime::default();
        let noon = datetime!(2026-11-30 12:00 UTC);
        assert_eq!(latest.see(noon), noon);
        assert_eq!(latest.see(noon - Duration::HOUR), noon);
        let later = noon + Duration::SECOND;
        assert_eq!(latest.see(later), later);
        assert_eq!(latest.see(noon), later);
    }
}
