//! Limits wrong tokens: in each [`GUESS_WINDOW`], at most [`MAX_PER_TOKEN`] are checked per token and
//! [`MAX_PER_SOURCE`] per source address.
//!
//! Each attempt is counted before its token is checked, so that concurrent guesses cannot exceed the limit; a valid
//! token takes its count back. An address from which a token worked recently is never locked out by guesses from
//! elsewhere; there, only its own wrong guesses count.

use std::net::IpAddr;

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use crate::directory::StateFault;

/// Maximum number of wrong guesses of one token that are checked.
pub const MAX_PER_TOKEN: i32 = 5;

/// Maximum number of wrong guesses from one source address that are checked.
pub const MAX_PER_SOURCE: i32 = 100;

/// In this time, from the first one on.
pub const GUESS_WINDOW: Duration = Duration::minutes(15);

/// Where a request comes from, as far as guesses are counted: an IPv4 address, or the /64 network of an IPv6 one, of
/// which everybody has all addresses.
#[must_use]
pub fn guess_source(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Whose guesses are counted, and how many may be wrong.
#[derive(Debug, Clone)]
pub struct GuessBudget {
    subjects: Vec<String>,
    most: Vec<i32>,
}

impl GuessBudget {
    /// The budget of a source address, for an unknown token.
    pub fn of_source(source: &str) -> Self {
        Self {
            subjects: vec![format!("source {source}")],
            most: vec![MAX_PER_SOURCE],
        }
    }

    /// The budget of a token from any address.
    pub fn of_token(token_id: &str, source: &str) -> Self {
        let mut budget = Self::of_source(source);
        budget.subjects.push(format!("token {token_id}"));
        budget.most.push(MAX_PER_TOKEN);
        budget
    }

    /// The budget of a token from an address where it worked recently.
    pub fn of_familiar(token_id: &str, source: &str) -> Self {
        Self {
            subjects: vec![format!("token {token_id} from {source}")],
            most: vec![MAX_PER_TOKEN],
        }
    }
}

/// Counts a guess before it is checked. If the budget is used up, returns when there is more.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_guess(
    pool: &PgPool,
    budget: &GuessBudget,
    now: OffsetDateTime,
) -> Result<Result<(), OffsetDateTime>, StateFault> {
    let mut tx = pool.begin().await?;
    sqlx::query!(
        "DELETE FROM token_guesses WHERE since <= $1",
        now - GUESS_WINDOW
    )
    .execute(&mut *tx)
    .await?;
    // Rows are locked in one order, whoever guesses.
    let counted = sqlx::query!(
        "INSERT INTO token_guesses AS g (subject, since, wrong)
         SELECT n.subject, $3, 1
         FROM unnest($1::text[], $2::integer[]) AS n (subject, most)
         ORDER BY n.subject
         ON CONFLICT (subject) DO UPDATE
         SET wrong = g.wrong + 1
         RETURNING subject, since, wrong",
        &budget.subjects,
        &budget.most,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    let spent = counted.iter().filter(|row| {
        let mut limits = budget.subjects.iter().zip(&budget.most);
        limits.any(|(subject, most)| *subject == row.subject && row.wrong > *most)
    });
    if let Some(until) = spent.map(|row| row.since + GUESS_WINDOW).max() {
        tx.rollback().await?;
        return Ok(Err(until));
    }
    tx.commit().await?;
    Ok(Ok(()))
}

/// Takes a count back: the guess was none.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn refund_guess(pool: &PgPool, budget: &GuessBudget) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE token_guesses g
         SET wrong = g.wrong - 1
         FROM (
             SELECT subject
             FROM token_guesses
             WHERE subject = ANY($1)
             ORDER BY subject
             FOR UPDATE
         ) AS locked
         WHERE g.subject = locked.subject
           AND g.wrong > 0",
        &budget.subjects
    )
    .execute(pool)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guess_source_is_an_ipv4_address_or_an_ipv6_64_network() {
        for (ip, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(guess_source(ip.parse().unwrap()), expected);
        }
    }
}
