//! The daily partitions of the intents. Keeping them for long is cheap; taking one away is instant.

use sqlx::{AssertSqlSafe, PgPool};
use time::{Date, Duration, OffsetDateTime, UtcOffset, macros::format_description};

use crate::directory::StateFault;

/// Makes the partitions of the days (UTC) around an instant, where they are missing.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn ensure_partitions(pool: &PgPool, around: OffsetDateTime) -> Result<(), StateFault> {
    for days in -1..=2 {
        let day = (around + Duration::days(days))
            .to_offset(UtcOffset::UTC)
            .date();
        let Some(next) = day.next_day() else {
            continue;
        };
        // Names and bounds are dates that we print ourselves.
        let statement = format!(
            "CREATE TABLE IF NOT EXISTS {} PARTITION OF intents FOR VALUES FROM ('{day} 00:00:00+00') TO ('{next} 00:00:00+00')",
            partition_name(day)
        );
        let made = sqlx::query(AssertSqlSafe(statement)).execute(pool).await;
        if let Err(fault) = made {
            let fault = StateFault::from(fault);
            if !is_creation_race(&fault) {
                return Err(fault);
            }
        }
    }
    Ok(())
}

/// Drops the partitions of days before `before`; gives how many.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn drop_partitions_before(
    pool: &PgPool,
    before: OffsetDateTime,
) -> Result<usize, StateFault> {
    let oldest = partition_name(before.to_offset(UtcOffset::UTC).date());
    let old = sqlx::query_scalar!(
        "SELECT c.relname AS \"name!\"
         FROM pg_inherits i
         JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'intents'::regclass
           AND c.relname < $1",
        oldest
    )
    .fetch_all(pool)
    .await?;
    for name in &old {
        let statement = format!("DROP TABLE IF EXISTS {name}");
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await?;
    }
    Ok(old.len())
}

/// Two nodes may make the same partition at the same time: one of them is told that it is there.
fn is_creation_race(fault: &StateFault) -> bool {
    match fault {
        StateFault::Database(sqlx::Error::Database(fault)) => {
            matches!(fault.code().as_deref(), Some("23505" | "42P07" | "42P17"))
        }
        _ => false,
    }
}

fn partition_name(day: Date) -> String {
    let form = format_description!("[year][month][day]");
    // A date always prints in this form; a name that is no name makes no table.
    format!("intents_{}", day.format(form).unwrap_or_default())
}
