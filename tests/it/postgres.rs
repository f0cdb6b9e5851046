//! The private PostgreSQL: starting, keeping data, and leaving nothing behind.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use akgate::postgres::{Durability, PostgresOptions, PrivatePostgres};
use sqlx::{Connection, PgConnection};

use crate::wait::eventually_blocking;

#[tokio::test]
async fn server_starts_cold_and_stop_leaves_nothing() {
    let server = start(None);
    assert_eq!(number(&server, "SELECT 1").await, 1);
    let (pid, data) = (server.postmaster_pid(), server.data().unwrap().to_owned());
    assert!(is_running(pid));
    server.stop();
    assert!(!is_running(pid));
    assert!(!data.exists());
}

#[tokio::test]
async fn server_has_no_tcp_port_and_a_closed_folder() {
    let server = start(None);
    let addresses = "SELECT count(*)::int FROM pg_settings \
                     WHERE name = 'listen_addresses' AND setting = ''";
    assert_eq!(number(&server, addresses).await, 1);
    let mode = server
        .data()
        .unwrap()
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn warm_start_keeps_the_data() {
    let folder = Scratch::new();
    let server = start(Some(folder.data()));
    run(&server, "CREATE TABLE kept AS SELECT 7 AS n").await;
    server.stop();
    let server = start(Some(folder.data()));
    assert_eq!(number(&server, "SELECT n FROM kept").await, 7);
}

#[tokio::test]
async fn restart_after_a_killed_server_keeps_the_data() {
    let mut server = start(None);
    run(&server, "CREATE TABLE kept AS SELECT 7 AS n").await;
    run(&server, "CHECKPOINT").await;
    let before = server.postmaster_pid();
    signal("-KILL", before);
    server.restart().unwrap();
    assert_ne!(server.postmaster_pid(), before);
    assert_eq!(number(&server, "SELECT n FROM kept").await, 7);
}

#[tokio::test]
async fn long_data_path_gets_a_short_socket_path() {
    let folder = Scratch::new();
    let server = start(Some(folder.0.join("x".repeat(90)).join("data")));
    assert_eq!(number(&server, "SELECT 1").await, 1);
}

#[tokio::test]
async fn stale_pid_file_is_ignored() {
    let folder = Scratch::new();
    let server = start(Some(folder.data()));
    let file = server.data().unwrap().join("cluster/postmaster.pid");
    let stale = std::fs::read_to_string(&file).unwrap();
    let (pid, rest) = stale.split_once('\n').unwrap();
    assert_eq!(pid, server.postmaster_pid().to_string());
    server.stop();
    // The id now belongs to a living program that is no server: this test.
    std::fs::write(&file, format!("{}\n{rest}", std::process::id())).unwrap();
    let server = start(Some(folder.data()));
    assert_eq!(number(&server, "SELECT 1").await, 1);
}

#[tokio::test]
async fn second_owner_attaches_and_leaves_the_server_running() {
    let folder = Scratch::new();
    let owner = start(Some(folder.data()));
    let guest = start(Some(folder.data()));
    assert_eq!(guest.postmaster_pid(), owner.postmaster_pid());
    assert_eq!(number(&guest, "SELECT 1").await, 1);
    guest.stop();
    assert_eq!(number(&owner, "SELECT 1").await, 1);
}

#[test]
fn folder_with_other_files_is_refused_and_left_alone() {
    let folder = Scratch::new();
    std::fs::write(folder.0.join("letter.txt"), "mine").unwrap();
    let error = PrivatePostgres::start(&PostgresOptions {
        data: Some(folder.0.clone()),
        tuning: Durability::Throwaway,
    });
    let message = error.unwrap_err().to_string();
    assert!(message.contains("not a database of akgate"), "{message}");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn killed_owner_of_a_temporary_server_leaves_nothing() {
    if let Some(data) = std::env::var_os(HOLD) {
        hold_a_server(data.into());
        return;
    }
    let mut owner = Holder::spawn(None);
    assert!(is_running(owner.postmaster));
    signal("-STOP", owner.postmaster);
    owner.kill();
    eventually_blocking("the server ends", || !is_running(owner.postmaster));
    eventually_blocking("its folder goes", || !owner.data.exists());
}

#[tokio::test]
async fn kept_data_of_a_killed_owner_is_taken_over_at_once() {
    let folder = Scratch::new();
    let mut owner = Holder::spawn(Some(&folder.data()));
    owner.kill();
    let server = start(Some(folder.data()));
    assert_ne!(server.postmaster_pid(), owner.postmaster);
    assert!(!is_running(owner.postmaster));
    assert_eq!(number(&server, "SELECT 1").await, 1);
}

#[test]
fn missing_programs_are_reported_in_one_sentence() {
    let output = holder(None)
        .env("AKGATE_POSTGRES_BIN", "/nowhere")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("error: "));
    let line = line.unwrap_or_else(|| panic!("no error in {text}"));
    for part in ["/nowhere", "AKGATE_POSTGRES_BIN", "--database-url"] {
        assert!(line.contains(part), "{line}");
    }
}

/// Makes this binary, run for [`HOLDER`] alone, the process that the tests kill; its value is the data folder, if any.
const HOLD: &str = "AKGATE_TEST_HOLD";

/// The test that [`HOLD`] turns into that process.
const HOLDER: &str = "postgres::killed_owner_of_a_temporary_server_leaves_nothing";

/// Holds a server until the input ends.
fn hold_a_server(data: PathBuf) {
    let data = Some(data).filter(|path| !path.as_os_str().is_empty());
    let tuning = Durability::Throwaway;
    match PrivatePostgres::start(&PostgresOptions { data, tuning }) {
        Ok(server) => {
            let data = server.data().unwrap().display();
            println!("\nserver: {} {data}", server.postmaster_pid());
            let _ = std::io::stdin().lines().count();
        }
        Err(error) => println!("\nerror: {error}"),
    }
}

/// A process that owns a server.
struct Holder {
    process: Child,
    postmaster: u32,
    data: PathBuf,
}

impl Holder {
    fn spawn(data: Option<&Path>) -> Self {
        let mut process = holder(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("server: ")?.to_owned()))
            .unwrap();
        let (pid, data) = line.split_once(' ').unwrap();
        Self {
            process,
            postmaster: pid.parse().unwrap(),
            data: data.into(),
        }
    }

    /// SIGKILL: it can clean up nothing itself.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn holder(data: Option<&Path>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", HOLDER])
        .env(HOLD, data.unwrap_or(Path::new("")));
    command
}

/// A folder that is removed at the end of its test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("akgate-test-{:016x}", rand::random::<u64>());
        let path = std::env::temp_dir().canonicalize().unwrap().join(name);
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o755).create(&path).unwrap();
        Self(path)
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(data: Option<PathBuf>) -> PrivatePostgres {
    let tuning = Durability::Throwaway;
    PrivatePostgres::start(&PostgresOptions { data, tuning }).unwrap()
}

async fn run(server: &PrivatePostgres, sql: &'static str) {
    let options = crate::database::options(server, "postgres");
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

async fn number(server: &PrivatePostgres, sql: &'static str) -> i32 {
    let options = crate::database::options(server, "postgres");
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    sqlx::query_scalar(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

fn is_running(pid: u32) -> bool {
    succeeds("-0", pid)
}

fn signal(name: &str, pid: u32) {
    assert!(succeeds(name, pid));
}

fn succeeds(signal: &str, pid: u32) -> bool {
    Command::new("kill")
        .args([signal, &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}
