//! Dates and times as scanners and people write them.

use time::{
    Date, Month, OffsetDateTime, Time, UtcOffset,
    format_description::well_known::{Rfc2822, Rfc3339},
};

/// Reads a time: RFC 3339 or 2822, `2026-10-01`, `2026/10/01 10:00`, `2026年10月1日`, `2026-11-16 10:17:40 +0000 UTC`,
/// `Thu Nov 5 10:00:00 2026 +0800`, seconds or milliseconds since 1970. Without a zone, it is UTC.
#[must_use]
pub fn parse_instant(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, &Rfc2822))
        .ok()
        .or_else(|| since_1970(text))
        .or_else(|| numeric(text))
        .or_else(|| with_month_name(text))
}

fn since_1970(text: &str) -> Option<OffsetDateTime> {
    let (whole, _) = text.split_once('.').unwrap_or((text, ""));
    let number: i64 = whole.parse().ok()?;
    match whole.len() {
        9..=10 => OffsetDateTime::from_unix_timestamp(number).ok(),
        12..=13 => OffsetDateTime::from_unix_timestamp(number / 1000).ok(),
        _ => None,
    }
}

/// A date of three numbers, the year first; then a time and a zone, if they are told.
fn numeric(text: &str) -> Option<OffsetDateTime> {
    let text = text.replace(['年', '月'], "-").replace('日', " ");
    let text = text.trim();
    let is_date = |c: char| c.is_ascii_digit() || matches!(c, '-' | '/' | '.');
    let end = text.find(|c| !is_date(c)).unwrap_or(text.len());
    let (date, rest) = text.split_at_checked(end)?;
    let date = match date.len() {
        8 if date.bytes().all(|b| b.is_ascii_digit()) => Date::from_calendar_date(
            date.get(..4)?.parse().ok()?,
            month(date.get(4..6)?)?,
            date.get(6..)?.parse().ok()?,
        ),
        _ => {
            let mut parts = date.split(['-', '/', '.']);
            let (year, second, day) = (parts.next()?, parts.next()?, parts.next()?);
            if parts.next().is_some() {
                return None;
            }
            let (year, second, day) = match (year.len(), day.len()) {
                (4, _) => (year, second, day),
                (_, 4) => day_first(year, second, day, date.contains('/'))?,
                _ => return None,
            };
            Date::from_calendar_date(year.parse().ok()?, month(second)?, day.parse().ok()?)
        }
    };
    let (time, offset) = clock(rest.trim_start_matches(['T', 't', ' ', '_', ',']))?;
    Some(date.ok()?.with_time(time).assume_offset(offset))
}

/// Year, month and day of `31.10.2026`, `31/10/2026` and `10/31/2026`; with slashes, only where it is clear which is
/// the month.
fn day_first<'t>(
    first: &'t str,
    second: &'t str,
    year: &'t str,
    has_slashes: bool,
) -> Option<(&'t str, &'t str, &'t str)> {
    let is_day = |text: &str| text.parse::<u8>().is_ok_and(|number| number > 12);
    match (has_slashes, is_day(first), is_day(second)) {
        (false, _, false) | (true, true, false) => Some((year, second, first)),
        (true, false, true) => Some((year, first, second)),
        _ => None,
    }
}

fn month(text: &str) -> Option<Month> {
    Month::try_from(text.parse::<u8>().ok()?).ok()
}

/// `10:00`, `10:00:00.123Z`, `10:17:40 +0000 UTC`, or nothing, which is midnight.
fn clock(text: &str) -> Option<(Time, UtcOffset)> {
    let text = text.trim();
    if text.is_empty() {
        return Some((Time::MIDNIGHT, UtcOffset::UTC));
    }
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',')))
        .unwrap_or(text.len());
    let (time, zone) = text.split_at_checked(end)?;
    let (time, _) = time.split_once(['.', ',']).unwrap_or((time, ""));
    let mut parts = time.split(':').map(|part| part.parse::<u8>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() {
        return None;
    }
    let (hour, zone) = half_day(hour, zone.trim());
    let time = Time::from_hms(hour, minute, second.min(59)).ok()?;
    Some((time, zone_of(zone)?))
}

/// `AM` and `PM`.
fn half_day(hour: u8, zone: &str) -> (u8, &str) {
    let half = zone.get(..2).map(str::to_ascii_uppercase);
    let rest = || zone.get(2..).unwrap_or_default().trim();
    match half.as_deref() {
        Some("AM") => (hour % 12, rest()),
        Some("PM") => (hour % 12 + 12, rest()),
        _ => (hour, zone),
    }
}

/// An offset, whatever name stands after it; a name alone only where it means UTC.
fn zone_of(text: &str) -> Option<UtcOffset> {
    let zone = text.split_whitespace().next().unwrap_or_default();
    if matches!(zone, "" | "Z" | "z" | "UTC" | "GMT") {
        return Some(UtcOffset::UTC);
    }
    let (sign, digits) = match zone.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, zone.strip_prefix('+')?),
    };
    let digits = digits.replace(':', "");
    let hours: i8 = digits.get(..2)?.parse().ok()?;
    let minutes: i8 = match digits.get(2..)? {
        "" => 0,
        minutes => minutes.parse().ok()?,
    };
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// `Thu Nov 5 10:00:00 2026 +0800`, `5 Nov 2026 10:00`, `Nov 5, 2026`.
fn with_month_name(text: &str) -> Option<OffsetDateTime> {
    let (mut day, mut year, mut named) = (None, None, None);
    let (mut time, mut offset) = (Time::MIDNIGHT, UtcOffset::UTC);
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        if word.contains(':') && !word.starts_with(['+', '-']) {
            (time, _) = clock(word)?;
        } else if let Some(found) = month_named(word) {
            named = Some(found);
        } else if let Ok(number) = word.parse::<i32>()
            && !word.starts_with(['+', '-'])
        {
            match number {
                1..=31 if day.is_none() => day = u8::try_from(number).ok(),
                1000..=9999 => year = Some(number),
                _ => return None,
            }
        } else if let Some(found) = zone_of(word) {
            offset = found;
        } else if !is_weekday(word) {
            return None;
        }
    }
    let date = Date::from_calendar_date(year?, named?, day?).ok()?;
    Some(date.with_time(time).assume_offset(offset))
}

fn month_named(word: &str) -> Option<Month> {
    let names = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    let head = word.get(..3)?;
    let index = names.iter().position(|name| *name == head)?;
    Month::try_from(u8::try_from(index + 1).ok()?).ok()
}

fn is_weekday(word: &str) -> bool {
    let head = word.get(..3).map(str::to_ascii_lowercase);
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    head.is_some_and(|head| names.contains(&head.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, read) in [
            ("2026-10-01T10:00:00Z", "2026-10-01T10:00:00Z"),
            ("2021-07-15T22:00:32+07:00", "2021-07-15T22:00:32+07:00"),
            ("2026-10-01", "2026-10-01T00:00:00Z"),
            ("2026-10-01 10:00:00", "2026-10-01T10:00:00Z"),
            ("2026/10/1 9:05", "2026-10-01T09:05:00Z"),
            ("2026.10.01", "2026-10-01T00:00:00Z"),
            ("01.10.2026 10:00", "2026-10-01T10:00:00Z"),
            ("31/10/2026", "2026-10-31T00:00:00Z"),
            ("10/31/2026", "2026-10-31T00:00:00Z"),
            ("20261001", "2026-10-01T00:00:00Z"),
            ("2026年10月1日 10:00", "2026-10-01T10:00:00Z"),
            ("2026-11-16 10:17:40 +0000", "2026-11-16T10:17:40Z"),
            (
                "2022-06-16 10:17:40 -0700 -0700",
                "2022-06-16T10:17:40-07:00",
            ),
            (
                "2022-06-16 10:17:40.123456 +0000 UTC",
                "2022-06-16T10:17:40Z",
            ),
            (
                "Thu, 5 Nov 2026 10:00:00 +0800",
                "2026-11-05T10:00:00+08:00",
            ),
            ("Thu Nov 5 10:00:00 2026 +0800", "2026-11-05T10:00:00+08:00"),
            ("5 Nov 2026", "2026-11-05T00:00:00Z"),
            ("Nov 5, 2026 10:00", "2026-11-05T10:00:00Z"),
            ("2026-10-01 1:30 PM", "2026-10-01T13:30:00Z"),
            ("1790000000", "2026-09-21T14:13:20Z"),
            ("1790000000000", "2026-09-21T14:13:20Z"),
        ] {
            let shown = parse_instant(text).map(|at| at.format(&Rfc3339).unwrap());
            assert_eq!(shown.as_deref(), Some(read), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "bad",
            "10/01/2026",
            "2026-13-01",
            "2026-10-01 25:00",
            "12",
            "2026-10-01 10:00 CST",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }
}
