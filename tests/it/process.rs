//! Processes of the binary under test: `serve` with a configuration of the test's, and the commands beside it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use serde_json::Value;

use crate::wait::{eventually, eventually_some};

pub const AKGATE: &str = env!("CARGO_BIN_EXE_akgate");

/// A folder of the test's own, removed at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("akgate-test-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What a configuration needs in every test: database and key ring, as files.
pub fn secrets(scratch: &Scratch, database_url: &str) -> String {
    let key = |byte: u8| hex::encode([byte; 32]);
    let ring = scratch.write(
        "key-ring",
        &format!("seal 1 {}\nindex {}\n", key(1), key(2)),
    );
    let url = scratch.write("database-url", &format!("{database_url}\n"));
    format!(
        "[database]\nurl_file = {url:?}\ntimeout_seconds = 1\n\n[directory]\nkey_ring_file = {ring:?}\n\n"
    )
}

/// A running `akgate serve`; killed at the end of the test.
pub struct Served {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Served {
    pub fn start(config: &Path, roles: &str, env: &[(&str, &str)]) -> Self {
        Self::with(&["--roles", roles], config, env)
    }

    /// One that watches beside the path.
    pub fn watching(config: &Path) -> Self {
        Self::with(&["--observe"], config, &[])
    }

    fn with(arguments: &[&str], config: &Path, env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(AKGATE)
            .arg("serve")
            .args(arguments)
            .arg("--config")
            .arg(config)
            // No load balancer has to notice.
            .env("AKGATE_SHUTDOWN_DELAY_SECONDS", "0")
            .envs(env.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self { child, log, reader }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// The address that a section listens on, as the log says.
    pub async fn address(&self, section: &str) -> String {
        eventually_some(&format!("{section} listens"), async || {
            self.log.lock().unwrap().iter().find_map(|line| {
                let event: Value = serde_json::from_str(line).ok()?;
                let is_it = event["message"] == "listening" && event["section"] == section;
                is_it.then(|| event["address"].as_str().unwrap().to_owned())
            })
        })
        .await
    }

    pub fn signal(&self, signal: &str) {
        kill(signal, self.pid());
    }

    /// Waits until the log says so.
    pub async fn logs(&self, text: &str) {
        let what = format!("the log says {text}");
        eventually(&what, async || self.log().contains(text)).await;
    }

    /// Waits for the end of the process and of its log; returns its exit status.
    pub async fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        let ended = eventually_some("akgate serve ends", async || child.try_wait().unwrap());
        let ended = ended.await;
        eventually("its log ends", async || self.reader.is_finished()).await;
        ended.code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the log of akgate serve:\n{}", self.log());
        }
    }
}

pub fn kill(signal: &str, pid: u32) {
    let done = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(done.success(), "kill -{signal} {pid}");
}

/// A command of the binary, run to its end.
pub fn akgate(arguments: &[&str], config: &Path) -> Output {
    Command::new(AKGATE)
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap()
}

/// Adds an operator; returns the token.
pub fn operator(config: &Path, name: &str) -> String {
    operator_as(config, name, "operator")
}

/// The same in another role.
pub fn operator_as(config: &Path, name: &str, role: &str) -> String {
    let added = akgate(&["operators", "add", name, "--role", role], config);
    assert!(added.status.success(), "{added:?}");
    String::from_utf8(added.stdout).unwrap().trim().to_owned()
}
