//! Medians and what they are worth.

use std::time::Duration;

/// A median with the interval that holds it with a confidence of 90 %.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Median {
    /// The median.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The median of a sample, and its interval from order statistics: the ranks that a binomial distribution of one
/// half leaves 5 % outside of on each side. No assumption is made of how the values are spread.
#[must_use]
pub fn median(values: &[f64]) -> Option<Median> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let middle = quantile(&sorted, 0.5)?;
    let half = 1.645 * (count as f64).sqrt() / 2.0;
    let centre = (count as f64 - 1.0) / 2.0;
    let at = |rank: f64| {
        let rank = rank.clamp(0.0, count as f64 - 1.0) as usize;
        sorted.get(rank).copied()
    };
    Some(Median {
        value: middle,
        low: at((centre - half).floor())?,
        high: at((centre + half).ceil())?,
    })
}

/// A quantile of a sorted sample.
#[must_use]
pub fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = part * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let (low, high) = (sorted.get(below)?, sorted.get(above)?);
    Some(low + (high - low) * (place - place.floor()))
}

/// Microseconds, sorted.
#[must_use]
pub fn microseconds(times: &[Duration]) -> Vec<f64> {
    let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    micros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_lies_in_its_interval() {
        let values: Vec<f64> = (1..=31).map(f64::from).collect();
        let median = median(&values).unwrap();
        assert_eq!(median.value, 16.0);
        assert!(median.low < 16.0 && median.low > 9.0, "{median:?}");
        assert!(median.high > 16.0 && median.high < 23.0, "{median:?}");
        assert_eq!(super::median(&[]), None);
    }
}
