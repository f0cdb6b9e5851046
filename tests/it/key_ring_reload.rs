//! The key ring of running nodes: another one's is refused, a longer one is taken over, and nothing is sealed by a key
//! that a node does not have.

use crate::{
    database::TestDatabase,
    process::{Scratch, Served, akgate, secrets},
    wait::eventually,
};

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
