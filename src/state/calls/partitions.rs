//! The daily partitions of the intents. Keeping them for long is cheap; taking one away is instant.
//!
//! No statement here takes a lock that stops readers or writers of the intents: while a dump reads, a partition that is
//! created in place would wait for it, and every call behind it.

use sqlx::{AssertSqlSafe, PgPool};
use time::{Date, Duration, OffsetDateTime, UtcOffset, macros::format_description};

use crate::directory::StateFault;

/// Lets one node at a time create or remove partitions.
const PARTITIONS_LOCK: i64 = 0x616b_6761_7465;

/// Creates the partitions of the days (UTC) from the day before an instant to two days after it, where they are missing.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn ensure_partitions(pool: &PgPool, around: OffsetDateTime) -> Result<(), StateFault> {
    for days in -1..=2 {
        let day = (around + Duration::days(days))
            .to_offset(UtcOffset::UTC)
            .date();
        if let Some(next) = day.next_day() {
            ensure_partition(pool, day, next).await?;
        }
    }
    Ok(())
}

async fn ensure_partition(pool: &PgPool, day: Date, next: Date) -> Result<(), StateFault> {
    let name = partition_name(day);
    if is_attached(pool, &name).await? {
        return Ok(());
    }
    let mut tx = pool.begin().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", PARTITIONS_LOCK)
        .execute(&mut *tx)
        .await?;
    if is_attached(&mut *tx, &name).await? {
        return Ok(());
    }
    // Names and bounds are dates that we print ourselves.
    let statements = format!(
        "CREATE TABLE IF NOT EXISTS {name} (LIKE intents INCLUDING ALL);
         ALTER TABLE intents ATTACH PARTITION {name}
             FOR VALUES FROM ('{day} 00:00:00+00') TO ('{next} 00:00:00+00')"
    );
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Drops the partitions of days before `before`; returns how many.
///
/// # Errors
/// [`StateFault::Database`]; a partition that is being read is dropped by a later call.
pub async fn drop_partitions_before(
    pool: &PgPool,
    before: OffsetDateTime,
) -> Result<usize, StateFault> {
    let oldest = partition_name(before.to_offset(UtcOffset::UTC).date());
    // One that a former attempt has begun to detach comes first: PostgreSQL detaches one at a time.
    let old = sqlx::query!(
        "SELECT c.relname AS \"name!\", i.inhdetachpending AS \"is_detaching?\"
         FROM pg_class c
         LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'intents'::regclass
         WHERE c.relkind = 'r'
           AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'intents'::regclass)
           AND c.relname ~ '^intents_[0-9]{8}$'
           AND c.relname < $1
         ORDER BY i.inhdetachpending DESC NULLS LAST, c.relname",
        oldest
    )
    .fetch_all(pool)
    .await?;
    for partition in &old {
        let name = &partition.name;
        let how = match partition.is_detaching {
            Some(true) => Some("FINALIZE"),
            Some(false) => Some("CONCURRENTLY"),
            // Detached by a former attempt that could not drop it.
            None => None,
        };
        let detach = how.map(|how| format!("ALTER TABLE intents DETACH PARTITION {name} {how}"));
        for statement in detach.into_iter().chain([format!("DROP TABLE {name}")]) {
            sqlx::query(AssertSqlSafe(statement)).execute(pool).await?;
        }
    }
    Ok(old.len())
}

async fn is_attached(
    database: impl sqlx::PgExecutor<'_>,
    partition: &str,
) -> Result<bool, StateFault> {
    let attached = sqlx::query_scalar!(
        "SELECT EXISTS (
             SELECT 1
             FROM pg_inherits i
             JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'intents'::regclass
               AND c.relname = $1
         ) AS \"exists!\"",
        partition
    )
    .fetch_one(database)
    .await?;
    Ok(attached)
}

fn partition_name(day: Date) -> String {
    let form = format_description!("[year][month][day]");
    // A date always prints in this form; a name that is no name makes no table.
    format!("intents_{}", day.format(form).unwrap_or_default())
}
