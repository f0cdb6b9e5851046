//! `/readyz?verbose` and the start name what is not so in the database.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use akgate::postgres::{Durability, PostgresOptions, PrivatePostgres};
use akgate_state::database::MIGRATOR;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::net::TcpListener;

use crate::{
    addresses,
    database::{self, TestDatabase},
    database_host::DatabaseHost,
    process::{Served, akgate},
    serve::World,
    wait::eventually,
};

/// A node, and what it says of itself.
struct Probed {
    world: World,
    node: Served,
    telemetry: String,
}

impl Probed {
    async fn start(database_url: &str) -> Self {
        let world = World::new(database_url, "").await;
        let node = Served::start(&world.config, "gateway,admin", &[]);
        let telemetry = node.address("telemetry").await;
        let probed = Self {
            world,
            node,
            telemetry,
        };
        probed.becomes_ready().await;
        probed
    }

    async fn becomes_ready(&self) {
        eventually("the node is ready", async || {
            self.world.get(&self.telemetry, "/readyz").await.status == 200
        })
        .await;
    }

    async fn becomes_unready(&self, reason: &str) {
        let what = format!("/readyz says {reason}\n{}", self.node.log());
        eventually(&what, async || {
            let ready = self.world.get(&self.telemetry, "/readyz?verbose").await;
            ready.status == 503 && ready.text.contains(reason)
        })
        .await;
    }
}

/// A start fails and `doctor` finds the same, both soon, and without the password.
async fn is_named_at_once(database_url: &str, reason: &str) {
    let world = World::new(database_url, "").await;
    let began = Instant::now();
    let mut node = Served::start(&world.config, "gateway,public,admin,worker", &[]);
    assert_eq!(node.ended().await, Some(1), "{}", node.log());
    assert!(node.log().contains(reason), "{reason}: {}", node.log());
    let examined = akgate(&["doctor", "-o", "json"], &world.config);
    assert!(began.elapsed() < Duration::from_secs(30));
    let out = String::from_utf8(examined.stdout).unwrap();
    let findings: Vec<Value> = serde_json::from_str(&out).unwrap();
    let database = findings.iter().find(|one| one["what"] == "database");
    let database = database.unwrap();
    assert_eq!(database["is"], "wrong", "{database}");
    let found = database["found"].as_str().unwrap();
    assert!(found.contains(reason), "{reason}: {found}");
    assert!(!(out + &node.log()).contains("FakeWrong"));
}

/// On a connection of its own: what a session of before is set to is over.
async fn execute(database: &TestDatabase, statements: &[&str]) {
    let mut connection = PgConnection::connect_with(&database.options())
        .await
        .unwrap();
    for statement in statements {
        let name = database.options();
        let name = name.get_database().unwrap();
        let statement = statement.replace("{database}", name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

const CLOSE_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = '{database}' AND application_name = 'akgate' AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn node_that_cannot_write_is_not_ready_and_says_why() {
    let database = TestDatabase::new().await;
    let probed = Probed::start(&database.url()).await;
    let full = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100';
         END $$";
    for (ill, well, reason) in [
        (
            &[
                "ALTER DATABASE {database} SET default_transaction_read_only = on",
                CLOSE_SESSIONS,
            ][..],
            &[
                "BEGIN READ WRITE; ALTER DATABASE {database} RESET default_transaction_read_only; COMMIT",
            ][..],
            "[-] database failed: the server takes no writes: it is a standby, or read-only",
        ),
        (
            &[
                full,
                "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON nodes FOR EACH ROW EXECUTE FUNCTION refuse()",
            ][..],
            &["DROP TRIGGER refuse ON nodes"][..],
            "[-] database failed: its disk is full (could not extend file)",
        ),
    ] {
        execute(&database, ill).await;
        probed.becomes_unready(reason).await;
        execute(&database, well).await;
        probed.becomes_ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_without_connections_is_not_ready_and_says_why() {
    let database = TestDatabase::new().await;
    let options = database.options();
    let (owner, name) = (options.get_username(), options.get_database().unwrap());
    let role = format!("limited_{name}");
    execute(
        &database,
        &[
            &format!("CREATE ROLE {role} LOGIN INHERIT"),
            &format!("GRANT {owner} TO {role}"),
        ],
    )
    .await;
    let url = database
        .url()
        .replace(&format!("user={owner}"), &format!("user={role}"));
    let probed = Probed::start(&url).await;
    execute(
        &database,
        &[
            &format!("ALTER ROLE {role} CONNECTION LIMIT 0"),
            CLOSE_SESSIONS,
        ],
    )
    .await;
    let reason = "[-] database failed: it has no connection to spare";
    probed.becomes_unready(reason).await;
    execute(
        &database,
        &[&format!("ALTER ROLE {role} CONNECTION LIMIT -1")],
    )
    .await;
    probed.becomes_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_with_another_key_ring_or_schema_is_not_ready() {
    let database = TestDatabase::new().await;
    let probed = Probed::start(&database.url()).await;
    for (ill, well, reason) in [
        (
            "UPDATE key_ring_checks SET check_value = sha256(check_value)",
            "DELETE FROM key_ring_checks",
            "[-] key ring failed: the `index` key",
        ),
        (
            "UPDATE _sqlx_migrations SET success = false WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
            "UPDATE _sqlx_migrations SET success = true",
            "[-] schema failed: 1 migrations are missing",
        ),
    ] {
        execute(&database, &[ill]).await;
        probed.becomes_unready(reason).await;
        execute(&database, &[well]).await;
        probed.becomes_ready().await;
    }
    // One that is ahead is told of.
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99999999999999, 'of a newer akgate', true, '', 0)";
    execute(&database, &[newer]).await;
    let ready = probed.world.get(&probed.telemetry, "/readyz?verbose").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    assert!(
        ready.text.contains("[+] schema ok: a newer akgate"),
        "{}",
        ready.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn start_names_a_schema_that_is_not_this_builds() {
    let database = TestDatabase::new().await;
    let short = World::new(&database.url(), "").await;
    let latest = MIGRATOR.iter().map(|migration| migration.version).max();
    let latest = latest.unwrap();
    let refuses = |said: &str| {
        let started = akgate(&["serve"], &short.config);
        let err = String::from_utf8(started.stderr).unwrap();
        assert_eq!(started.status.code(), Some(1), "{err}");
        assert!(err.contains(said), "{err}");
    };
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99999999999999, 'of a newer akgate', true, '', 0)";
    execute(&database, &[newer]).await;
    refuses("ahead of this build");

    let config = std::fs::read_to_string(&short.config).unwrap();
    let config = config.replacen("[database]\n", "[database]\nmigrate = false\n", 1);
    std::fs::write(&short.config, config).unwrap();
    let missing = format!("DELETE FROM _sqlx_migrations WHERE version = {latest}");
    execute(&database, &[&missing]).await;
    refuses("short of 1 migrations");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_password_is_named_at_the_start_and_later() {
    let server = PrivatePostgres::start(&PostgresOptions {
        data: None,
        tuning: Durability::Throwaway,
    })
    .unwrap();
    let mut connection = PgConnection::connect_with(&database::options(&server, "postgres"))
        .await
        .unwrap();
    let mut execute = async |statement: &'static str| {
        let done = sqlx::raw_sql(statement).execute(&mut connection);
        done.await.unwrap();
    };
    execute("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'FakeRight'").await;
    let rules = server.data().unwrap().join("cluster/pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("local all locked scram-sha-256\n{before}")).unwrap();
    execute("SELECT pg_reload_conf()").await;
    let url = |password: &str| {
        let url = server
            .url("postgres")
            .replace("user=postgres", "user=locked");
        format!("{url}&password={password}")
    };
    let reason = "it refuses this user or password (password authentication failed for user";
    is_named_at_once(&url("FakeWrong"), reason).await;

    let probed = Probed::start(&url("FakeRight")).await;
    execute("ALTER ROLE locked PASSWORD 'FakeOther'").await;
    execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked'")
        .await;
    probed
        .becomes_unready("[-] database failed: it refuses this user or password")
        .await;
    execute("ALTER ROLE locked PASSWORD 'FakeRight'").await;
    probed.becomes_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_is_away_is_named_at_the_start_and_later() {
    let url = |address: SocketAddr, database: &str| {
        format!("postgresql://postgres:FakeWrong@{address}/{database}?sslmode=disable")
    };
    is_named_at_once(
        &url(addresses::refusing(), "none"),
        "it cannot be reached: ",
    )
    .await;
    // The system takes its connections, and nobody answers.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reason = "it does not respond in time";
    is_named_at_once(&url(mute.local_addr().unwrap(), "none"), reason).await;

    let database = TestDatabase::new().await;
    let options = database.options();
    let host = DatabaseHost::start(&options).await;
    let address = host.address();
    let probed = Probed::start(&url(address, options.get_database().unwrap())).await;
    host.close().await;
    probed
        .becomes_unready("[-] database failed: it cannot be reached: ")
        .await;
    let _again = DatabaseHost::at(address, &options).await;
    probed.becomes_ready().await;
}
