//! The notices about an account's leaked keys, in order, for a message centre.

use sqlx::PgPool;

use crate::directory::StateFault;
use akgate_api::notices::Notice;
use akgate_rules::{access_key::mask_key_id, evidence::sanitize_text};

/// Reads an account's notices after one, the oldest first. `None` if the account is unknown.
///
/// # Errors
/// [`StateFault`].
pub async fn list_account_notices(
    pool: &PgPool,
    account_id: &str,
    after: i64,
    limit: i64,
) -> Result<Option<Vec<Notice>>, StateFault> {
    let rows = sqlx::query!(
        "SELECT
             a.audit_id,
             a.action,
             a.at,
             r.restriction_id,
             r.access_key_id,
             p.user_name
         FROM principals p
         JOIN access_keys k USING (principal_id)
         JOIN restrictions r USING (access_key_id)
         JOIN audit_records a USING (restriction_id)
         WHERE p.account_id = $1
           AND a.action IN ('Impose', 'Widen', 'Confirm', 'Withdraw', 'ProposeDisabling', 'DisableKey', 'Lift')
           AND a.audit_id > $2
         ORDER BY a.audit_id
         LIMIT $3",
        account_id,
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    if rows.is_empty() {
        let known = sqlx::query_scalar!(
            "SELECT EXISTS (
                 SELECT 1
                 FROM accounts
                 WHERE account_id = $1
             ) AS \"known!\"",
            account_id
        )
        .fetch_one(pool)
        .await?;
        return Ok(known.then(Vec::new));
    }
    let notices = rows.into_iter().map(|row| Notice {
        notice_id: row.audit_id,
        kind: row.action,
        at: row.at,
        restriction_id: row.restriction_id,
        access_key: mask_key_id(&row.access_key_id),
        user_name: row.user_name.as_deref().map(sanitize_text),
    });
    Ok(Some(notices.collect()))
}
