//! The outbox: letters are enqueued in the transaction of the change that they report, and sent later by a worker.
//!
//! **At least once.** A worker leases a letter, sends it and settles it. If it dies in between, the lease expires and
//! the letter is sent again with the same Message-ID, so that mail programs recognise the repetition. A worker whose
//! lease has expired cannot settle a letter that another has taken over, because the number of the attempt has changed.

pub mod events;
pub mod letter_facts;
pub mod links;
pub mod list;
pub mod operator_actions;
pub mod queue;
mod recipients;
pub mod settle;
pub mod tasks;

use std::collections::HashSet;

use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use self::tasks::TaskKind;
use crate::{
    audit::Actor,
    directory::{StateFault, contacts::Language, keys::parse_key_id},
};
use akgate_rules::access_key::{AccessKeyId, mask_key_id};

/// The notification channel for due letters. Polling is the guarantee; notifications only make it faster.
pub const LETTERS_CHANNEL: &str = "akgate_letters";

akgate_rules::text_enum! {
    /// The kind of a letter.
    pub enum LetterKind {
        /// A key was found, and will be restricted from a day on that was announced.
        Announced = "Announced",
        /// A key was found and is restricted.
        Imposed = "Imposed",
        /// It was found in more places.
        Repeated = "Repeated",
        /// The key still works.
        Reminder = "Reminder",
        /// The key still works, and sensitive reads are refused as well.
        Widened = "Widened",
        /// Somebody has confirmed the clean-up.
        Confirmed = "Confirmed",
        /// Somebody has taken that back.
        Withdrawn = "Withdrawn",
        /// The restriction is lifted.
        Lifted = "Lifted",
        /// The id of a key was seen, its secret was not: nothing is restricted.
        Suspected = "Suspected",
        /// What the key made is restricted as well.
        Descendants = "Descendants",
    }
}

impl LetterKind {
    /// Whether the reader is asked to confirm, as long as that would change something.
    #[must_use]
    pub fn asks_to_confirm(self) -> bool {
        match self {
            Self::Announced
            | Self::Imposed
            | Self::Repeated
            | Self::Reminder
            | Self::Widened
            | Self::Withdrawn
            | Self::Descendants => true,
            Self::Confirmed | Self::Lifted | Self::Suspected => false,
        }
    }
}

/// Enqueues the letters about restrictions, each to the first contacts of its account, and notifies the workers at the
/// commit. If an account has no contact, an operator gets a task.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_imposed(
    tx: &mut PgTransaction<'_>,
    restrictions: &[(Uuid, Option<&str>)],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let letters = recipients::list_first_contacts(tx, restrictions).await?;
    let told: HashSet<Uuid> = letters.iter().map(|(id, _)| *id).collect();
    let (told, untold): (Vec<Uuid>, Vec<Uuid>) = restrictions
        .iter()
        .map(|(id, _)| *id)
        .partition(|id| told.contains(id));
    tasks::open_tasks(tx, TaskKind::Unreachable, &untold, now).await?;
    // There was nobody when it was imposed; now there is.
    let kind = Some(TaskKind::Unreachable);
    tasks::close_tasks(tx, &told, kind, &Actor::Akgate, now).await?;
    insert_letters(tx, &letters, LetterKind::Imposed, now).await
}

/// Enqueues the letter about a restriction to the next contacts. False if there are none.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_to_next_contacts(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    now: OffsetDateTime,
) -> Result<bool, StateFault> {
    let contacts = recipients::list_next_contacts(tx, restriction_id).await?;
    enqueue_to_contacts(tx, restriction_id, &contacts, LetterKind::Imposed, now).await?;
    Ok(!contacts.is_empty())
}

/// Enqueues a letter to everybody who was notified of the restriction.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_to_notified(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    kind: LetterKind,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let letters = recipients::list_notified_contacts(tx, &[restriction_id]).await?;
    insert_letters(tx, &letters, kind, now).await
}

/// Handles the letters of restrictions that were a mistake: deletes those that were not attempted yet, and tells
/// everybody who got one that the restriction is lifted.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_retracted(
    tx: &mut PgTransaction<'_>,
    restrictions: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "DELETE FROM letters
         WHERE restriction_id = ANY($1)
           AND state = 'Due'
           AND attempts = 0",
        restrictions
    )
    .execute(&mut **tx)
    .await?;
    let letters = recipients::list_notified_contacts(tx, restrictions).await?;
    insert_letters(tx, &letters, LetterKind::Lifted, now).await
}

/// Enqueues a letter to everybody who was notified, and to every contact whom the account had before the key was
/// public.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_to_contacts_before_leak(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    kind: LetterKind,
    public_since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let contacts = recipients::list_contacts_before_leak(tx, restriction_id, public_since).await?;
    enqueue_to_contacts(tx, restriction_id, &contacts, kind, now).await
}

/// Postpones a letter about a restriction until refusals are enforced, and enqueues one that announces it.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_announced(
    pool: &PgPool,
    letter: &LeasedLetter,
    enforce_from: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let Some(restriction_id) = letter.about.restriction() else {
        return Err(StateFault::Corrupt("an announcement of no restriction"));
    };
    let mut tx = pool.begin().await?;
    let is_announced = sqlx::query_scalar!(
        "SELECT EXISTS (
             SELECT 1
             FROM letters
             WHERE restriction_id = $1
               AND contact_id = $2
               AND kind = 'Announced'
         ) AS \"is_announced!\"",
        restriction_id,
        letter.contact_id
    )
    .fetch_one(&mut *tx)
    .await?;
    if !is_announced {
        let kind = LetterKind::Announced;
        enqueue_to_contacts(&mut tx, restriction_id, &[letter.contact_id], kind, now).await?;
    }
    // Looked at again now and then: the day may be moved.
    postpone_due_time(&mut tx, letter, enforce_from.min(now + Duration::HOUR)).await?;
    tx.commit().await?;
    Ok(())
}

/// Postpones a letter, as if it had not been attempted.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn postpone_letter(
    pool: &PgPool,
    letter: &LeasedLetter,
    until: OffsetDateTime,
) -> Result<(), StateFault> {
    let mut tx = pool.begin().await?;
    postpone_due_time(&mut tx, letter, until).await?;
    tx.commit().await?;
    Ok(())
}

async fn postpone_due_time(
    tx: &mut PgTransaction<'_>,
    letter: &LeasedLetter,
    until: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE letters
         SET due_at = $3,
             attempts = 0
         WHERE letter_id = $1
           AND attempts = $2
           AND state = 'Due'",
        letter.letter_id,
        letter.attempt,
        until
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How long repeats are collected before a letter reports them: an hour, and a day after the last such letter.
const REPEAT_DELAYS: [Duration; 2] = [Duration::HOUR, Duration::DAY];

/// Enqueues the letters that tell those who know of restrictions of more places, however many repeats come before
/// one is sent. Whose first letter is not sent yet finds them in that.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_repeated(
    tx: &mut PgTransaction<'_>,
    restrictions: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if restrictions.is_empty() {
        return Ok(());
    }
    let [first, again] = REPEAT_DELAYS;
    sqlx::query!(
        "INSERT INTO letters (
             letter_id,
             restriction_id,
             contact_id,
             kind,
             state,
             due_at,
             created_at
         )
         SELECT
             gen_random_uuid(),
             restriction_id,
             contact_id,
             'Repeated',
             'Due',
             GREATEST(
                 $2,
                 (
                     SELECT max(settled_at) + $4::interval
                     FROM letters r
                     WHERE r.restriction_id = l.restriction_id
                       AND r.contact_id = l.contact_id
                       AND r.kind = 'Repeated'
                 )
             ),
             $3
         FROM letters l
         WHERE restriction_id = ANY($1)
           AND kind = 'Imposed'
           AND state = 'Sent'
         ON CONFLICT (restriction_id, contact_id) WHERE kind = 'Repeated' AND state = 'Due' DO NOTHING",
        restrictions,
        now + first,
        now,
        sqlx::postgres::types::PgInterval {
            months: 0,
            days: 0,
            microseconds: i64::try_from(again.whole_microseconds()).unwrap_or(i64::MAX),
        }
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Enqueues the letters that tell those who know of restrictions what else is restricted with them. Whose first letter is
/// not sent yet finds it in that.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_descendants(
    tx: &mut PgTransaction<'_>,
    restrictions: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if restrictions.is_empty() {
        return Ok(());
    }
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
             SELECT DISTINCT ON (restriction_id, contact_id)
                 gen_random_uuid(),
                 restriction_id,
                 contact_id,
                 'Descendants',
                 'Due',
                 $2::timestamptz,
                 $2::timestamptz
             FROM letters
             WHERE restriction_id = ANY($1)
               AND kind IN ('Announced', 'Imposed')
               AND state = 'Sent'
             ON CONFLICT (restriction_id, contact_id) WHERE kind = 'Descendants' AND state = 'Due' DO NOTHING
         )
         SELECT pg_notify($3, '')",
        restrictions,
        now,
        LETTERS_CHANNEL
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn enqueue_to_contacts(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    contacts: &[Uuid],
    kind: LetterKind,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let letters: Vec<(Uuid, Uuid)> = contacts.iter().map(|id| (restriction_id, *id)).collect();
    insert_letters(tx, &letters, kind, now).await
}

/// Enqueues letters, each about a restriction and to a contact.
async fn insert_letters(
    tx: &mut PgTransaction<'_>,
    letters: &[(Uuid, Uuid)],
    kind: LetterKind,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if letters.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = letters.iter().map(|_| Uuid::now_v7()).collect();
    let (restrictions, contacts): (Vec<Uuid>, Vec<Uuid>) = letters.iter().copied().unzip();
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
             SELECT n.letter_id, n.restriction_id, n.contact_id, $4, 'Due', $5, $5
             FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
                 AS n (letter_id, restriction_id, contact_id)
         )
         SELECT pg_notify($6, '')",
        &ids,
        &restrictions,
        &contacts,
        kind.as_str(),
        now,
        LETTERS_CHANNEL
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How long an owner gets no second letter about a suspicion of the same key.
const SUSPECTED_INTERVAL: Duration = Duration::days(30);

/// Enqueues the letters that tell owners of suspicions, to the first contacts of each account: of a key that works,
/// that nothing restricts, and about which they got no letter recently.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn enqueue_suspected(
    tx: &mut PgTransaction<'_>,
    reports: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if reports.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "WITH suspected AS (
             SELECT DISTINCT k.access_key_id, p.account_id
             FROM leak_reports l
             JOIN access_keys k
                 ON k.access_key_id = COALESCE(l.parent_access_key_id, l.access_key_id)
             JOIN principals p USING (principal_id)
             WHERE l.report_id = ANY($1)
               AND l.proof = 'Suspected'
               AND NOT l.held
               AND k.status = 'Active'
               AND NOT EXISTS (
                   SELECT 1
                   FROM restrictions r
                   WHERE r.access_key_id = k.access_key_id
                     AND r.state <> 'Lifted'
               )
         ),
         written AS (
             INSERT INTO letters (letter_id, access_key_id, contact_id, kind, state, due_at, created_at)
             SELECT gen_random_uuid(), s.access_key_id, c.contact_id, 'Suspected', 'Due', $2, $2
             FROM suspected s
             JOIN contacts c USING (account_id)
             WHERE c.unreachable_since IS NULL
               AND c.rank = (
                   SELECT min(rank)
                   FROM contacts o
                   WHERE o.account_id = s.account_id
                     AND o.unreachable_since IS NULL
               )
               AND NOT EXISTS (
                   SELECT 1
                   FROM letters l
                   WHERE l.access_key_id = s.access_key_id
                     AND l.contact_id = c.contact_id
                     AND l.kind = 'Suspected'
                     AND l.created_at > $3
               )
         )
         SELECT pg_notify($4, '')",
        reports,
        now,
        now - SUSPECTED_INTERVAL,
        LETTERS_CHANNEL
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What a letter is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetterSubject {
    /// A restriction.
    Restriction(Uuid),
    /// A key that is suspected to have leaked.
    Suspicion(AccessKeyId),
}

impl LetterSubject {
    /// The restriction; `None` of a suspicion.
    #[must_use]
    pub fn restriction(&self) -> Option<Uuid> {
        match self {
            Self::Restriction(id) => Some(*id),
            Self::Suspicion(_) => None,
        }
    }
}

/// A letter that a worker has taken.
#[derive(Debug, Clone)]
pub struct LeasedLetter {
    /// Its id, and its Message-ID on every attempt.
    pub letter_id: Uuid,
    /// What it is about.
    pub about: LetterSubject,
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
    /// When it was enqueued.
    pub created_at: OffsetDateTime,
}

/// Takes letters that are due, for as long as `lease`.
///
/// # Errors
/// [`StateFault`].
pub async fn lease_letters(
    pool: &PgPool,
    now: OffsetDateTime,
    lease: Duration,
    limit: i64,
) -> Result<Vec<LeasedLetter>, StateFault> {
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
         SET attempts = l.attempts + 1,
             due_at = $2
         FROM due
         JOIN letters o USING (letter_id)
         JOIN contacts c USING (contact_id)
         LEFT JOIN restrictions r USING (restriction_id)
         WHERE l.letter_id = due.letter_id
         RETURNING
             l.letter_id,
             l.restriction_id,
             l.contact_id,
             l.kind,
             l.attempts,
             l.created_at,
             c.email,
             c.language,
             COALESCE(l.access_key_id, r.access_key_id) AS \"access_key_id!\"",
        now,
        now + lease,
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LeasedLetter {
                letter_id: row.letter_id,
                about: match row.restriction_id {
                    Some(id) => LetterSubject::Restriction(id),
                    None => LetterSubject::Suspicion(parse_key_id(&row.access_key_id)?),
                },
                contact_id: row.contact_id,
                email: row.email,
                language: row
                    .language
                    .parse()
                    .map_err(|_| StateFault::Corrupt("language"))?,
                kind: row.kind.parse().map_err(|_| StateFault::Corrupt("kind"))?,
                access_key: mask_key_id(&row.access_key_id),
                attempt: row.attempts,
                created_at: row.created_at,
            })
        })
        .collect()
}
