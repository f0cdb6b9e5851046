//! The escalation ladder: what follows while a leaked pair goes on working.
//!
//! Facts drive it, never clicks: only a pair that is disabled or deleted stops it. Time counts from when somebody
//! was first told, for every step is announced in a letter before it is taken.

use time::{Duration, OffsetDateTime};

/// When the steps are due, each since the owner was told. A step without a time is never taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// Reminders, the earliest first.
    pub reminders: Vec<Duration>,
    /// From when on sensitive reads are refused as well.
    pub sensitive_reads: Option<Duration>,
    /// When those contacts are told who were not told at first.
    pub next_contacts: Option<Duration>,
    /// When operators are asked to disable the pair.
    pub disabling: Option<Duration>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            reminders: [24, 72, 168].map(Duration::hours).to_vec(),
            sensitive_reads: Some(Duration::hours(24)),
            next_contacts: Some(Duration::hours(72)),
            disabling: Some(Duration::hours(168)),
        }
    }
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Those who were told are told again.
    Remind,
    /// Sensitive reads are refused as well.
    Widen,
    /// The next contacts are told.
    TellNextContacts,
    /// Operators are asked to disable the pair.
    ProposeDisabling,
}

/// How far up a restriction is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Reminders sent.
    pub reminders: usize,
    /// Sensitive reads are refused.
    pub widened: bool,
    /// The next contacts have been told.
    pub next_contacts: bool,
    /// Operators have been asked.
    pub disabling: bool,
}

impl Taken {
    /// How far up it is once these steps are taken, and so many reminders are over.
    #[must_use]
    pub fn after(self, steps: &[Step], reminders: usize) -> Self {
        Self {
            reminders: self.reminders.max(reminders),
            widened: self.widened || steps.contains(&Step::Widen),
            next_contacts: self.next_contacts || steps.contains(&Step::TellNextContacts),
            disabling: self.disabling || steps.contains(&Step::ProposeDisabling),
        }
    }
}

impl Ladder {
    /// The steps that are due, in order, each once: of reminders that were missed together, one.
    #[must_use]
    pub fn due(&self, told_at: OffsetDateTime, taken: Taken, now: OffsetDateTime) -> Vec<Step> {
        let mut due: Vec<Step> = Vec::new();
        for (step, at) in self.ahead(told_at, taken) {
            if at <= now && !due.contains(&step) {
                due.push(step);
            }
        }
        due
    }

    /// How many reminders are over by now.
    #[must_use]
    pub fn reminders_until(&self, told_at: OffsetDateTime, now: OffsetDateTime) -> usize {
        self.reminders
            .iter()
            .filter(|&&after| told_at + after <= now)
            .count()
    }

    /// The steps that are not taken yet and when each will be, the earliest first: what a letter announces.
    #[must_use]
    pub fn ahead(&self, told_at: OffsetDateTime, taken: Taken) -> Vec<(Step, OffsetDateTime)> {
        let reminders = self.reminders.iter().skip(taken.reminders);
        let mut ahead: Vec<(Step, OffsetDateTime)> = reminders
            .map(|&after| (Step::Remind, told_at + after))
            .collect();
        for (step, after, is_taken) in [
            (Step::Widen, self.sensitive_reads, taken.widened),
            (
                Step::TellNextContacts,
                self.next_contacts,
                taken.next_contacts,
            ),
            (Step::ProposeDisabling, self.disabling, taken.disabling),
        ] {
            if let Some(after) = after.filter(|_| !is_taken) {
                ahead.push((step, told_at + after));
            }
        }
        ahead.sort_by_key(|(_, at)| *at);
        ahead
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const TOLD: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

    fn due(taken: Taken, hours: i64) -> Vec<Step> {
        Ladder::default().due(TOLD, taken, TOLD + Duration::hours(hours))
    }

    #[test]
    fn step_is_due_at_its_hour_and_once() {
        let mut taken = Taken::default();
        for (hours, steps) in [
            (23, vec![]),
            (24, vec![Step::Remind, Step::Widen]),
            (71, vec![]),
            (72, vec![Step::Remind, Step::TellNextContacts]),
            (168, vec![Step::Remind, Step::ProposeDisabling]),
            (10_000, vec![]),
        ] {
            assert_eq!(due(taken, hours), steps, "after {hours} hours");
            let now = TOLD + Duration::hours(hours);
            taken = taken.after(&steps, Ladder::default().reminders_until(TOLD, now));
        }
    }

    #[test]
    fn missed_reminders_are_combined() {
        assert_eq!(
            due(Taken::default(), 100),
            [Step::Remind, Step::Widen, Step::TellNextContacts]
        );
        let now = TOLD + Duration::hours(100);
        assert_eq!(Ladder::default().reminders_until(TOLD, now), 2);
    }

    #[test]
    fn steps_ahead_are_listed_in_order() {
        let ahead = Ladder::default().ahead(TOLD, Taken::default());
        let hours: Vec<i64> = ahead
            .iter()
            .map(|(_, at)| (*at - TOLD).whole_hours())
            .collect();
        assert_eq!(hours, [24, 24, 72, 72, 168, 168]);
    }

    #[test]
    fn step_without_a_time_is_never_taken() {
        let none = Ladder {
            reminders: Vec::new(),
            sensitive_reads: None,
            next_contacts: None,
            disabling: None,
        };
        let far = TOLD + Duration::days(10_000);
        assert!(none.due(TOLD, Taken::default(), far).is_empty());
    }
}
