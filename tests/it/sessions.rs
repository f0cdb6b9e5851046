//! What a role of the database gives to its sessions: settings that akgate does not inherit, and a limit of connections.

use std::time::{Duration, Instant};

use akgate_state::database::{PoolSettings, connect_pool};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    database::TestDatabase,
    process::{Served, akgate, operator},
    serve::World,
    wait::eventually,
};

/// A role that is no superuser, with an empty database of its own.
struct Role {
    name: String,
    url: String,
    admin: PgPool,
}

impl Role {
    async fn new(database: &TestDatabase) -> Self {
        let name = format!("role_{}", uuid::Uuid::new_v4().simple());
        let server = database.url();
        let (_, parameters) = server.split_once('?').unwrap();
        let parameters = parameters.replace("user=postgres", &format!("user={name}"));
        let role = Self {
            url: format!("postgresql:///{name}?{parameters}"),
            admin: database.pool().clone(),
            name,
        };
        assert!(role.url.contains(&format!("user={}", role.name)));
        role.execute(&format!("CREATE ROLE {} LOGIN", role.name))
            .await;
        role.execute(&format!("CREATE DATABASE {0} OWNER {0}", role.name))
            .await;
        role
    }

    async fn alter(&self, what: &str) {
        self.execute(&format!("ALTER ROLE {} {what}", self.name))
            .await;
    }

    /// Ends every session of the role.
    async fn disconnect(&self) {
        self.execute(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'",
            self.name
        ))
        .await;
    }

    async fn execute(&self, sql: &str) {
        // Names are of this file alone.
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&self.admin)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_do_not_inherit_what_the_role_sets() {
    let database = TestDatabase::new().await;
    let role = Role::new(&database).await;
    for setting in [
        "default_transaction_isolation = 'serializable'",
        "synchronous_commit = off",
        "search_path = elsewhere",
        "statement_timeout = 1",
        "lock_timeout = 1",
        "jit = on",
        "idle_session_timeout = 2000",
    ] {
        role.alter(&format!("SET {setting}")).await;
    }
    let world = World::new(&role.url, "").await;
    operator(&world.config, "tester");

    let settings = PoolSettings::default();
    let pools = (0..25).map(|_| connect_pool(&role.url, "test", settings));
    for pool in join_all(pools).await {
        let pool = pool.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        for (name, wanted) in [
            ("default_transaction_isolation", "read committed"),
            ("synchronous_commit", "on"),
            ("search_path", "public"),
            ("statement_timeout", "5s"),
            ("lock_timeout", "5s"),
            ("jit", "off"),
            ("idle_session_timeout", "0"),
            ("idle_in_transaction_session_timeout", "1s"),
            ("TimeZone", "UTC"),
        ] {
            let shown: String = sqlx::query_scalar(AssertSqlSafe(format!("SHOW {name}")))
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            assert_eq!(shown, wanted, "{name}");
        }
    }

    // All at once, and of one account: under `serializable` all but one would fail.
    let imports = (0..4).map(|n| {
        let lines: String = (0..300)
            .map(|key| format!("5123456789012345,user{n}x{key},LTAI5tFake{n}x{key},FakeSecret{n}x{key},owner@example.com\n"))
            .collect();
        let header = "account_id,user_name,access_key_id,access_key_secret,owner_email\n";
        let file = world.scratch.write(&format!("keys-{n}.csv"), &format!("{header}{lines}"));
        let config = world.config.clone();
        tokio::task::spawn_blocking(move || {
            akgate(&["keys", "import", file.to_str().unwrap()], &config)
        })
    });
    for done in join_all(imports).await {
        let done = done.unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert_eq!(
            said.trim(),
            "300 new, 0 changed, 0 unchanged, 0 rejected",
            "{done:?}"
        );
    }
}

/// What a call may take: three calls of the database of a second each, and what a busy machine needs.
const BOUND: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_in_time_when_connections_run_out() {
    let database = TestDatabase::new().await;
    let role = Role::new(&database).await;
    let world = World::new(&role.url, "").await;
    operator(&world.config, "tester");
    world.import(&["alice"]);
    let node = Served::start(&world.config, "gateway,admin", &[]);
    let (gateway, telemetry) = (
        node.address("gateway").await,
        node.address("telemetry").await,
    );
    world.until(&gateway, "alice", "CreateUser", "200").await;
    let calls = async || {
        let calls = join_all((0..30).map(async |_| {
            let began = Instant::now();
            let reply = world.call(&gateway, "alice", "CreateUser").await;
            assert!(
                began.elapsed() < BOUND,
                "{:?}: {}",
                began.elapsed(),
                reply.text
            );
            assert!([200, 503].contains(&reply.status), "{}", reply.text);
            reply.status == 200
        }));
        calls.await.into_iter().filter(|is_good| *is_good).count()
    };

    role.alter("CONNECTION LIMIT 6").await;
    role.disconnect().await;
    let few = calls().await;
    role.alter("CONNECTION LIMIT 0").await;
    role.disconnect().await;
    eventually("no mutation passes", async || calls().await == 0).await;
    let ready = world.get(&telemetry, "/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.text);
    role.alter("CONNECTION LIMIT -1").await;
    let back = world.until(&gateway, "alice", "CreateUser", "200").await;
    eventually("every mutation passes", async || calls().await == 30).await;
    println!("{few} of 30 with six connections; again {back:?} after there are more");
    assert!(back < Duration::from_secs(10), "{back:?}");
}
