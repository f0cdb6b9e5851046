//! A database per test, on one private server per run of this binary.
//!
//! Statics are never dropped: the server's tether stops it when the process ends.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{LazyLock, mpsc};

use akgate::postgres::{Durability, PostgresOptions, PrivatePostgres};
use akgate_state::database::MIGRATOR;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::runtime::Runtime;

use crate::{letters::stage::Stage, wait::eventually};

const TEMPLATE: &str = "akgate_template";

/// A fresh database with every migration applied. Dropping it removes the database, whoever is
/// still connected, and fails the test if letters are left in the outbox that the test does not account for.
pub struct TestDatabase {
    name: String,
    pool: PgPool,
    leaves_letters: AtomicBool,
}

impl TestDatabase {
    /// Makes the database; the first call of a run also starts the server.
    pub async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        administer(format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
            .await
            .unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(5)
            .connect_lazy_with(options(&SHARED.server, &name));
        Self {
            name,
            pool,
            leaves_letters: AtomicBool::new(false),
        }
    }

    /// A pool of the calling test's own, opened as it is used.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// For pools and listeners that the test opens itself.
    pub fn options(&self) -> PgConnectOptions {
        options(&SHARED.server, &self.name)
    }

    /// For programs that the test runs.
    pub fn url(&self) -> String {
        SHARED.server.url(&self.name)
    }

    /// Says why the test may end with letters in the outbox: without it, each has to be sent or given up.
    pub fn leaves_letters(&self, _why: &'static str) {
        self.leaves_letters.store(true, Ordering::Relaxed);
    }

    /// Empties the outbox, as if a worker had sent the letters; gives their kinds, sorted.
    pub async fn send_letters(&self) -> Vec<String> {
        let mut kinds: Vec<String> = sqlx::query_scalar(
            "UPDATE letters
             SET state = 'Sent',
                 attempts = attempts + 1,
                 settled_at = created_at
             WHERE state = 'Due'
             RETURNING kind",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        kinds.sort();
        kinds
    }

    /// The kinds of the letters in the outbox. Asked on the runtime of this file: the test's own may be over, and may
    /// be the one that this thread drives.
    fn unsent_letters(&self) -> sqlx::Result<Vec<String>> {
        let options = self.options().options([("lock_timeout", "10s")]);
        let (answer, answered) = mpsc::channel();
        SHARED.runtime.spawn(async move {
            let kinds = async {
                let mut connection = PgConnection::connect_with(&options).await?;
                sqlx::query_scalar("SELECT kind FROM letters WHERE state = 'Due' ORDER BY kind")
                    .fetch_all(&mut connection)
                    .await
            };
            drop(answer.send(kinds.await));
        });
        answered.recv().unwrap()
    }
}

/// How sqlx reaches a database of a private server.
pub fn options(server: &PrivatePostgres, database: &str) -> PgConnectOptions {
    server.url(database).parse().unwrap()
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let is_over = std::thread::panicking() || self.leaves_letters.load(Ordering::Relaxed);
        let unsent = match is_over {
            true => Ok(Vec::new()),
            false => self.unsent_letters(),
        };
        // Not waited for: the test is over.
        drop(administer(format!(
            "DROP DATABASE {} WITH (FORCE)",
            self.name
        )));
        let unsent = unsent.unwrap();
        assert!(
            unsent.is_empty(),
            "letters are left in the outbox: {unsent:?}; send them, or say why by `leaves_letters`"
        );
    }
}

struct Shared {
    server: PrivatePostgres,
    // Apart from the tests' runtimes, which end with their tests.
    runtime: Runtime,
    admin: PgPool,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    // A test's own runtime forbids blocking on another one.
    std::thread::spawn(start).join().unwrap()
});

fn start() -> Shared {
    let server = PrivatePostgres::start(&PostgresOptions {
        data: None,
        tuning: Durability::Throwaway,
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let admin = runtime.block_on(async {
        let admin = PgPoolOptions::new()
            .max_connections(4)
            .connect_with(options(&server, "postgres"))
            .await
            .unwrap();
        make_template(&server, &admin).await;
        admin
    });
    Shared {
        server,
        runtime,
        admin,
    }
}

async fn make_template(server: &PrivatePostgres, admin: &PgPool) {
    execute(admin, format!("CREATE DATABASE {TEMPLATE}"))
        .await
        .unwrap();
    let pool = PgPool::connect_with(options(server, TEMPLATE))
        .await
        .unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    pool.close().await;
    // A stray connection to a template would make every CREATE DATABASE wait.
    let close = format!("ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false");
    execute(admin, close).await.unwrap();
}

fn administer(sql: String) -> tokio::task::JoinHandle<()> {
    SHARED
        .runtime
        .spawn(async move { execute(&SHARED.admin, sql).await.unwrap() })
}

async fn execute(admin: &PgPool, sql: String) -> sqlx::Result<()> {
    // Names come from this file alone.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await?;
    Ok(())
}

#[tokio::test]
async fn databases_of_two_tests_share_nothing() {
    let (one, two) = (TestDatabase::new().await, TestDatabase::new().await);
    sqlx::raw_sql("CREATE TABLE mine (id int)")
        .execute(one.pool())
        .await
        .unwrap();
    let table: Option<String> = sqlx::query_scalar("SELECT to_regclass('mine')::text")
        .fetch_one(two.pool())
        .await
        .unwrap();
    assert_eq!(table, None);
}

#[tokio::test]
async fn dropped_database_is_removed_despite_connections() {
    let database = TestDatabase::new().await;
    let (name, other) = (database.name.clone(), database.pool.clone());
    sqlx::raw_sql("SELECT 1").execute(&other).await.unwrap();
    drop(database);
    let beside = TestDatabase::new().await;
    eventually("the database is gone", async || {
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(beside.pool())
            .await
            .unwrap()
    })
    .await;
}

#[tokio::test]
async fn database_dropped_with_an_unsent_letter_fails_the_test() {
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 1).await;
    let dropped = std::thread::spawn(move || drop(database)).join();
    let said = dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains(r#"["Imposed"]"#), "{said}");
    drop(stage);

    let database = TestDatabase::new().await;
    Stage::with_leak(database.pool(), 1).await;
    assert_eq!(database.send_letters().await, ["Imposed"]);
    drop(database);
}

#[tokio::test]
async fn url_and_options_name_the_same_database() {
    let database = TestDatabase::new().await;
    let by_url = database.url().parse::<PgConnectOptions>().unwrap();
    for options in [by_url, database.options()] {
        let pool = PgPool::connect_with(options).await.unwrap();
        let name: String = sqlx::query_scalar("SELECT current_database()::text")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(name, database.name);
    }
}
