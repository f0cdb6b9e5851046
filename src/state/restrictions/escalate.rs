//! Up the ladder: what follows while a leaked pair goes on working, each step in a transaction of its own.
//!
//! A restriction is looked at when its next step may be due, and when its pair starts or stops working. Of a pair that
//! does not work there is nothing to escalate; the policy may lift on facts, and looks again now and then.

use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::restrictions::lift;
use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::{
        KeyStatus, StateFault,
        keys::key_id,
        revision::{self, At},
    },
    outbox::{self, LetterKind, tasks},
};
use akgate_rules::{
    access_key::AccessKeyId,
    ladder::{Ladder, Step, Taken},
    position::Position,
    restriction::LiftRule,
};

/// How often a pair that does not work is looked at again.
fn again(rule: LiftRule) -> Duration {
    match rule {
        LiftRule::Operator => Duration::DAY,
        LiftRule::AutoLift => Duration::HOUR,
    }
}

/// What decides about steps and lifts.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// When the steps are due.
    pub ladder: Ladder,
    /// Who lifts.
    pub lift: LiftRule,
}

/// The restrictions whose time to be looked at has come, the longest due first.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn due(pool: &PgPool, now: OffsetDateTime, limit: i64) -> Result<Vec<Uuid>, StateFault> {
    let ids = sqlx::query_scalar!(
        "SELECT restriction_id
         FROM restrictions
         WHERE state <> 'Lifted'
           AND look_at <= $1
         ORDER BY look_at
         LIMIT $2",
        now,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(ids)
}

/// Looks at one restriction: takes the steps that are due, or lifts it where the policy does. Says what was done.
///
/// # Errors
/// [`StateFault`]; nothing is changed then.
pub async fn look(
    pool: &PgPool,
    restriction_id: Uuid,
    rules: &Rules,
    now: OffsetDateTime,
) -> Result<Looked, StateFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
    let row = sqlx::query!(
        "SELECT
             r.access_key_id,
             k.status AS \"status?\",
             r.told_at,
             r.reminders,
             r.widened_at IS NOT NULL AS \"widened!\",
             r.next_contacts_at IS NOT NULL AS \"next_contacts!\",
             r.disabling_proposed_at IS NOT NULL AS \"disabling!\"
         FROM restrictions r
         LEFT JOIN access_keys k USING (access_key_id)
         WHERE r.restriction_id = $1
           AND r.state <> 'Lifted'
           AND r.look_at <= $2",
        restriction_id,
        now
    )
    .fetch_optional(&mut *tx)
    .await?;
    // Another worker was faster.
    let Some(row) = row else {
        return Ok(Looked::default());
    };
    let status = row.status.as_deref().map(KeyStatus::parse);
    let mut looked = Looked::default();
    let look_at = match (status, row.told_at) {
        (Some(Some(KeyStatus::Active)), Some(told_at)) => {
            let access_key_id = key_id(&row.access_key_id)?;
            let taken = Taken {
                reminders: usize::try_from(row.reminders).unwrap_or_default(),
                widened: row.widened,
                next_contacts: row.next_contacts,
                disabling: row.disabling,
            };
            looked.steps = rules.ladder.due(told_at, taken, now);
            take(&mut tx, restriction_id, &access_key_id, &looked.steps, at).await?;
            looked.widened = looked.steps.contains(&Step::Widen).then(|| Widened {
                position: at.position(),
                access_key_id: access_key_id.clone(),
            });
            let reminders = rules.ladder.reminders_until(told_at, now);
            remember(&mut tx, restriction_id, &looked.steps, reminders, at).await?;
            let taken = taken.after(&looked.steps, reminders);
            rules
                .ladder
                .ahead(told_at, taken)
                .first()
                .map(|(_, at)| *at)
        }
        (Some(Some(KeyStatus::Inactive | KeyStatus::Deleted)), _) => {
            looked.lifted = rules.lift == LiftRule::AutoLift
                && lift::by_policy(&mut tx, restriction_id, at).await?;
            Some(now + again(rules.lift))
        }
        // Nobody knows the pair, or nobody was told.
        (None, _) | (Some(Some(KeyStatus::Active)), None) => None,
        (Some(None), _) => return Err(StateFault::Corrupt("status")),
    };
    sqlx::query!(
        "UPDATE restrictions
         SET look_at = $2
         WHERE restriction_id = $1",
        restriction_id,
        look_at
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(looked)
}

/// What came of a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// The steps that were taken.
    pub steps: Vec<Step>,
    /// Whether the policy lifted it.
    pub lifted: bool,
    /// Sensitive reads are refused from here on.
    pub widened: Option<Widened>,
}

/// A restriction that was widened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widened {
    /// From where on.
    pub position: Position,
    /// The restricted key.
    pub access_key_id: AccessKeyId,
}

async fn take(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    access_key_id: &AccessKeyId,
    steps: &[Step],
    at: At,
) -> Result<(), StateFault> {
    for step in steps {
        let deed = match step {
            // The letter that tells of the widening reminds as well.
            Step::Remind if steps.contains(&Step::Widen) => continue,
            Step::Remind => {
                outbox::tell(tx, restriction_id, LetterKind::Reminder, at.now).await?;
                continue;
            }
            Step::TellNextContacts => {
                outbox::tell_next(tx, restriction_id, at.now).await?;
                continue;
            }
            Step::Widen => {
                outbox::tell(tx, restriction_id, LetterKind::Widened, at.now).await?;
                Deed::Widen
            }
            Step::ProposeDisabling => {
                let kind = tasks::TaskKind::DisablePair;
                tasks::open(tx, kind, &[restriction_id], at.now).await?;
                Deed::ProposeDisabling
            }
        };
        audit::write(
            tx,
            Entry {
                at: at.now,
                actor: &Actor::Policy,
                deed,
                access_key_id: Some(access_key_id),
                restriction_id: Some(restriction_id),
                detail: serde_json::json!({}),
            },
        )
        .await?;
    }
    Ok(())
}

async fn remember(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    steps: &[Step],
    reminders: usize,
    at: At,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE restrictions
         SET reminders = GREATEST(reminders, $3),
             widened_at = CASE WHEN $4 THEN $2 ELSE widened_at END,
             next_contacts_at = CASE WHEN $5 THEN $2 ELSE next_contacts_at END,
             disabling_proposed_at = CASE WHEN $6 THEN $2 ELSE disabling_proposed_at END,
             revision = CASE WHEN $4 THEN $7 ELSE revision END
         WHERE restriction_id = $1",
        restriction_id,
        at.now,
        i32::try_from(reminders).unwrap_or(i32::MAX),
        steps.contains(&Step::Widen),
        steps.contains(&Step::TellNextContacts),
        steps.contains(&Step::ProposeDisabling),
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether a pair works is what the ladder and the policy go by: both look at once.
pub(crate) async fn look_again(
    tx: &mut PgTransaction<'_>,
    access_key_ids: &[&str],
    at: At,
) -> Result<(), StateFault> {
    if access_key_ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE restrictions
         SET look_at = $2
         WHERE access_key_id = ANY($1)
           AND state <> 'Lifted'",
        access_key_ids as &[&str],
        at.now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
