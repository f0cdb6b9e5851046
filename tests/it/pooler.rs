//! pgbouncer 1.18, as Debian has it, between akgate and PostgreSQL: it works where it pools sessions, and is named where it
//! shares them.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    database::TestDatabase,
    process::{Scratch, Served, akgate, operator},
    serve::World,
    wait::eventually,
};

/// Names the socket file; nothing listens on TCP.
const PORT: u16 = 6432;

/// A running pgbouncer; killed at the end of the test.
struct PgBouncer {
    child: Child,
    folder: PathBuf,
    _scratch: Scratch,
}

impl PgBouncer {
    async fn start(database: &TestDatabase, pool_mode: &str) -> Self {
        let scratch = Scratch::new();
        let folder = scratch.path().join("pgbouncer");
        fs::create_dir(&folder).unwrap();
        let server = database.options();
        let text = format!(
            "[databases]\n* = host={} port={} user={}\n\
             [pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\nunix_socket_dir = {}\n\
             auth_type = any\npool_mode = {pool_mode}\nignore_startup_parameters = extra_float_digits\n\
             max_client_conn = 200\ndefault_pool_size = 60\n",
            server.get_socket().unwrap().display(),
            server.get_port(),
            server.get_username(),
            folder.display(),
        );
        let config = folder.join("pgbouncer.ini");
        fs::write(&config, text).unwrap();
        let log = fs::File::create(scratch.path().join("pgbouncer.log")).unwrap();
        let mut command = Command::new("pgbouncer");
        command.arg(&config).stdout(Stdio::null()).stderr(log);
        // It refuses to run as root, as PostgreSQL does: it runs as whoever the server runs as.
        let server = fs::metadata(server.get_socket().unwrap()).unwrap();
        if server.uid() != fs::metadata(&folder).unwrap().uid() {
            chown(&folder, Some(server.uid()), Some(server.gid())).unwrap();
            command.uid(server.uid()).gid(server.gid());
        }
        let child = command.spawn();
        let child = child.expect("pgbouncer is missing: ./dev test installs it");
        let bouncer = Self {
            child,
            folder,
            _scratch: scratch,
        };
        let socket = bouncer.folder.join(format!(".s.PGSQL.{PORT}"));
        eventually("pgbouncer listens", async || socket.exists()).await;
        bouncer
    }

    fn url(&self, database: &TestDatabase) -> String {
        let options = database.options();
        format!(
            "postgresql:///{}?host={}&port={PORT}&user={}&sslmode=disable",
            options.get_database().unwrap(),
            self.folder.display(),
            options.get_username()
        )
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pooler_that_shares_sessions_is_named_by_doctor_and_ends_the_start() {
    let database = TestDatabase::new().await;
    let bouncer = PgBouncer::start(&database, "transaction").await;
    let world = World::new(&bouncer.url(&database), "").await;
    let mut node = Served::start(&world.config, "gateway,public,admin,worker", &[]);
    assert_eq!(node.ended().await, Some(1), "{}", node.log());
    let said = "a connection pooler shares sessions between transactions (pgbouncer in transaction mode): use session mode";
    assert!(node.log().contains(said), "{}", node.log());

    let examined = akgate(&["doctor", "-o", "json"], &world.config);
    assert_eq!(examined.status.code(), Some(1));
    let findings: Value = serde_json::from_slice(&examined.stdout).unwrap();
    let findings = findings.as_array().unwrap();
    let sessions = findings.iter().find(|one| one["what"] == "sessions");
    let sessions = sessions.unwrap();
    assert_eq!(sessions["is"], "wrong", "{sessions}");
    let next = sessions["next"].as_str().unwrap();
    assert!(next.contains("pool_mode = session"), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_works_behind_a_pooler_of_whole_sessions() {
    let database = TestDatabase::new().await;
    database.leaves_letters("no worker runs");
    let bouncer = PgBouncer::start(&database, "session").await;
    let world = World::new(&bouncer.url(&database), "").await;
    let token = operator(&world.config, "tester");
    world.import(&["alice"]);
    let node = Served::start(&world.config, "gateway,admin", &[]);
    let (gateway, admin) = (node.address("gateway").await, node.address("admin").await);
    let telemetry = node.address("telemetry").await;
    let reply = world.call(&gateway, "alice", "CreateUser").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    world.report(&admin, &token, "alice").await;
    let refused = world.call(&gateway, "alice", "CreateUser").await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let ready = world.get(&telemetry, "/readyz?verbose").await;
    assert_eq!(ready.status, 200, "{}", ready.text);

    let examined = akgate(&["doctor", "-o", "json"], &world.config);
    let findings: Value = serde_json::from_slice(&examined.stdout).unwrap();
    let findings = findings.as_array().unwrap();
    let sessions = findings.iter().find(|one| one["what"] == "sessions");
    assert_eq!(sessions.unwrap()["is"], "good", "{findings:?}");
}
