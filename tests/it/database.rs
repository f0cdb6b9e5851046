//! A database per test, on one private server per run of this binary.
//!
//! Statics are never dropped: the server's tether stops it when the process ends.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use akgate::postgres::{Options, PrivatePostgres, Tuning};
use akgate_state::database::MIGRATOR;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::runtime::Runtime;

const TEMPLATE: &str = "akgate_template";

/// A fresh database with every migration applied. Dropping it removes the database, whoever is
/// still connected.
pub struct TestDatabase {
    name: String,
    pool: PgPool,
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
        Self { name, pool }
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
}

/// How sqlx reaches a database of a private server.
pub fn options(server: &PrivatePostgres, database: &str) -> PgConnectOptions {
    server.url(database).parse().unwrap()
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Not waited for: the test is over.
        drop(administer(format!(
            "DROP DATABASE {} WITH (FORCE)",
            self.name
        )));
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
    let server = PrivatePostgres::start(&Options {
        data: None,
        tuning: Tuning::Throwaway,
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
    let pool = PgPool::connect_with(options(&server, TEMPLATE))
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
async fn dropped_database_is_gone_though_connected() {
    let database = TestDatabase::new().await;
    let (name, other) = (database.name.clone(), database.pool.clone());
    sqlx::raw_sql("SELECT 1").execute(&other).await.unwrap();
    drop(database);
    let gone = async {
        loop {
            let found: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                    .bind(&name)
                    .fetch_one(&TestDatabase::new().await.pool)
                    .await
                    .unwrap();
            if !found {
                break;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone)
        .await
        .unwrap();
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
