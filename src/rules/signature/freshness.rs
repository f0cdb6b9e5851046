//! How old a signature may be.

use std::time::SystemTime;

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::fault::Fault;

/// A signed time may lie this far before or after ours: "valid for 15 minutes" in the vendor's page on
/// the V3 request structure.
pub const FRESHNESS_WINDOW: Duration = Duration::minutes(15);

/// Both sides of the window and a minute: how long a nonce must be remembered so that none comes back
/// while its time is still fresh.
pub const NONCE_MEMORY: Duration = Duration::minutes(31);

/// Checks that a signed time lies within [`FRESHNESS_WINDOW`] of `now`, edges included.
///
/// # Errors
/// [`Fault::TimestampExpired`].
pub fn check_freshness(signed_at: OffsetDateTime, now: OffsetDateTime) -> Result<(), Fault> {
    if (now - signed_at).abs() <= FRESHNESS_WINDOW {
        Ok(())
    } else {
        Err(Fault::TimestampExpired)
    }
}

/// Reads `yyyy-MM-ddTHH:mm:ssZ`; one client is known to add a fraction.
pub(crate) fn parse_timestamp(text: &str) -> Result<OffsetDateTime, Fault> {
    if !text.ends_with('Z') {
        return Err(Fault::TimestampFormat);
    }
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| Fault::TimestampFormat)
}

/// Reads an HTTP date (RFC 9110, section 5.6.7).
pub(crate) fn parse_http_date(text: &str) -> Result<OffsetDateTime, Fault> {
    httpdate::parse_http_date(text)
        .map(|date: SystemTime| OffsetDateTime::from(date))
        .map_err(|_| Fault::TimestampFormat)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn window_ends_at_fifteen_minutes_on_both_sides() {
        let now = datetime!(2026-11-24 12:00:00 UTC);
        for edge in [FRESHNESS_WINDOW, -FRESHNESS_WINDOW] {
            assert_eq!(check_freshness(now + edge, now), Ok(()));
        }
        for beyond in [
            FRESHNESS_WINDOW + Duration::SECOND,
            -FRESHNESS_WINDOW - Duration::SECOND,
        ] {
            assert_eq!(
                check_freshness(now + beyond, now),
                Err(Fault::TimestampExpired)
            );
        }
    }

    #[test]
    fn only_utc_timestamps_are_accepted() {
        assert!(parse_timestamp("2026-11-24T12:00:00Z").is_ok());
        assert!(parse_timestamp("2026-11-24T12:00:00.973Z").is_ok());
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T12:00:00+08:00",
            "2026-11-24T12:00:00",
            "Z",
        ] {
            assert_eq!(parse_timestamp(text), Err(Fault::TimestampFormat), "{text}");
        }
    }
}
