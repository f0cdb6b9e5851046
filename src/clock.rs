//! The one place that reads the wall clock. Everything else takes the time as a parameter.

use time::{OffsetDateTime, UtcOffset, macros::format_description};

/// Where the time comes from, so that a test can move it.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, UTC.
    fn now(&self) -> OffsetDateTime;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// An instant as people who work with akgate are shown it: to the minute, in UTC; whoever shows it says so.
#[must_use]
pub fn utc_minute(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]");
    at.to_offset(UtcOffset::UTC)
        .format(form)
        .unwrap_or_default()
}
