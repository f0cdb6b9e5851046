//! `akgate keys`: many at a time, sealed again.

use akgate_rules::access_key::AccessKeyId;
use akgate_state::database::MIGRATOR;
use akgate_state::{
    directory::{
        import::{FileFormat, read_rows},
        keys,
        reseal::{self, SealedTable},
        sealing::KeyRing,
    },
    keys::import::{ImportChunk, ImportCounts, import_keys},
};
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    database::TestDatabase,
    harness::NOW,
    process::{Scratch, akgate, secrets},
};

const HEADER: &str =
    "account_id,user_name,user_id,access_key_id,access_key_secret,status,owner_email\n";

fn ring(seals: &[u8]) -> KeyRing {
    let seals: String = seals
        .iter()
        .map(|n| format!("seal {n} {}\n", hex::encode([*n; 32])))
        .collect();
    KeyRing::parse(&format!("{seals}index {}\n", hex::encode([99; 32]))).unwrap()
}

fn batch(lines: &str, ring: &KeyRing) -> ImportChunk {
    let mut rng = StdRng::seed_from_u64(1);
    let mut batch = ImportChunk::default();
    for (line, row) in read_rows(FileFormat::Csv, format!("{HEADER}{lines}").as_bytes()) {
        batch.add(line, row.unwrap(), ring, &mut rng).unwrap();
    }
    batch
}

#[tokio::test]
async fn import_stores_new_and_changed_keys_and_names_keys_of_other_accounts() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    let ring = ring(&[1]);
    let first = "1,alice,71,LTAI5tFake1,FakeSecret1,Active,one@example.com\n\
                 1,,,LTAI5tFake2,FakeSecret2,Active,one@example.com\n\
                 2,bob,72,LTAI5tFake3,FakeSecret3,Inactive,two@example.com\n";
    let (imported, rejected, _) = import_keys(pool, &batch(first, &ring), NOW).await.unwrap();
    assert_eq!(
        imported,
        ImportCounts {
            inserted: 3,
            ..ImportCounts::default()
        }
    );
    assert!(rejected.is_empty());
    let second = "1,alice,71,LTAI5tFake1,FakeSecret1,Active,one@example.com\n\
                  1,mallory,71,LTAI5tFake2,FakeSecret2,Active,mallory@example.com\n\
                  2,bob,72,LTAI5tFake3,FakeSecret3,Active,two@example.com\n\
                  2,bob,72,LTAI5tFake4,FakeSecret4,Active,two@example.com\n";
    let (imported, rejected, _) = import_keys(pool, &batch(second, &ring), NOW).await.unwrap();
    assert_eq!(
        imported,
        ImportCounts {
            inserted: 1,
            changed: 1,
            unchanged: 1
        }
    );
    assert_eq!(
        rejected[0].to_string(),
        "line 3: this AccessKeyId belongs to another principal"
    );
    let emails: Vec<String> = sqlx::query_scalar("SELECT email FROM contacts ORDER BY email")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(emails, ["one@example.com", "two@example.com"]);
    let ids: Vec<(String, String)> = sqlx::query_as(
        "SELECT user_name, user_id FROM principals WHERE user_id IS NOT NULL ORDER BY user_id",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let wanted = [("alice", "71"), ("bob", "72")];
    assert_eq!(
        ids,
        wanted.map(|(name, id)| (name.to_owned(), id.to_owned())),
        "an id that another user has is not believed"
    );
}

#[tokio::test]
async fn reseal_during_writes_leaves_nothing_under_the_old_key() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    let (old, both, new) = (ring(&[1]), ring(&[1, 2]), ring(&[2]));
    let line = |n: usize, secret: &str| {
        format!("1,user{n},,LTAI5tFake{n:03},FakeSecret{secret}{n},Active,\n")
    };
    let lines: String = (0..100).map(|n| line(n, "")).collect();
    import_keys(pool, &batch(&lines, &old), NOW).await.unwrap();
    assert_eq!(reseal::count_stale(pool, &both).await.unwrap(), 100);
    assert!(
        keys::find_key(pool, &new, &id(0)).await.is_err(),
        "the ring without the old key opens nothing yet"
    );

    let revision = revision(pool).await;
    let mut rng = StdRng::seed_from_u64(2);
    let mut after = String::new();
    let mut turn = 0;
    while let Some((last, count)) =
        reseal::reseal_batch(pool, &both, SealedTable::AccessKeys, &after, 30, &mut rng)
            .await
            .unwrap()
    {
        assert!(count <= 30);
        after = last;
        // Somebody changes a secret that is sealed already, and one that is still to come.
        let changed = format!("{}{}", line(turn, "New"), line(90 + turn, "New"));
        import_keys(pool, &batch(&changed, &both), NOW)
            .await
            .unwrap();
        turn += 1;
    }
    assert_eq!(reseal::count_stale(pool, &both).await.unwrap(), 0);
    assert_eq!(self::revision(pool).await, revision + turn as i64);
    for n in 0..100 {
        let found = keys::find_key(pool, &new, &id(n)).await.unwrap().unwrap();
        let is_new = n < turn || (90..90 + turn).contains(&n);
        let secret = if is_new { "New" } else { "" };
        assert_eq!(
            found.record.secret.expose(),
            format!("FakeSecret{secret}{n}")
        );
    }
}

fn id(n: usize) -> AccessKeyId {
    AccessKeyId::parse(&format!("LTAI5tFake{n:03}")).unwrap()
}

async fn revision(pool: &sqlx::PgPool) -> i64 {
    sqlx::query_scalar("SELECT revision FROM registry_revision")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_imported_and_resealed_by_command() {
    let database = TestDatabase::new().await;
    MIGRATOR.run(database.pool()).await.unwrap();
    let scratch = Scratch::new();
    let config = scratch.write("akgate.toml", &secrets(&scratch, &database.url()));
    let run = |arguments: &[&str]| {
        let done = akgate(arguments, &config);
        let code = done.status.code().unwrap();
        let out = String::from_utf8(done.stdout).unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        (code, out, err)
    };
    let lines = "1,alice,,LTAI5tFake1,FakeSecret1,Active,one@example.com\n\
                 1,alice,,LTAI5tFake2,FakeSecret2,Inactive,one@example.com\n\
                 1,alice,,LTAI5tFake1,FakeSecretOther,Active,one@example.com\n\
                 x,alice,,LTAI5tFake3,FakeSecret3,Active,\n\
                 2,,,LTAI5tFake4,FakeSecret4,Active,two@example.com\n";
    let file = scratch.write("keys.csv", &format!("{HEADER}{lines}"));
    let (code, out, err) = run(&["keys", "import", file.to_str().unwrap()]);
    assert_eq!(code, 3, "{err}");
    assert_eq!(
        out.trim(),
        "3 new, 1 changed, 0 unchanged, 1 rejected",
        "a second line for a key counts after the first"
    );
    assert!(
        err.starts_with("line 5: account_id must be a decimal number\n"),
        "{err}"
    );
    assert!(!err.contains("FakeSecret"));

    let ring = scratch.path().join("key-ring");
    let two = format!(
        "{}seal 2 {}\n",
        std::fs::read_to_string(&ring).unwrap(),
        hex::encode([3; 32])
    );
    std::fs::write(&ring, two).unwrap();
    let (code, out, err) = run(&["keys", "reseal"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, "3 resealed under seal key 2, 0 left\n");
    let (_, out, _) = run(&["keys", "reseal"]);
    assert_eq!(out, "0 resealed under seal key 2, 0 left\n");
}
