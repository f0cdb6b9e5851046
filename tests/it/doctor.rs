//! `akgate doctor`, well and ill: each illness is told with what to do, and nothing is changed.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    thread,
};

use akgate_state::{
    calls::partitions::ensure_partitions,
    clock::{Clock, SystemClock},
    database::MIGRATOR,
};
use axum::Router;
use serde_json::Value;

use crate::{
    addresses::refusing,
    database::TestDatabase,
    process::{Scratch, akgate, operator_as, secrets},
    upkeep::insert_intent,
};

/// A mail server that lets everybody in and takes nothing.
fn mail_server() -> u16 {
    fn talk(stream: TcpStream) -> std::io::Result<()> {
        let mut out = stream.try_clone()?;
        out.write_all(b"220 mail.test ESMTP\r\n")?;
        for line in BufReader::new(stream).lines() {
            let said = match line?.split(' ').next().unwrap_or_default() {
                "EHLO" => "250 mail.test",
                "NOOP" => "250 OK",
                "QUIT" => "221 Bye",
                _ => "502 Not here",
            };
            write!(out, "{said}\r\n")?;
        }
        Ok(())
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = talk(stream.unwrap());
        }
    });
    port
}

struct Patient {
    database: TestDatabase,
    scratch: Scratch,
}

impl Patient {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        MIGRATOR.run(database.pool()).await.unwrap();
        Self {
            database,
            scratch: Scratch::new(),
        }
    }

    fn config(&self, mail_port: u16, upstream_port: u16, more: &str) -> PathBuf {
        let text = format!(
            "{}{more}
             [upstreams.ram]\nurl = \"http://127.0.0.1:{upstream_port}\"\ncredentials = \"keep\"\n
             [upstreams.sts]\nurl = \"sandbox\"\n
             [public]\nurl = \"https://akgate.example\"\n
             [mail]\nhost = \"127.0.0.1\"\nport = {mail_port}\nencryption = \"none\"\nfrom = \"akgate@example.com\"\n",
            secrets(&self.scratch, &self.database.url())
        );
        self.scratch.write("akgate.toml", &text)
    }

    /// How it ended, and what was found: by what was looked at, how it is, what was found and what to do.
    fn examine(&self, config: &std::path::Path) -> (i32, Vec<(String, String, String, String)>) {
        let done = akgate(&["doctor", "-o", "json"], config);
        let out = String::from_utf8(done.stdout).unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        let found: Vec<Value> =
            serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out} {err}"));
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let found = found
            .iter()
            .map(|one| {
                (
                    text(one, "what"),
                    text(one, "is"),
                    text(one, "found"),
                    text(one, "next"),
                )
            })
            .collect();
        (done.status.code().unwrap(), found)
    }
}

async fn upstream() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new()).await });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_passes_a_healthy_setup_and_names_the_remedy_of_each_fault() {
    let patient = Patient::new().await;
    let config = patient.config(mail_server(), upstream().await, "");
    for name in ["anna", "ada"] {
        operator_as(&config, name, "admin");
    }
    let (code, found) = patient.examine(&config);
    assert_eq!(code, 3, "letters that nobody signs need care: {found:?}");
    let well: Vec<&str> = found
        .iter()
        .filter(|(_, is, ..)| is == "good")
        .map(|(what, ..)| what.as_str())
        .collect();
    assert_eq!(
        well,
        [
            "configuration",
            "key ring",
            "sessions",
            "database",
            "migrations",
            "clock, compared with the database",
            "connections",
            "nodes",
            "sealed secrets",
            "policy",
            "operators",
            "letters",
            "outcomes",
            "mail",
            "upstream RAM",
            "clock, compared with RAM",
            "upstream STS",
        ],
        "{found:?}"
    );

    let ill = format!(
        "[policy]\nmode = \"shadow\"\n
         [admin.oidc]\nissuer = \"http://127.0.0.1:{}\"\nclient_id = \"akgate\"\n",
        refusing().port()
    );
    let config = patient.config(refusing().port(), refusing().port(), &ill);
    let pool = patient.database.pool();
    for ill in [
        "UPDATE operators SET revoked_at = now() WHERE name = 'anna'",
        "DELETE FROM _sqlx_migrations WHERE version = (SELECT min(version) FROM _sqlx_migrations)",
    ] {
        let (code, found) = patient.examine(&config);
        assert_eq!(code, 1, "{found:?}");
        for (what, said, next) in [
            (
                "policy",
                "NOT restricted: the configured mode is shadow",
                "policy mode enforce",
            ),
            ("mail", "refused", "[mail]"),
            ("sign-in", "refused", "[admin.oidc]"),
            ("upstream RAM", "refused", "upstreams.ram"),
        ] {
            let one = found.iter().find(|one| one.0 == what).unwrap();
            assert!(one.2.contains(said) && one.3.contains(next), "{one:?}");
        }
        sqlx::query(sqlx::AssertSqlSafe(ill))
            .execute(pool)
            .await
            .unwrap();
    }
    let (_, found) = patient.examine(&config);
    let migrations = found.iter().find(|one| one.0 == "migrations").unwrap();
    assert_eq!(migrations.1, "wrong");
    assert!(migrations.2.starts_with("1 of "), "{migrations:?}");
    assert!(
        found.iter().all(|one| one.0 != "operators"),
        "not asked of such a database"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_leaves_an_empty_database_empty_and_warns_of_a_single_approver() {
    let patient = Patient::new().await;
    let config = patient.config(refusing().port(), refusing().port(), "");
    for emptying in [
        "DROP SCHEMA public, sandbox CASCADE",
        "CREATE SCHEMA public",
    ] {
        let emptying = sqlx::query(emptying).execute(patient.database.pool());
        emptying.await.unwrap();
    }
    let (code, found) = patient.examine(&config);
    assert_eq!(code, 1);
    assert!(
        found
            .iter()
            .any(|one| one.0 == "migrations" && one.1 == "wrong"),
        "{found:?}"
    );
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'sandbox')",
    )
    .fetch_one(patient.database.pool())
    .await
    .unwrap();
    assert_eq!(tables, 0);

    MIGRATOR.run(patient.database.pool()).await.unwrap();
    let one_of = |what: &str| {
        let (_, found) = patient.examine(&config);
        found.into_iter().find(|one| one.0 == what).unwrap()
    };
    assert!(one_of("operators").2.starts_with("no operator has a token"));
    operator_as(&config, "anna", "approver");
    assert!(one_of("operators").2.starts_with("only one operator"));

    let done = akgate(&["doctor"], &config);
    let out = String::from_utf8(done.stdout).unwrap();
    assert!(
        out.contains("WRONG  mail") || out.contains("WRONG   mail"),
        "{out}"
    );
    assert!(
        out.contains("\noperators: akgate operators add NAME --role approver\n"),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_reports_an_unreachable_database_and_a_foreign_key_ring() {
    let patient = Patient::new().await;
    let config = patient.config(refusing().port(), refusing().port(), "");
    sqlx::query(
        "INSERT INTO sessions (access_key_id, account_id, principal, ancestors, mint_revisions, mint_histories, account_ids,
             sealed_secret, seal_key_id, token_sha256, minted_at, expires_at, request_id, addition)
         VALUES ('STS.x', '1', 'p', '{}', '{}', '{}', '{}', '', 7, '', now(), now(), gen_random_uuid(), 1)",
    )
    .execute(patient.database.pool())
    .await
    .unwrap();
    let (_, found) = patient.examine(&config);
    let sealed = found.iter().find(|one| one.0 == "sealed secrets").unwrap();
    assert_eq!(
        (sealed.1.as_str(), sealed.2.as_str()),
        ("wrong", "key 7 is not in the key ring")
    );

    let away = format!("postgres://nobody@127.0.0.1:{}/none", refusing().port());
    std::fs::write(patient.scratch.path().join("database-url"), away).unwrap();
    let (code, found) = patient.examine(&config);
    assert_eq!(code, 1);
    let database = found.iter().find(|one| one.0 == "database").unwrap();
    assert_eq!(database.1, "wrong");
    assert!(!database.2.contains("nobody"), "{database:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_changes_whose_outcome_is_not_there() {
    let patient = Patient::new().await;
    let config = patient.config(refusing().port(), refusing().port(), "");
    let outcomes = || {
        let (_, found) = patient.examine(&config);
        found.into_iter().find(|one| one.0 == "outcomes").unwrap()
    };
    let pool = patient.database.pool();
    let now = SystemClock.now();
    for (minutes, outcome, is, said) in [
        (5, None, "good", "known of all changes of the last 24 hours"),
        (
            600,
            Some("Unknown"),
            "care",
            "1 changes of the last 24 hours have an unknown outcome",
        ),
        (
            40,
            None,
            "care",
            "1 changes of the last 24 hours have no outcome, 1 an unknown one",
        ),
    ] {
        let at = now - time::Duration::minutes(minutes);
        ensure_partitions(pool, at).await.unwrap();
        insert_intent(pool, at, outcome).await;
        let found = outcomes();
        assert_eq!((found.1.as_str(), found.2.as_str()), (is, said));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_what_loses_commits_too_few_connections_and_another_key_ring() {
    let patient = Patient::new().await;
    let config = patient.config(refusing().port(), refusing().port(), "");
    let one_of = |what: &str| {
        let (_, found) = patient.examine(&config);
        found.into_iter().find(|one| one.0 == what).unwrap()
    };
    // The server of the tests is one that nothing has to survive.
    let durability = one_of("durability");
    assert_eq!(durability.1, "care");
    assert!(durability.2.contains("fsync = off"), "{durability:?}");

    let options = patient.database.options();
    let limit = format!(
        "ALTER DATABASE {} CONNECTION LIMIT 20",
        options.get_database().unwrap()
    );
    for statement in [
        limit.as_str(),
        "INSERT INTO key_ring_checks (key_id, check_value) VALUES (1, sha256('another'))",
    ] {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(patient.database.pool());
        done.await.unwrap();
    }
    let connections = one_of("connections");
    assert_eq!(connections.1, "care");
    assert!(
        connections
            .2
            .ends_with("the server has 20 (the database's limit)"),
        "{connections:?}"
    );
    let sealed = one_of("sealed secrets");
    assert_eq!(sealed.1, "wrong");
    assert!(sealed.2.contains("the key `seal 1`"), "{sealed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_reports_an_expiring_or_unusable_certificate() {
    let patient = Patient::new().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let key_file = patient.scratch.write("tls.key", &key.serialize_pem());
    let other = rcgen::KeyPair::generate().unwrap();
    let other_file = patient.scratch.write("other.key", &other.serialize_pem());
    let now = SystemClock.now();
    for (days, key_file, is, said) in [
        (30, &key_file, "good", "expires on"),
        (13, &key_file, "care", "expires on"),
        (-1, &key_file, "wrong", "expired on"),
        (30, &other_file, "wrong", "tls.pem"),
    ] {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.not_before = now - time::Duration::days(100);
        params.not_after = now + time::Duration::days(days);
        let certificate = params.self_signed(&key).unwrap().pem();
        let file = patient.scratch.write("tls.pem", &certificate);
        let more = format!("[admin]\ntls_cert = {file:?}\ntls_key = {key_file:?}\n");
        let config = patient.config(refusing().port(), refusing().port(), &more);
        let (_, found) = patient.examine(&config);
        let one = found.iter().find(|one| one.0 == "certificate of admin");
        let one = one.unwrap();
        assert!(one.1 == is && one.2.contains(said), "{days}: {one:?}");
    }
}
