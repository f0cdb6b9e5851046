//! Which receipts a failover has cost: by the histories that the product keeps, and by what is in its tables.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, desk::Acknowledgement};

/// One history of the registry, and where it left its parent.
#[derive(Debug, Clone)]
struct History {
    id: Uuid,
    parent: Option<Uuid>,
    fork: Option<i64>,
}

/// What the database says by now.
#[derive(Debug, Clone, Default)]
pub struct Histories {
    histories: Vec<History>,
    /// For a product that keeps no histories.
    restrictions: HashSet<Uuid>,
}

impl Histories {
    /// Reads it.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn read(connection: &mut PgConnection) -> Result<Self> {
        let kept: bool = sqlx::query_scalar("SELECT to_regclass('registry_histories') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
        let histories: Vec<(Uuid, Option<Uuid>, Option<i64>)> = match kept {
            true => {
                let all = "SELECT history, parent, fork_revision FROM registry_histories ORDER BY stamped_at";
                sqlx::query_as(all).fetch_all(&mut *connection).await?
            }
            false => Vec::new(),
        };
        let restrictions = sqlx::query_scalar("SELECT restriction_id FROM restrictions")
            .fetch_all(&mut *connection)
            .await?;
        Ok(Self {
            histories: histories
                .into_iter()
                .map(|(id, parent, fork)| History { id, parent, fork })
                .collect(),
            restrictions: restrictions.into_iter().collect(),
        })
    }

    /// Whether a receipt still binds: nothing of its history was lost before its revision.
    #[must_use]
    pub fn keep(&self, receipt: &Acknowledgement) -> bool {
        match &receipt.position {
            Some(position) if !self.histories.is_empty() => {
                let least = self.least_fork_after(position.history);
                least.is_some_and(|fork| position.revision <= fork)
            }
            _ => self.restrictions.contains(&receipt.restriction_id),
        }
    }

    /// The least revision at which this history, or one that came of it, was left; `None` where the present one did
    /// not come of it.
    fn least_fork_after(&self, wanted: Uuid) -> Option<i64> {
        let mut least = i64::MAX;
        let mut at = self.histories.last()?;
        for _ in &self.histories {
            if at.id == wanted {
                return Some(least);
            }
            least = least.min(at.fork?);
            let parent = at.parent?;
            at = self.histories.iter().find(|history| history.id == parent)?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Histories, History};
    use crate::desk::{Acknowledgement, Position};
    use uuid::Uuid;

    fn receipt(history: u128, revision: i64) -> Acknowledgement {
        Acknowledgement {
            restriction_id: Uuid::nil(),
            position: Some(Position {
                history: Uuid::from_u128(history),
                revision,
                nodes: None,
                fenced: Vec::new(),
                waited_ms: None,
                calls_in_flight: None,
            }),
        }
    }

    #[test]
    fn receipt_after_the_earliest_fork_is_lost() {
        let history = |id: u128, parent: Option<u128>, fork| History {
            id: Uuid::from_u128(id),
            parent: parent.map(Uuid::from_u128),
            fork,
        };
        let histories = Histories {
            histories: vec![
                history(1, None, None),
                history(2, Some(1), Some(100)),
                history(3, Some(2), Some(90)),
            ],
            ..Histories::default()
        };
        for (of, revision, kept) in [
            (3, 500, true),
            (2, 90, true),
            (2, 91, false),
            (1, 90, true),
            (1, 91, false),
            (4, 1, false),
        ] {
            assert_eq!(
                histories.keep(&receipt(of, revision)),
                kept,
                "{of} {revision}"
            );
        }
    }
}
