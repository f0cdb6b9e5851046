//! The key ring and the database belong together: another ring with the same ids does nothing.

use std::path::{Path, PathBuf};

use crate::{
    database::TestDatabase,
    process::{Scratch, Served, akgate, operator, secrets},
    serve::World,
    wait::eventually,
};

/// A configuration beside that of the world, with another key ring.
fn with_ring(world: &World, name: &str, seals: &[(u32, u8)], index: u8) -> PathBuf {
    let key = |byte: u8| hex::encode([byte; 32]);
    let seals: String = seals
        .iter()
        .map(|(id, byte)| format!("seal {id} {}\n", key(*byte)))
        .collect();
    let ring = world
        .scratch
        .write(name, &format!("{seals}index {}\n", key(index)));
    let text = std::fs::read_to_string(&world.config).unwrap();
    let old = world.scratch.path().join("key-ring");
    let text = text.replace(&format!("{old:?}"), &format!("{ring:?}"));
    assert!(text.contains(ring.to_str().unwrap()), "{text}");
    world.scratch.write(&format!("{name}.toml"), &text)
}

/// What another ring could have changed.
async fn counts(database: &TestDatabase) -> Vec<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM access_keys
         UNION ALL SELECT count(*) FROM leak_reports
         UNION ALL SELECT count(*) FROM restrictions
         UNION ALL SELECT count(*) FROM key_ring_checks
         UNION ALL SELECT count(*) FROM nodes
         UNION ALL SELECT revision FROM registry_revision",
    )
    .fetch_all(database.pool())
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ring_with_the_same_ids_does_nothing() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    world.import(&["alice"]);
    let before = counts(&database).await;
    assert_eq!(before[3], 2, "the first ring is the database's own");

    let keys = "account_id,user_name,access_key_id,access_key_secret,owner_email\n\
                5123456789012345,bob,LTAI5tFakebob,FakeSecretOfbob,owner@example.com\n";
    let keys = world.scratch.write("bob.csv", keys);
    let leaks = "access_key_id,access_key_secret\nLTAI5tFakealice,FakeSecretOfalice\n";
    let leaks = world.scratch.write("leaks.csv", leaks);
    for (name, seals, index, said) in [
        (
            "seal",
            &[(1, 7)][..],
            2,
            "the key `seal 1` of this key ring is not the one",
        ),
        (
            "index",
            &[(1, 1)][..],
            7,
            "the `index` key of this key ring is not the one",
        ),
        (
            "lacking",
            &[(2, 7)][..],
            2,
            "this key ring lacks the key `seal 1`",
        ),
    ] {
        let config = with_ring(&world, name, seals, index);
        for arguments in [
            ["keys", "import", keys.to_str().unwrap()],
            ["reports", "import", leaks.to_str().unwrap()],
        ] {
            let done = akgate(&arguments, &config);
            let text = String::from_utf8_lossy(&done.stderr);
            assert!(!done.status.success(), "{name} {arguments:?}: {text}");
            assert!(text.contains(said), "{name} {arguments:?}: {text}");
        }
        let mut node = Served::start(&config, "gateway,public,admin,worker", &[]);
        assert_eq!(node.ended().await, Some(1), "{}", node.log());
        assert!(node.log().contains(said), "{}", node.log());
        assert_eq!(counts(&database).await, before, "{name}");
    }
    // The right one does.
    let done = akgate(&["keys", "import", keys.to_str().unwrap()], &world.config);
    assert!(done.status.success(), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reseal_waits_for_the_nodes_to_have_the_new_key() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    operator(&world.config, "tester");
    world.import(&["alice"]);
    let mut node = Served::start(&world.config, "gateway,admin", &[]);
    let gateway = node.address("gateway").await;
    world.until(&gateway, "alice", "ListUsers", "200").await;

    let both = with_ring(&world, "both", &[(1, 1), (2, 3)], 2);
    let refused = akgate(&["keys", "reseal"], &both);
    let said = String::from_utf8_lossy(&refused.stderr);
    let name: String = sqlx::query_scalar("SELECT name FROM nodes")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains(&name) && said.contains("seal 2"), "{said}");
    let sealed = "SELECT DISTINCT seal_key_id FROM access_keys";
    let sealed = async || -> Vec<i32> {
        let sealed = sqlx::query_scalar(sealed).fetch_all(database.pool());
        sealed.await.unwrap()
    };
    assert_eq!(sealed().await, [1]);

    node.signal("TERM");
    assert_eq!(node.ended().await, Some(0), "{}", node.log());
    let node = Served::start(&both, "gateway,admin", &[]);
    let gateway = node.address("gateway").await;
    let done = akgate(&["keys", "reseal"], &both);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(sealed().await, [2]);
    world.until(&gateway, "alice", "ListUsers", "200").await;
    // The old key is needed no more; the new one is.
    let new = with_ring(&world, "new", &[(2, 3)], 2);
    let done = akgate(&["keys", "reseal"], &new);
    assert!(done.status.success(), "{done:?}");
    let refused = akgate(&["keys", "reseal"], &world.config);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("lacks the key `seal 2`"), "{said}");
}

/// What the database says of a key: which key of the ring has sealed it.
async fn sealed_with(database: &TestDatabase, access_key_id: &str) -> Option<i32> {
    sqlx::query_scalar("SELECT seal_key_id FROM access_keys WHERE access_key_id = $1")
        .bind(access_key_id)
        .fetch_optional(database.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_key_seals_nothing_before_every_node_has_it() {
    let database = TestDatabase::new().await;
    // A world for each node: its own ring file, its own upstream.
    let worlds = [
        World::new(&database.url(), "").await,
        World::new(&database.url(), "").await,
    ];
    let [first, second] = &worlds;
    first.import(&["alice"]);
    let start = |world: &World| Served::start(&world.config, "gateway", &[]);
    let (one, mut other) = (start(first), start(second));
    let gateways = [one.address("gateway").await, other.address("gateway").await];
    let add_key = |world: &World| {
        let file = world.scratch.path().join("key-ring");
        let ring = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{ring}{}", seal(2, 3))).unwrap();
    };
    // What each makes is used at both.
    let import_and_call = async |name: &str, config: &Path| -> Option<i32> {
        let line = format!(
            "account_id,user_name,access_key_id,access_key_secret,owner_email\n\
             5123456789012345,{name},LTAI5tFake{name},FakeSecretOf{name},owner@example.com\n"
        );
        let file = first.scratch.write(&format!("{name}.csv"), &line);
        let done = akgate(&["keys", "import", file.to_str().unwrap()], config);
        assert!(done.status.success(), "{done:?}");
        for (world, gateway) in worlds.iter().zip(&gateways) {
            world.until(gateway, name, "ListUsers", "200").await;
        }
        sealed_with(&database, &format!("LTAI5tFake{name}")).await
    };
    add_key(first);
    one.logs("key ring reloaded").await;
    assert_eq!(import_and_call("bob", &first.config).await, Some(1));
    add_key(second);
    other.logs("key ring reloaded").await;
    for node in [&one, &other] {
        node.logs("secrets are sealed with another key from now on")
            .await;
    }
    assert_eq!(import_and_call("carol", &first.config).await, Some(2));
    assert_eq!(import_and_call("dave", &second.config).await, Some(2));

    // One that is killed may be one that was only cut off.
    other.signal("KILL");
    other.ended().await;
    let file = first.scratch.path().join("key-ring");
    let ring = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{ring}{}", seal(3, 4))).unwrap();
    one.logs("[1, 2, 3]").await;
    let refused = akgate(&["keys", "reseal"], &first.config);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("do not have the key `seal 3`"), "{said}");
    let forget = "UPDATE nodes SET announced_at = announced_at - interval '11 minutes'
                  WHERE name LIKE '%:' || $1 || ':%'";
    sqlx::query(forget)
        .bind(other.pid().to_string())
        .execute(database.pool())
        .await
        .unwrap();
    // The node that runs has read the new ring, and announces it within a second.
    eventually("the secrets are sealed again", async || {
        akgate(&["keys", "reseal"], &first.config).status.success()
    })
    .await;
    assert_eq!(sealed_with(&database, "LTAI5tFakebob").await, Some(3));
}

fn seal(id: u8, byte: u8) -> String {
    format!("seal {id} {}\n", hex::encode([byte; 32]))
}

#[tokio::test(flavor = "multi_thread")]
async fn key_ring_is_taken_over_when_its_file_changes_and_another_ring_is_refused() {
    let database = TestDatabase::new().await;
    let scratch = Scratch::new();
    let mut text = secrets(&scratch, &database.url());
    for section in ["admin", "telemetry"] {
        text.push_str(&format!("[{section}]\nlisten = \"127.0.0.1:0\"\n"));
    }
    let config = scratch.write("akgate.toml", &text);
    let file = scratch.path().join("key-ring");
    let first = std::fs::read_to_string(&file).unwrap();
    let serving = Served::start(&config, "admin", &[]);
    serving.address("admin").await;
    let announced = async || {
        sqlx::query_scalar::<_, Vec<i32>>("SELECT seal_key_ids FROM nodes")
            .fetch_one(database.pool())
            .await
            .unwrap()
    };
    assert_eq!(announced().await, [1]);

    let index = first.lines().find(|line| line.starts_with("index"));
    let foreign = format!("{}{}\n", seal(1, 77), index.unwrap());
    std::fs::write(&file, &foreign).unwrap();
    serving
        .logs("cannot use the new key ring; keeping the old one")
        .await;
    let refused = akgate(&["keys", "reseal"], &config);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(
        said,
        "error: the key `seal 1` of this key ring is not the one of this database: restore the key ring that belongs to \
         this database\n"
    );

    let longer = format!("{first}{}", seal(2, 3));
    std::fs::write(&file, &longer).unwrap();
    serving.logs("key ring reloaded").await;
    eventually("the new key is announced", async || {
        announced().await == [1, 2]
    })
    .await;

    // A key that the node does not have yet seals nothing.
    let ahead = Scratch::new();
    let text = secrets(&ahead, &database.url());
    std::fs::write(
        ahead.path().join("key-ring"),
        format!("{longer}{}", seal(3, 4)),
    )
    .unwrap();
    let ahead_config = ahead.write("akgate.toml", &text);
    let refused = akgate(&["keys", "reseal"], &ahead_config);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.starts_with("error: these nodes do not have the key `seal 3`: ")
            && said.ends_with(". Give every node the new key ring first\n"),
        "{said}"
    );
    assert_eq!(refused.status.code(), Some(2));
    let resealed = akgate(&["keys", "reseal"], &config);
    assert!(resealed.status.success(), "{resealed:?}");
}
