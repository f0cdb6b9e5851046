//! The result of the attack: one row per move.

use std::collections::{BTreeMap, HashSet};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::moves::AttackMove;

/// One call of the attack.
pub struct AttackCall {
    pub what: AttackMove,
    /// When it was sent, in milliseconds since the attack began.
    pub sent: f64,
    /// The answer.
    pub got: String,
    /// Whether the handlers were reached with a change.
    pub reached: bool,
    /// The user that it would have created.
    pub user_name: String,
}

/// The result of a move.
#[derive(Debug, Clone, Serialize)]
pub struct MoveSummary {
    /// What was tried.
    pub tried: &'static str,
    /// Calls before the report's answer.
    pub before: usize,
    /// Of these, how many got through.
    pub through_before: usize,
    /// When the last one that got through was sent, in milliseconds since the attack began.
    pub last_through_ms: Option<f64>,
    /// When the first one after the answer was sent.
    pub first_after_ms: Option<f64>,
    /// Calls after the answer.
    pub after: usize,
    /// Of these, how many got through.
    pub through_after: usize,
    /// Their most frequent answer.
    pub got: String,
}

/// The result of the attack.
#[derive(Debug, Clone, Serialize)]
pub struct AttackTally {
    /// When the report was sent, in milliseconds since the attack began.
    pub reported_ms: f64,
    /// When its answer arrived.
    pub answered_ms: f64,
    /// A row per move.
    pub rows: Vec<MoveSummary>,
}

/// A key that the attacker created in time.
#[derive(Debug, Clone, Serialize)]
pub struct LeftBehindKey {
    /// Its id.
    pub access_key_id: String,
    /// The answer to a CreateUser signed with it.
    pub works: String,
    /// Whether the activity of the leaked key lists it.
    pub is_named: bool,
    /// The answer to a CreateUser signed with it, after it was reported too.
    pub restricted: String,
}

impl LeftBehindKey {
    /// The text about it.
    pub fn text(&self, _: &dyn Fn(&str) -> String) -> String {
        let names = if self.is_named {
            "lists it"
        } else {
            "does NOT list it"
        };
        format!(
            "\nBefore the report, the attacker created the AccessKey {}, a key of its own. Its CreateUser got: {}\n\
             The activity of the leaked key {names}. After the operator reported it too, its CreateUser got: {}",
            self.access_key_id, self.works, self.restricted
        )
    }
}

impl AttackTally {
    /// The table for people.
    pub fn text(&self, paint: &dyn Fn(&str) -> String) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
            "attempt",
            "before: got through",
            "last got through, at ms",
            "first after, at ms",
            "after: got through",
            "response then",
        ]);
        let ms = |at: Option<f64>| at.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"));
        for row in &self.rows {
            table.add_row([
                row.tried.to_owned(),
                format!("{} of {}", row.through_before, row.before),
                ms(row.last_through_ms),
                ms(row.first_after_ms),
                format!("{} of {}", row.through_after, row.after),
                row.got.clone(),
            ]);
        }
        let colour = match self.through_after() {
            0 => paint("32"),
            _ => paint("31;1"),
        };
        format!(
            "{table}\n\nThe leak was reported at {:.1} ms; the report was answered at {:.1} ms.\n\
             {colour}Of {} calls sent after the answer, {} got through.{}",
            self.reported_ms,
            self.answered_ms,
            self.after(),
            self.through_after(),
            paint("0")
        )
    }

    /// Counts. `users` are those that the account has in the end.
    pub fn new(
        reported_ms: f64,
        answered_ms: f64,
        tries: Vec<AttackCall>,
        users: &[String],
    ) -> Self {
        let users: HashSet<&str> = users.iter().map(String::as_str).collect();
        let mut rows: BTreeMap<AttackMove, (MoveSummary, BTreeMap<String, usize>)> =
            BTreeMap::new();
        for one in tries {
            let (row, got) = rows.entry(one.what).or_insert_with(|| {
                let row = MoveSummary {
                    tried: one.what.as_str(),
                    before: 0,
                    through_before: 0,
                    last_through_ms: None,
                    first_after_ms: None,
                    after: 0,
                    through_after: 0,
                    got: String::new(),
                };
                (row, BTreeMap::new())
            });
            let through = one.reached || users.contains(one.user_name.as_str());
            if through {
                row.last_through_ms =
                    Some(row.last_through_ms.map_or(one.sent, |ms| ms.max(one.sent)));
            }
            if one.sent > answered_ms {
                row.after += 1;
                row.through_after += usize::from(through);
                row.first_after_ms =
                    Some(row.first_after_ms.map_or(one.sent, |ms| ms.min(one.sent)));
                *got.entry(one.got).or_default() += 1;
            } else {
                row.before += 1;
                row.through_before += usize::from(through);
            }
        }
        let rows = rows.into_values().map(|(row, got)| {
            let most = got.into_iter().max_by_key(|(_, count)| *count);
            MoveSummary {
                got: most.map(|(got, _)| got).unwrap_or_default(),
                ..row
            }
        });
        Self {
            reported_ms,
            answered_ms,
            rows: rows.collect(),
        }
    }

    /// Calls that were sent after the report's answer and got through.
    pub fn through_after(&self) -> usize {
        self.rows.iter().map(|row| row.through_after).sum()
    }

    /// Calls that were sent after the report's answer.
    pub fn after(&self) -> usize {
        self.rows.iter().map(|row| row.after).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(sent: f64, reached: bool, user_name: &str) -> AttackCall {
        AttackCall {
            what: AttackMove::CreateUser,
            sent,
            got: "200".to_owned(),
            reached,
            user_name: user_name.to_owned(),
        }
    }

    #[test]
    fn call_sent_after_the_answer_counts_if_answered_or_effective() {
        let tries = vec![
            one(5.0, true, "before"),
            one(10.0, true, "at the answer"),
            one(10.1, false, "refused"),
            one(11.0, true, "answered"),
            one(12.0, false, "left behind"),
        ];
        let tally = AttackTally::new(4.0, 10.0, tries, &["left behind".to_owned()]);
        assert_eq!((tally.after(), tally.through_after()), (3, 2));
        let row = tally.rows.first().unwrap();
        assert_eq!((row.before, row.through_before), (2, 2));
        assert_eq!(row.first_after_ms, Some(10.1));
        assert_eq!(row.last_through_ms, Some(12.0));
    }
}
