//! A child that ends when its parent does, however the parent ends.
//!
//! The child runs under a small shell that reads a pipe held open by this process. The kernel closes
//! that pipe when the process ends, by SIGKILL too, and the shell then stops the child. No unsafe
//! code, no dependence on the thread that spawned it.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::account::ServerAccount;
use super::folder::DataFolder;
use super::pid_file::PidFile;
use super::start_error::StartError;
use super::wait::POLL_INTERVAL;

/// How long a fast shutdown may take before an immediate one is asked for.
const FAST_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an immediate shutdown may take before it is given up.
const IMMEDIATE_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// `$1` log, `$2` folder to remove when the parent is gone (or empty), then the command.
///
/// The watcher is a second shell: were the server to end first, `read` could not be interrupted
/// otherwise. SIGCONT wakes a server that somebody stopped, or it would never see the SIGINT. A
/// signal to the whole group (systemd, a closed terminal) must not cost the watcher's life.
const WATCHER_SCRIPT: &str = r#"
log=$1 scrap=$2
shift 2
over=
trap : HUP INT TERM
trap 'over=1' USR1
exec 3<&0 </dev/null
"$@" >"$log" 2>&1 3<&- &
child=$!
(
    trap '' HUP TERM USR1
    while read -r _; do :; done <&3
    kill -USR1 $$
    kill -CONT $child
    kill -INT $child
) &
watcher=$!
exec 3<&-
wait $child
code=$?
while kill -0 $child; do
    wait $child
    code=$?
done
kill -KILL $watcher
if [ -n "$over" ] && [ -n "$scrap" ]; then rm -rf -- "$scrap"; fi
exit $code
"#;

/// A running child on its tether. Dropping it stops the child and waits, at most 15 s.
#[derive(Debug)]
pub(super) struct ChildGuard {
    shell: Child,
    pipe: Option<ChildStdin>,
    account: ServerAccount,
    cluster: PathBuf,
}

impl ChildGuard {
    /// Runs `command` as the folder's account, in its own process group: a Ctrl-C on the terminal
    /// is for this process, which then stops the child in its own time.
    pub(super) fn spawn(command: &[&OsStr], folder: &DataFolder) -> Result<Self, StartError> {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", WATCHER_SCRIPT, "akgate-tether"])
            .arg(folder.log())
            .arg(folder.scratch().map_or(OsStr::new(""), Path::as_os_str))
            .args(command)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0);
        // Settings of somebody else's client, and of akgate's own service unit.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") || name == "NOTIFY_SOCKET" {
                shell.env_remove(name);
            }
        }
        folder.account().apply(&mut shell);
        let mut shell = shell.spawn().map_err(|source| StartError::Spawn {
            program: "/bin/sh",
            source,
        })?;
        Ok(Self {
            pipe: shell.stdin.take(),
            shell,
            account: folder.account(),
            cluster: folder.cluster(),
        })
    }

    /// How the child ended; `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().ok().flatten()
    }

    /// Stops the server but keeps a temporary folder, so that it can be started again.
    pub(super) fn stop_server(&mut self) {
        self.signal("-CONT");
        self.signal("-INT");
        self.wait();
    }

    fn wait(&mut self) {
        if self.ends_within(FAST_SHUTDOWN_TIMEOUT) {
            return;
        }
        self.signal("-QUIT");
        self.ends_within(IMMEDIATE_SHUTDOWN_TIMEOUT);
    }

    fn ends_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while self.ended().is_none() {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(POLL_INTERVAL);
        }
        true
    }

    fn signal(&self, signal: &str) {
        if let Some(file) = PidFile::read(&self.cluster).filter(|file| file.is_live(&self.cluster))
        {
            self.account.send_signal(signal, file.pid);
        }
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        self.pipe = None;
        self.wait();
    }
}
