//! This node's clock: its difference from the database's clock and from those of the other nodes.

use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A difference above this is logged.
const WARN_OFFSET_MS: i64 = 5_000;

/// A node that differs from the others by more than this is not ready: it would refuse correct callers, whose
/// signatures are valid for 15 minutes.
const MAX_OFFSET_MS: i64 = 300_000;

/// What is wrong with a clock, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockFault {
    /// This node's clock is far from the other nodes': it is not ready.
    #[error("this node's clock is {0} ms ahead of the clocks of the other nodes: correct it")]
    FarFromOthers(i64),
    /// This node's clock is wrong.
    #[error(
        "this node's clock is {0} ms ahead of the clocks of the database and the other nodes: correct it"
    )]
    Node(i64),
    /// All nodes agree, so the database's clock is wrong.
    #[error("the database's clock is {0} ms behind the clocks of all nodes: correct it")]
    Database(i64),
}

/// What is known of this node's clock.
#[derive(Debug, Default)]
pub struct Clocks(Mutex<ClockState>);

#[derive(Debug, Default)]
struct ClockState {
    /// How far it is ahead of the database's, in milliseconds.
    offset: Option<i64>,
    fault: Option<ClockFault>,
}

impl Clocks {
    /// How far this node's clock is ahead of the database's, in milliseconds.
    #[must_use]
    pub fn offset(&self) -> Option<i64> {
        self.state().offset
    }

    /// What is wrong, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<ClockFault> {
        self.state().fault
    }

    /// The database told its time between `before` and `after`.
    pub(crate) fn measure(
        &self,
        before: OffsetDateTime,
        after: OffsetDateTime,
        theirs: OffsetDateTime,
    ) {
        let middle = before + (after - before) / 2;
        self.state().offset = Some(whole_millis(middle - theirs));
    }

    /// Compares with the offsets of the live nodes; says what is wrong once.
    pub(crate) fn compare(&self, node_id: Uuid, offsets: &[(Uuid, i64)]) {
        let mut state = self.state();
        let Some(own) = state.offset else {
            return;
        };
        let others = offsets.iter().filter(|(id, _)| *id != node_id);
        let mut all: Vec<i64> = others.map(|(_, offset)| *offset).collect();
        all.push(own);
        let fault = judge_offset(own, &mut all);
        let kind = |fault: Option<ClockFault>| fault.map(|fault| std::mem::discriminant(&fault));
        if kind(fault) != kind(state.fault) {
            match &fault {
                Some(fault) => tracing::warn!(%fault, "clocks differ"),
                None => tracing::info!("clocks agree again"),
            }
        }
        state.fault = fault;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, ClockState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with a clock that is `own` ahead of the database's, among those of `all` live nodes.
fn judge_offset(own: i64, all: &mut [i64]) -> Option<ClockFault> {
    let median = median(all);
    let from_others = own.saturating_sub(median);
    if from_others.abs() > MAX_OFFSET_MS {
        Some(ClockFault::FarFromOthers(from_others))
    } else if from_others.abs() > WARN_OFFSET_MS {
        Some(ClockFault::Node(own))
    } else if own.abs() > WARN_OFFSET_MS {
        Some(ClockFault::Database(own))
    } else {
        None
    }
}

/// The one in the middle; of two, the one that the database's clock speaks for.
fn median(all: &mut [i64]) -> i64 {
    all.sort_unstable();
    let middle = all.len() / 2;
    let upper = all.get(middle).copied().unwrap_or_default();
    match (all.len() % 2, middle.checked_sub(1)) {
        (0, Some(lower)) => {
            let lower = all.get(lower).copied().unwrap_or_default();
            if lower.abs() < upper.abs() {
                lower
            } else {
                upper
            }
        }
        _ => upper,
    }
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.whole_milliseconds()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn clock_check_names_a_node_far_from_the_others_or_a_database_far_from_all() {
        let judge = |own: i64, others: &[i64]| {
            let mut all = others.to_vec();
            all.push(own);
            judge_offset(own, &mut all)
        };
        assert_eq!(judge(0, &[10, -20]), None);
        assert_eq!(judge(5_000, &[0, 0]), None);
        let far = 20 * MINUTE;
        for (own, others) in [(far, vec![0, 0]), (far, vec![0]), (-far, vec![1, 2, 3])] {
            let fault = judge(own, &others);
            assert!(
                matches!(fault, Some(ClockFault::FarFromOthers(_))),
                "{fault:?}"
            );
            // The others go on.
            let mut of_all = others.clone();
            of_all.push(own);
            assert_eq!(super::judge_offset(others[0], &mut of_all), None);
        }
        assert_eq!(judge(6_000, &[0, 0]), Some(ClockFault::Node(6_000)));
        for others in [vec![], vec![far + 5], vec![far, far - 7]] {
            assert_eq!(judge(far, &others), Some(ClockFault::Database(far)));
        }
    }
}
