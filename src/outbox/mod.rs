//! The outbox: letters are written in the transaction of what they tell of, and sent later by a worker.
//!
//! **At least once.** A worker leases a letter, sends it and settles it. One that dies in between leaves a lease
//! that runs out; the letter is sent again with the same Message-ID, by which mail programs know it. A
//! worker whose lease ran out cannot settle what another has taken over: the number of the attempt
//! guards it.

pub mod links;
pub mod list;

use std::{fmt, str::FromStr};

use serde::Serialize;
use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    access_key::AccessKeyId,
    directory::{StateFault, contacts::Language},
};

/// The channel of the hints that a letter is due. The poll is the guarantee.
pub const CHANNEL: &str = "akgate_letters";

/// What a letter tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum LetterKind {
    /// A key was found and is restricted.
    Imposed,
    /// Somebody has confirmed the clean-up.
    Confirmed,
    /// The restriction is lifted.
    Lifted,
}

impl LetterKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Imposed, Self::Confirmed, Self::Lifted];

    /// The name in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imposed => "Imposed",
            Self::Confirmed => "Confirmed",
            Self::Lifted => "Lifted",
        }
    }
}

impl fmt::Display for LetterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no kind of letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such kind of letter")]
pub struct UnknownKind;

impl FromStr for LetterKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKind)
    }
}

/// Enqueues a letter to every contact of the account, and tells the workers at the commit.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    account_id: &str,
    kind: LetterKind,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let contacts = sqlx::query_scalar!(
        "SELECT contact_id
         FROM contacts
         WHERE account_id = $1
         ORDER BY contact_id",
        account_id
    )
    .fetch_all(&mut **tx)
    .await?;
    write(tx, restriction_id, &contacts, kind, now).await
}

/// Enqueues a letter to everybody who was told of the imposition: whoever became a contact later may be the
/// one who found the key.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_to_readers(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    kind: LetterKind,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let readers = sqlx::query_scalar!(
        "SELECT contact_id
         FROM letters
         WHERE restriction_id = $1
           AND kind = 'Imposed'
         ORDER BY letter_id",
        restriction_id
    )
    .fetch_all(&mut **tx)
    .await?;
    write(tx, restriction_id, &readers, kind, now).await
}

async fn write(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    contacts: &[Uuid],
    kind: LetterKind,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if contacts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = contacts.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query!(
        "WITH written AS (
             INSERT INTO letters (
                 letter_id,
                 restriction_id,
                 contact_id,
                 kind,
                 state,
                 due_at,
                 created_at
             )
             SELECT n.letter_id, $3, n.contact_id, $4, 'Due', $5, $5
             FROM unnest($1::uuid[], $2::uuid[]) AS n (letter_id, contact_id)
         )
         SELECT pg_notify($6, '')",
        &ids,
        contacts,
        restriction_id,
        kind.as_str(),
        now,
        CHANNEL
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A letter that a worker has taken.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Its id, and its Message-ID on every attempt.
    pub letter_id: Uuid,
    /// What it is about.
    pub restriction_id: Uuid,
    /// Who is written to.
    pub contact_id: Uuid,
    /// Where.
    pub email: String,
    /// In which language.
    pub language: Language,
    /// What it tells.
    pub kind: LetterKind,
    /// The key that it is about, masked: for the log.
    pub access_key: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
}

/// Takes letters that are due, for as long as `lease`.
///
/// # Errors
/// [`StateFault`].
pub async fn lease(
    pool: &PgPool,
    now: OffsetDateTime,
    lease: Duration,
    limit: i64,
) -> Result<Vec<Leased>, StateFault> {
    let rows = sqlx::query!(
        "WITH due AS (
             SELECT letter_id
             FROM letters
             WHERE state = 'Due'
               AND due_at <= $1
             ORDER BY due_at, letter_id
             LIMIT $3
             FOR UPDATE SKIP LOCKED
         )
         UPDATE letters l
         SET attempts = attempts + 1,
             due_at = $2
         FROM due, contacts c, restrictions r
         WHERE l.letter_id = due.letter_id
           AND c.contact_id = l.contact_id
           AND r.restriction_id = l.restriction_id
         RETURNING
             l.letter_id,
             l.restriction_id,
             l.contact_id,
             l.kind,
             l.attempts,
             c.email,
             c.language,
             r.access_key_id",
        now,
        now + lease,
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Leased {
                letter_id: row.letter_id,
                restriction_id: row.restriction_id,
                contact_id: row.contact_id,
                email: row.email,
                language: row
                    .language
                    .parse()
                    .map_err(|_| StateFault::Corrupt("language"))?,
                kind: row.kind.parse().map_err(|_| StateFault::Corrupt("kind"))?,
                access_key: AccessKeyId::parse(&row.access_key_id)
                    .map_or_else(|_| "****".into(), |id| id.masked()),
                attempt: row.attempts,
            })
        })
        .collect()
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The mail server has it.
    Sent,
    /// To be tried again.
    Again {
        /// When.
        at: OffsetDateTime,
        /// What the attempt met.
        error: String,
    },
    /// Given up, for a person to see to.
    Buried {
        /// What the attempt met.
        error: String,
    },
}

/// Settles an attempt. False where the lease had run out and another worker has taken the letter.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn settle(
    pool: &PgPool,
    letter: &Leased,
    settlement: &Settlement,
    now: OffsetDateTime,
) -> Result<bool, StateFault> {
    let (state, due_at, error) = match settlement {
        Settlement::Sent => ("Sent", now, None),
        Settlement::Again { at, error } => ("Due", *at, Some(error)),
        Settlement::Buried { error } => ("Buried", now, Some(error)),
    };
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
    .execute(pool)
    .await?;
    Ok(settled.rows_affected() == 1)
}
