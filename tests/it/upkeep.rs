//! Upkeep of the records of calls beside those who read and write them: partitions, and outcomes that nobody writes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use akgate_state::{
    calls::{
        CallOutcome,
        batch::{BulkRecord, SettledIntent},
        partitions::{drop_partitions_before, ensure_partitions},
        reconcile::{
            OUTCOME_DEADLINE, OutcomeGaps, ReconcileProgress, count_outcome_gaps,
            mark_unknown_outcomes,
        },
    },
    clock::{Clock, SystemClock},
    database::{PoolSettings, connect_pool},
    upkeep::Upkeep,
};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{database::TestDatabase, wait::eventually};

/// Writes an intent; returns its RequestId.
pub async fn insert_intent(
    pool: &PgPool,
    received_at: OffsetDateTime,
    outcome: Option<&str>,
) -> Uuid {
    let request_id = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO intents (
             access_key_id, nonce, signed_at, request_id, account_id, principal, product, version, action, effect,
             grounds, names, source_ip, user_agent, received_at, outcome
         )
         VALUES ('LTAI5tFake', $1::text, $2, $1, '1', 'p', 'Ram', '1', 'CreateUser', 'Identity', 'g', '{}', '::1', 'u', $2, $3)",
    )
    .bind(request_id)
    .bind(received_at)
    .bind(outcome)
    .execute(pool)
    .await
    .unwrap();
    request_id
}

async fn outcome(pool: &PgPool, request_id: Uuid) -> Option<String> {
    sqlx::query_scalar("SELECT outcome FROM intents WHERE request_id = $1")
        .bind(request_id)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// The tables of days.
async fn tables(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relname ~ '^intents_[0-9]{8}$' ORDER BY relname",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn is_attached(pool: &PgPool, table: &str) -> bool {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM pg_inherits
             WHERE inhrelid = $1::regclass AND NOT inhdetachpending
         )",
    )
    .bind(table)
    .fetch_one(pool)
    .await
    .unwrap()
}

fn table(day: OffsetDateTime) -> String {
    format!("intents_{}", day.date().to_string().replace('-', ""))
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_a_dump_reads_and_partitions_come_and_go() {
    let database = TestDatabase::new().await;
    let settings = PoolSettings {
        statement_timeout: Duration::from_secs(1),
        ..PoolSettings::default()
    };
    let pool = connect_pool(&database.url(), "test", settings)
        .await
        .unwrap();
    let now = SystemClock.now();
    let (old, day) = (now - time::Duration::days(100), time::Duration::days(1));
    ensure_partitions(&pool, old).await.unwrap();
    ensure_partitions(&pool, now - day).await.unwrap();
    let next = table(now + day * 2);
    assert!(!tables(&pool).await.contains(&next));

    // As pg_dump: every table, for as long as it reads.
    let mut dump = database.pool().begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE intents IN ACCESS SHARE MODE")
        .execute(&mut *dump)
        .await
        .unwrap();
    let (stop, stopped) = watch::channel(false);
    let upkeep = {
        let pool = pool.clone();
        tokio::spawn(async move {
            let upkeep = Upkeep {
                pool: &pool,
                clock: &SystemClock,
                timeout: Duration::from_secs(2),
                retention: time::Duration::days(30),
                lineage_retention: time::Duration::days(300),
            };
            upkeep.run(stopped, |_| {}).await;
        })
    };
    let until = Instant::now() + Duration::from_secs(3);
    let mut longest = Duration::ZERO;
    while Instant::now() < until {
        let began = Instant::now();
        insert_intent(&pool, now, None).await;
        longest = longest.max(began.elapsed());
    }
    println!("an intent took {longest:?} at most while a dump was reading");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    eventually("the partition ahead is there", async || {
        tables(&pool).await.contains(&next)
    })
    .await;
    stop.send_replace(true);
    upkeep.await.unwrap();
    assert!(is_attached(&pool, &next).await);
    // One of them is half detached, and must not be in the way of what comes.
    let earlier = old - day * 3;
    ensure_partitions(&pool, earlier).await.unwrap();
    assert!(tables(&pool).await.contains(&table(earlier)));

    dump.commit().await.unwrap();
    let before = now - day * 30;
    drop_partitions_before(&pool, before).await.unwrap();
    let left = tables(&pool).await;
    assert!(left.iter().all(|name| *name >= table(before)), "{left:?}");
}

#[tokio::test]
async fn detached_partition_that_could_not_be_dropped_is_dropped_later() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    let now = SystemClock.now();
    let old = now - time::Duration::days(100);
    ensure_partitions(pool, old).await.unwrap();
    let detach = format!("ALTER TABLE intents DETACH PARTITION {}", table(old));
    sqlx::raw_sql(sqlx::AssertSqlSafe(detach))
        .execute(pool)
        .await
        .unwrap();
    let dropped = drop_partitions_before(pool, now).await.unwrap();
    assert_eq!(dropped, 4);
    let left = tables(pool).await;
    assert!(left.iter().all(|name| *name >= table(now)), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_reports_how_many_outcomes_it_has_marked() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    let late = SystemClock.now() - OUTCOME_DEADLINE - time::Duration::minutes(1);
    ensure_partitions(pool, late).await.unwrap();
    for outcome in [None, None, Some("Succeeded")] {
        insert_intent(pool, late, outcome).await;
    }
    let upkeep = Upkeep {
        pool,
        clock: &SystemClock,
        timeout: Duration::from_secs(5),
        retention: time::Duration::days(30),
        lineage_retention: time::Duration::days(300),
    };
    let (stop, stopped) = watch::channel(false);
    let reported = AtomicU64::new(0);
    upkeep
        .run(stopped, |count| {
            reported.fetch_add(count, Ordering::Relaxed);
            stop.send_replace(true);
        })
        .await;
    assert_eq!(reported.into_inner(), 2);
}

#[tokio::test]
async fn outcome_that_nobody_wrote_becomes_unknown_and_a_later_one_counts() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    let now = SystemClock.now();
    let days = [0, 3, 6].map(|days| now - time::Duration::days(days));
    for day in days {
        ensure_partitions(pool, day).await.unwrap();
    }
    let late = now - OUTCOME_DEADLINE - time::Duration::minutes(1);
    let young = insert_intent(pool, now - time::Duration::minutes(5), None).await;
    let abandoned = insert_intent(pool, late, None).await;
    let settled = insert_intent(pool, late, Some("Succeeded")).await;
    let long_ago = insert_intent(pool, days[2], None).await;

    let begin = now - time::Duration::days(7);
    let gaps = async || count_outcome_gaps(pool, begin, now).await.unwrap();
    let (unknown, missing) = (0, 3);
    assert_eq!(gaps().await, OutcomeGaps { unknown, missing });
    let mut progress = ReconcileProgress {
        from: begin,
        marked: 0,
    };
    mark_unknown_outcomes(pool, &mut progress, now)
        .await
        .unwrap();
    assert_eq!(
        (progress.marked, progress.from),
        (2, now - OUTCOME_DEADLINE)
    );
    let (unknown, missing) = (2, 1);
    assert_eq!(gaps().await, OutcomeGaps { unknown, missing });
    for (request_id, wanted) in [
        (young, None),
        (abandoned, Some("Unknown")),
        (settled, Some("Succeeded")),
        (long_ago, Some("Unknown")),
    ] {
        assert_eq!(outcome(pool, request_id).await.as_deref(), wanted);
    }

    // Its node had only been stopped.
    let answer = SettledIntent {
        request_id: abandoned,
        signed_at: late,
        outcome: CallOutcome::Succeeded,
        status: Some(200),
        code: None,
        at: now,
        made: None,
    };
    SettledIntent::write(pool, &[answer]).await.unwrap();
    let later = now + time::Duration::minutes(11);
    mark_unknown_outcomes(pool, &mut progress, later)
        .await
        .unwrap();
    assert_eq!(progress.marked, 3, "the young one, which is late by now");
    assert_eq!(outcome(pool, young).await.as_deref(), Some("Unknown"));
    assert_eq!(outcome(pool, abandoned).await.as_deref(), Some("Succeeded"));
}
