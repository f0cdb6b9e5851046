//! Settles letters: sent, retried or failed; if a letter reaches nobody, the next contact or an operator is notified.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    LeasedLetter, LetterKind, enqueue_to_next_contacts,
    queue::Settlement,
    tasks::{self, TaskKind},
};
use crate::directory::{StateFault, revision};

/// Settles an attempt. False where the lease had run out and another worker has taken the letter.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn settle_letter(
    pool: &PgPool,
    letter: &LeasedLetter,
    settlement: &Settlement,
    now: OffsetDateTime,
) -> Result<bool, StateFault> {
    let (state, due_at, error) = settlement.columns(now);
    let mut tx = pool.begin().await?;
    if let Settlement::Failed {
        unreachable: true, ..
    } = settlement
    {
        // Who is notified instead depends on the registry.
        revision::advance_revision(&mut tx, now).await?;
    }
    let settled = sqlx::query!(
        "UPDATE letters
         SET state = $3,
             due_at = $4,
             last_error = $5,
             settled_at = CASE WHEN $3 = 'Due' THEN NULL ELSE $6::timestamptz END
         WHERE letter_id = $1
           AND attempts = $2
           AND state = 'Due'",
        letter.letter_id,
        letter.attempt,
        state,
        due_at,
        error,
        now
    )
    .execute(&mut *tx)
    .await?;
    if settled.rows_affected() != 1 {
        return Ok(false);
    }
    match settlement {
        Settlement::Sent if letter.kind == LetterKind::Imposed => {
            if let Some(restriction_id) = letter.about.restriction() {
                mark_notified(&mut tx, restriction_id, now).await?;
            }
        }
        Settlement::Failed {
            unreachable: true, ..
        } => {
            let restriction_id = letter.about.restriction();
            notify_next_contact(&mut tx, restriction_id, letter.contact_id, now).await?;
        }
        Settlement::Sent | Settlement::Retry { .. } | Settlement::Failed { .. } => {}
    }
    tx.commit().await?;
    Ok(true)
}

/// Records the bounce of a sent letter. False if the letter does not exist or was not sent.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn record_bounce(
    pool: &PgPool,
    letter_id: Uuid,
    diagnostic: &str,
    now: OffsetDateTime,
) -> Result<bool, StateFault> {
    let mut tx = pool.begin().await?;
    revision::advance_revision(&mut tx, now).await?;
    let letter = sqlx::query!(
        "UPDATE letters
         SET state = 'Failed',
             last_error = $2,
             settled_at = $3
         WHERE letter_id = $1
           AND state = 'Sent'
         RETURNING restriction_id, contact_id",
        letter_id,
        diagnostic,
        now
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(letter) = letter else {
        return Ok(false);
    };
    notify_next_contact(&mut tx, letter.restriction_id, letter.contact_id, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// The first notified contact starts the ladder.
async fn mark_notified(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE restrictions
         SET notified_at = $2,
             next_check_at = $2
         WHERE restriction_id = $1
           AND notified_at IS NULL",
        restriction_id,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// No letter reaches a contact: notifies the contacts of the next rank. If no contact is left, the ladder waits and an
/// operator gets a task.
async fn notify_next_contact(
    tx: &mut PgTransaction<'_>,
    restriction_id: Option<Uuid>,
    contact_id: Uuid,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE contacts
         SET unreachable_since = COALESCE(unreachable_since, $2)
         WHERE contact_id = $1",
        contact_id,
        now
    )
    .execute(&mut **tx)
    .await?;
    let Some(restriction_id) = restriction_id else {
        return Ok(());
    };
    let is_lifted = sqlx::query_scalar!(
        "SELECT state = 'Lifted' AS \"is_lifted!\"
         FROM restrictions
         WHERE restriction_id = $1",
        restriction_id
    )
    .fetch_one(&mut **tx)
    .await?;
    if is_lifted || enqueue_to_next_contacts(tx, restriction_id, now).await? {
        return Ok(());
    }
    let others = sqlx::query_scalar!(
        "SELECT EXISTS (
             SELECT 1
             FROM letters l
             JOIN contacts c USING (contact_id)
             WHERE l.restriction_id = $1
               AND l.kind = 'Imposed'
               AND l.state <> 'Failed'
               AND c.unreachable_since IS NULL
         ) AS \"others!\"",
        restriction_id
    )
    .fetch_one(&mut **tx)
    .await?;
    if others {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE restrictions
         SET notified_at = NULL,
             next_check_at = NULL
         WHERE restriction_id = $1",
        restriction_id
    )
    .execute(&mut **tx)
    .await?;
    tasks::open_tasks(tx, TaskKind::Unreachable, &[restriction_id], now).await
}
