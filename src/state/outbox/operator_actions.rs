//! What an operator can do with a letter: send it again, or cancel it.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::LETTERS_CHANNEL;
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{StateFault, keys::parse_key_id},
};

/// Why a letter cannot be sent again or cancelled.
#[derive(Debug, thiserror::Error)]
pub enum LetterFault {
    /// Nothing has this id.
    #[error("the letter does not exist")]
    NotFound,
    /// It waits to be sent: nothing to send again.
    #[error("the letter is already due")]
    Due,
    /// It is sent, or given up: nothing to give up.
    #[error("the letter was already sent, or has already failed")]
    Settled,
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for LetterFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

struct LetterRow {
    restriction_id: Option<Uuid>,
    access_key_id: String,
    is_due: bool,
}

/// Sends a letter again that was sent or has failed, with current facts; returns the new letter. It is another one,
/// with a Message-ID of its own, since mail programs hide what they have had before.
///
/// # Errors
/// [`LetterFault`]; nothing is changed then.
pub async fn resend_letter(
    pool: &PgPool,
    letter_id: Uuid,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Uuid, LetterFault> {
    let mut tx = pool.begin().await?;
    let letter = find_letter(&mut tx, letter_id).await?;
    if letter.is_due {
        return Err(LetterFault::Due);
    }
    let again = Uuid::now_v7();
    let made = sqlx::query!(
        "INSERT INTO letters (
             letter_id,
             restriction_id,
             access_key_id,
             contact_id,
             kind,
             state,
             due_at,
             created_at
         )
         SELECT $2, restriction_id, access_key_id, contact_id, kind, 'Due', $3, $3
         FROM letters
         WHERE letter_id = $1
         ON CONFLICT DO NOTHING",
        letter_id,
        again,
        now
    )
    .execute(&mut *tx)
    .await?;
    if made.rows_affected() == 0 {
        return Err(LetterFault::Due);
    }
    sqlx::query!("SELECT pg_notify($1, '')", LETTERS_CHANNEL)
        .execute(&mut *tx)
        .await?;
    let detail = serde_json::json!({ "letter_id": letter_id, "new_letter_id": again });
    audit_letter(&mut tx, AuditAction::ResendLetter, by, &letter, detail, now).await?;
    tx.commit().await?;
    Ok(again)
}

/// Cancels a letter that is due. A worker that has leased it may still send it.
///
/// # Errors
/// [`LetterFault`]; nothing is changed then.
pub async fn cancel_letter(
    pool: &PgPool,
    letter_id: Uuid,
    reason: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(), LetterFault> {
    let mut tx = pool.begin().await?;
    let letter = find_letter(&mut tx, letter_id).await?;
    if !letter.is_due {
        return Err(LetterFault::Settled);
    }
    sqlx::query!(
        "UPDATE letters
         SET state = 'Failed',
             last_error = $2,
             settled_at = $3
         WHERE letter_id = $1",
        letter_id,
        format!("stopped by {by}: {reason}"),
        now
    )
    .execute(&mut *tx)
    .await?;
    let detail = serde_json::json!({ "letter_id": letter_id, "reason": reason });
    audit_letter(&mut tx, AuditAction::CancelLetter, by, &letter, detail, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn find_letter(
    tx: &mut PgTransaction<'_>,
    letter_id: Uuid,
) -> Result<LetterRow, LetterFault> {
    let found = sqlx::query_as!(
        LetterRow,
        "SELECT
             l.restriction_id,
             COALESCE(l.access_key_id, r.access_key_id) AS \"access_key_id!\",
             l.state = 'Due' AS \"is_due!\"
         FROM letters l
         LEFT JOIN restrictions r USING (restriction_id)
         WHERE l.letter_id = $1
         FOR UPDATE OF l",
        letter_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    found.ok_or(LetterFault::NotFound)
}

async fn audit_letter(
    tx: &mut PgTransaction<'_>,
    action: AuditAction,
    actor: &Actor,
    letter: &LetterRow,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let access_key_id = parse_key_id(&letter.access_key_id)?;
    let entry = AuditEntry {
        at: now,
        actor,
        action,
        access_key_id: Some(&access_key_id),
        restriction_id: letter.restriction_id,
        detail,
    };
    audit::insert_audit_record(tx, entry).await
}
