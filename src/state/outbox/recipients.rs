//! Selects the recipients of letters: ids of contacts, without those whom no letter reaches.

use sqlx::PgTransaction;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::directory::StateFault;

/// For each restriction with its account, the contacts that are notified first: of those whom letters reach, those of
/// the lowest rank. Pairs of restriction and contact.
///
/// # Errors
/// [`StateFault::Database`].
pub(super) async fn list_first_contacts(
    tx: &mut PgTransaction<'_>,
    restrictions: &[(Uuid, Option<&str>)],
) -> Result<Vec<(Uuid, Uuid)>, StateFault> {
    let (ids, accounts): (Vec<Uuid>, Vec<&str>) = restrictions
        .iter()
        .filter_map(|(id, account_id)| Some((*id, (*account_id)?)))
        .unzip();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "SELECT n.restriction_id AS \"restriction_id!\", c.contact_id
         FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS n (restriction_id, account_id, position)
         JOIN contacts c USING (account_id)
         WHERE c.unreachable_since IS NULL
           AND c.rank = (
               SELECT min(rank)
               FROM contacts o
               WHERE o.account_id = n.account_id
                 AND o.unreachable_since IS NULL
           )
         ORDER BY n.position, c.contact_id",
        &ids,
        &accounts as &[&str]
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.restriction_id, row.contact_id))
        .collect())
}

/// The next contacts: those of the lowest rank who have not been notified of the restriction yet. A contact that was
/// added after it was imposed may be the thief of the key.
///
/// # Errors
/// [`StateFault::Database`].
pub(super) async fn list_next_contacts(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
) -> Result<Vec<Uuid>, StateFault> {
    let contacts = sqlx::query_scalar!(
        "WITH untold AS (
             SELECT c.contact_id, c.rank
             FROM restrictions r
             LEFT JOIN access_keys k USING (access_key_id)
             LEFT JOIN principals p USING (principal_id)
             LEFT JOIN sessions s USING (access_key_id)
             JOIN contacts c ON c.account_id = COALESCE(p.account_id, s.account_id)
             WHERE r.restriction_id = $1
               AND c.created_at <= r.imposed_at
               AND c.unreachable_since IS NULL
               AND NOT EXISTS (
                   SELECT 1
                   FROM letters l
                   WHERE l.restriction_id = r.restriction_id
                     AND l.contact_id = c.contact_id
                     AND l.kind = 'Imposed'
               )
         )
         SELECT contact_id
         FROM untold
         WHERE rank = (SELECT min(rank) FROM untold)
         ORDER BY contact_id",
        restriction_id
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(contacts)
}

/// The contacts who were notified of the restrictions, as pairs of restriction and contact.
///
/// # Errors
/// [`StateFault::Database`].
pub(super) async fn list_notified_contacts(
    tx: &mut PgTransaction<'_>,
    restrictions: &[Uuid],
) -> Result<Vec<(Uuid, Uuid)>, StateFault> {
    let rows = sqlx::query!(
        "SELECT l.restriction_id AS \"restriction_id!\", l.contact_id
         FROM letters l
         JOIN contacts c USING (contact_id)
         WHERE l.restriction_id = ANY($1)
           AND l.kind = 'Imposed'
           AND c.unreachable_since IS NULL
         ORDER BY l.letter_id",
        restrictions
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.restriction_id, row.contact_id))
        .collect())
}

/// The contacts who were notified, and every other contact that the account had before the key was public: a
/// confirmation or a lift must be seen by more than one person.
///
/// # Errors
/// [`StateFault::Database`].
pub(super) async fn list_contacts_before_leak(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    public_since: OffsetDateTime,
) -> Result<Vec<Uuid>, StateFault> {
    let contacts = sqlx::query_scalar!(
        "SELECT c.contact_id
         FROM contacts c
         WHERE c.unreachable_since IS NULL
           AND (
               EXISTS (
                   SELECT 1
                   FROM letters l
                   WHERE l.restriction_id = $1
                     AND l.contact_id = c.contact_id
                     AND l.kind = 'Imposed'
               )
               OR (
                   c.created_at < $2
                   AND c.account_id = (
                       SELECT COALESCE(p.account_id, s.account_id)
                       FROM restrictions r
                       LEFT JOIN access_keys k USING (access_key_id)
                       LEFT JOIN principals p USING (principal_id)
                       LEFT JOIN sessions s USING (access_key_id)
                       WHERE r.restriction_id = $1
                   )
               )
           )
         ORDER BY c.contact_id",
        restriction_id,
        public_since
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(contacts)
}
