//! Nodes that start at once read the registry in turns.

use std::{sync::Arc, time::Duration};

use akgate_state::{
    database::pool_beside,
    live::{
        feed::{Feed, FeedSettings},
        memory::LiveRegistry,
    },
};
use tokio::task::JoinSet;

use crate::{database::TestDatabase, wait::eventually};

/// How many nodes start.
const NODES: usize = 50;

/// How many of them may read everything at the same time.
const READERS: i64 = 4;

/// Longer than the test takes.
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn fifty_nodes_that_start_at_once_read_everything_a_few_at_a_time() {
    let database = TestDatabase::new().await;
    // Whoever reads all keys waits here, where it can be counted.
    let mut hold = database.pool().begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE access_keys IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *hold)
        .await
        .unwrap();
    let mut starting = JoinSet::new();
    for _ in 0..NODES {
        let feed = Feed::new(
            pool_beside(database.pool(), 4, TIMEOUT),
            Arc::<LiveRegistry>::default(),
            FeedSettings {
                timeout: TIMEOUT,
                ..FeedSettings::default()
            },
        );
        starting.spawn(async move {
            feed.poll().await.unwrap();
            feed.revision()
        });
    }
    let count = async |query: &'static str| -> i64 {
        let count = sqlx::query_scalar(query).fetch_one(database.pool());
        count.await.unwrap()
    };
    let reading = async || {
        count(
            "SELECT count(*) FROM pg_locks
             WHERE relation = 'access_keys'::regclass AND NOT granted",
        )
        .await
    };
    eventually("every node has asked for a turn", async || {
        let asked = count(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE '%pg_try_advisory_xact_lock%'
               AND state <> 'idle' AND pid <> pg_backend_pid()",
        );
        usize::try_from(asked.await).unwrap() == NODES
    })
    .await;
    eventually("some of them are reading", async || {
        reading().await >= READERS
    })
    .await;
    assert_eq!(reading().await, READERS);
    hold.commit().await.unwrap();
    let revisions = starting.join_all().await;
    assert_eq!(revisions.len(), NODES);
    assert!(revisions.iter().all(|revision| *revision >= 0));
}
