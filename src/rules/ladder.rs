//! The escalation ladder: the steps that are taken while a leaked key stays active.
//!
//! Facts drive it, not clicks: it stops only when the access key is disabled or deleted. Time counts from the first
//! letter that was sent, because every step is announced in a letter before it is taken.

use time::{Duration, OffsetDateTime};

/// When the steps are due, counted from the first letter. A step without a time is never taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationLadder {
    /// Reminders, the earliest first.
    pub reminders: Vec<Duration>,
    /// When sensitive reads are refused as well.
    pub sensitive_reads: Option<Duration>,
    /// When the contacts of the next rank are notified.
    pub next_contacts: Option<Duration>,
    /// When operators are asked to disable the key.
    pub disabling: Option<Duration>,
}

impl Default for EscalationLadder {
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
pub enum EscalationStep {
    /// The notified contacts are reminded.
    Remind,
    /// Sensitive reads are refused as well.
    Widen,
    /// The contacts of the next rank are notified.
    TellNextContacts,
    /// Operators are asked to disable the key.
    ProposeDisabling,
}

/// The steps that a restriction has taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenSteps {
    /// Reminders sent.
    pub reminders: usize,
    /// Sensitive reads are refused.
    pub widened: bool,
    /// The contacts of the next rank have been notified.
    pub next_contacts: bool,
    /// Operators have been asked.
    pub disabling: bool,
}

impl TakenSteps {
    /// The progress after these steps, with this number of reminders.
    #[must_use]
    pub fn after(self, steps: &[EscalationStep], reminders: usize) -> Self {
        Self {
            reminders: self.reminders.max(reminders),
            widened: self.widened || steps.contains(&EscalationStep::Widen),
            next_contacts: self.next_contacts || steps.contains(&EscalationStep::TellNextContacts),
            disabling: self.disabling || steps.contains(&EscalationStep::ProposeDisabling),
        }
    }
}

impl EscalationLadder {
    /// The steps that are due, in order, each once; several missed reminders count as one.
    #[must_use]
    pub fn due(
        &self,
        notified_at: OffsetDateTime,
        taken: TakenSteps,
        now: OffsetDateTime,
    ) -> Vec<EscalationStep> {
        let mut due: Vec<EscalationStep> = Vec::new();
        for (step, at) in self.ahead(notified_at, taken) {
            if at <= now && !due.contains(&step) {
                due.push(step);
            }
        }
        due
    }

    /// How many reminders were due by now.
    #[must_use]
    pub fn reminders_until(&self, notified_at: OffsetDateTime, now: OffsetDateTime) -> usize {
        self.reminders
            .iter()
            .filter(|&&after| notified_at + after <= now)
            .count()
    }

    /// The steps that are not taken yet and when each will be, the earliest first: what a letter announces.
    #[must_use]
    pub fn ahead(
        &self,
        notified_at: OffsetDateTime,
        taken: TakenSteps,
    ) -> Vec<(EscalationStep, OffsetDateTime)> {
        let reminders = self.reminders.iter().skip(taken.reminders);
        let mut ahead: Vec<(EscalationStep, OffsetDateTime)> = reminders
            .map(|&after| (EscalationStep::Remind, notified_at + after))
            .collect();
        for (step, after, is_taken) in [
            (EscalationStep::Widen, self.sensitive_reads, taken.widened),
            (
                EscalationStep::TellNextContacts,
                self.next_contacts,
                taken.next_contacts,
            ),
            (
                EscalationStep::ProposeDisabling,
                self.disabling,
                taken.disabling,
            ),
        ] {
            if let Some(after) = after.filter(|_| !is_taken) {
                ahead.push((step, notified_at + after));
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

    fn due(taken: TakenSteps, hours: i64) -> Vec<EscalationStep> {
        EscalationLadder::default().due(TOLD, taken, TOLD + Duration::hours(hours))
    }

    #[test]
    fn step_is_due_at_its_hour_and_once() {
        let mut taken = TakenSteps::default();
        for (hours, steps) in [
            (23, vec![]),
            (24, vec![EscalationStep::Remind, EscalationStep::Widen]),
            (71, vec![]),
            (
                72,
                vec![EscalationStep::Remind, EscalationStep::TellNextContacts],
            ),
            (
                168,
                vec![EscalationStep::Remind, EscalationStep::ProposeDisabling],
            ),
            (10_000, vec![]),
        ] {
            assert_eq!(due(taken, hours), steps, "after {hours} hours");
            let now = TOLD + Duration::hours(hours);
            taken = taken.after(
                &steps,
                EscalationLadder::default().reminders_until(TOLD, now),
            );
        }
    }

    #[test]
    fn missed_reminders_are_combined() {
        assert_eq!(
            due(TakenSteps::default(), 100),
            [
                EscalationStep::Remind,
                EscalationStep::Widen,
                EscalationStep::TellNextContacts
            ]
        );
        let now = TOLD + Duration::hours(100);
        assert_eq!(EscalationLadder::default().reminders_until(TOLD, now), 2);
    }

    #[test]
    fn steps_ahead_are_listed_in_order() {
        let ahead = EscalationLadder::default().ahead(TOLD, TakenSteps::default());
        let hours: Vec<i64> = ahead
            .iter()
            .map(|(_, at)| (*at - TOLD).whole_hours())
            .collect();
        assert_eq!(hours, [24, 24, 72, 72, 168, 168]);
    }

    #[test]
    fn step_without_a_time_is_never_taken() {
        let none = EscalationLadder {
            reminders: Vec::new(),
            sensitive_reads: None,
            next_contacts: None,
            disabling: None,
        };
        let far = TOLD + Duration::days(10_000);
        assert!(none.due(TOLD, TakenSteps::default(), far).is_empty());
    }
}
