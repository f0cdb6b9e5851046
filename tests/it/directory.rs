//! The directory on a real PostgreSQL.

use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    position::Position,
};
use akgate_state::{
    directory::{
        KeyRecord, StateFault,
        keys::{self, NewKey, UpsertOutcome},
        sealing::KeyRing,
    },
    keys::lifecycle::{commit_key, commit_key_status},
    live::{
        feed::{Feed, FeedSettings},
        memory::LiveRegistry,
    },
};
use std::sync::Arc;

use rand::{SeedableRng, rngs::StdRng};
use sqlx::PgPool;
use time::{OffsetDateTime, macros::datetime};

use crate::database::TestDatabase;

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00:00 UTC);

fn ring() -> KeyRing {
    let key = |byte: u8| hex::encode([byte; 32]);
    KeyRing::parse(&format!("seal 1 {}\nindex {}", key(1), key(2))).unwrap()
}

fn id(text: &str) -> AccessKeyId {
    AccessKeyId::parse(text).unwrap()
}

fn key(text: &str, user_name: Option<&str>, secret: &str) -> NewKey {
    NewKey {
        record: KeyRecord {
            access_key_id: id(text),
            account_id: "1234567890123456".into(),
            user_name: user_name.map(str::to_owned),
            status: KeyStatus::Active,
            secret: AccessKeySecret::new(secret.into()),
        },
        created_by: None,
    }
}

async fn keep(pool: &PgPool, key: &NewKey) -> Result<UpsertOutcome, StateFault> {
    commit_key(pool, &ring(), key, NOW, &mut StdRng::seed_from_u64(1)).await
}

#[tokio::test]
async fn stored_key_is_found_with_its_secret_and_stored_once() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    let key = key("LTAI5tFake1", Some("alice"), "FakeSecret1");
    assert_eq!(keep(pool, &key).await.unwrap(), UpsertOutcome::Inserted);
    assert_eq!(keep(pool, &key).await.unwrap(), UpsertOutcome::Unchanged);
    let found = keys::find_key(pool, &ring(), &id("LTAI5tFake1"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.record.secret.expose(), "FakeSecret1");
    assert_eq!(found.record.user_name.as_deref(), Some("alice"));
    assert_eq!(found.record.status, KeyStatus::Active);
    assert!(
        keys::find_key(pool, &ring(), &id("LTAI5tFake2"))
            .await
            .unwrap()
            .is_none()
    );
    let changed = NewKey {
        record: KeyRecord {
            secret: AccessKeySecret::new("FakeSecret2".into()),
            ..key.record
        },
        ..key
    };
    assert_eq!(
        keep(pool, &changed).await.unwrap(),
        UpsertOutcome::Changed(KeyStatus::Active)
    );
}

#[tokio::test]
async fn root_key_belongs_to_the_account_and_no_key_changes_its_owner() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    keep(pool, &key("LTAI5tRoot", None, "FakeSecret"))
        .await
        .unwrap();
    let found = keys::find_key(pool, &ring(), &id("LTAI5tRoot"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.record.user_name, None);
    assert_eq!(
        keep(pool, &key("LTAI5tRoot", None, "FakeSecret"))
            .await
            .unwrap(),
        UpsertOutcome::Unchanged
    );
    let stolen = keep(pool, &key("LTAI5tRoot", Some("mallory"), "FakeSecret")).await;
    assert!(matches!(stolen, Err(StateFault::OtherPrincipal)));
}

#[tokio::test]
async fn status_change_advances_the_revision_once() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    keep(pool, &key("LTAI5tFake1", Some("alice"), "FakeSecret1"))
        .await
        .unwrap();
    let key_id = id("LTAI5tFake1");
    let set = |status| commit_key_status(pool, &key_id, status, NOW);
    let revision = |set: Result<Option<Position>, StateFault>| Some(set.unwrap()?.revision);
    assert_eq!(set(KeyStatus::Active).await.unwrap(), None);
    assert_eq!(revision(set(KeyStatus::Inactive).await), Some(2));
    assert_eq!(set(KeyStatus::Inactive).await.unwrap(), None);
    assert_eq!(revision(set(KeyStatus::Deleted).await), Some(3));
    let unknown = commit_key_status(pool, &id("LTAI5tFake9"), KeyStatus::Inactive, NOW).await;
    assert_eq!(unknown.unwrap(), None);
    let found = keys::find_key(pool, &ring(), &key_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.position.revision, found.record.status),
        (3, KeyStatus::Deleted)
    );
}

/// Sixteen writers with delays of their own: a reader that follows the revision sees every change.
#[tokio::test(flavor = "multi_thread")]
async fn feed_misses_no_late_commit() {
    const WRITERS: usize = 16;
    const KEYS: usize = 20;
    let database = TestDatabase::new().await;
    let pool = database.pool().clone();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let pool = pool.clone();
            tokio::spawn(async move {
                for n in 0..KEYS {
                    let name = format!("LTAI5tFake-{writer}-{n}");
                    keep(
                        &pool,
                        &key(&name, Some(&format!("user{writer}")), "FakeSecret"),
                    )
                    .await
                    .unwrap();
                }
            })
        })
        .collect();
    let live = Arc::new(LiveRegistry::default());
    let feed = Feed::new(pool.clone(), Arc::clone(&live), FeedSettings::default());
    let mut revision = -1;
    loop {
        let finished = writers.iter().all(tokio::task::JoinHandle::is_finished);
        feed.poll().await.unwrap();
        assert!(feed.revision() >= revision, "backwards");
        revision = feed.revision();
        let (known, _) = live.len();
        // A revision that was read brings every change up to it.
        assert!(
            known >= usize::try_from(revision).unwrap(),
            "a change was missed"
        );
        if finished {
            assert_eq!(known, WRITERS * KEYS);
            break;
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(revision, i64::try_from(WRITERS * KEYS).unwrap(), "no gaps");
}
