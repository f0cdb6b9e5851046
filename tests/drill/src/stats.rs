//! What a sample of times looks like.

use std::fmt;

use serde::Serialize;

/// Quantiles, in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Spread {
    /// How many values.
    pub count: usize,
    /// The median.
    pub p50: f64,
    /// 90 % are at most this.
    pub p90: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        // The nearest rank: a value that was measured.
        let at = |percent: usize| {
            let rank = (count * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().unwrap_or_default()
        };
        Self {
            count,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("none");
        }
        write!(
            f,
            "p50 {:.0}  p90 {:.0}  p99 {:.0}  max {:.0} ms  ({})",
            self.p50, self.p90, self.p99, self.max, self.count
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let spread: Spread = (1..=200).map(f64::from).collect();
        assert_eq!(
            (spread.p50, spread.p90, spread.p99, spread.max),
            (100.0, 180.0, 198.0, 200.0)
        );
        assert_eq!(Spread::from_iter([]).count, 0);
    }
}
