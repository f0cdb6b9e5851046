//! A process that the drill started: signalled by its id, and gone when the drill is, however the drill ends.
//!
//! A small shell reads a pipe that the drill holds open. The kernel closes the pipe when the drill ends, by SIGKILL too,
//! and the shell then kills the process and its children.

use std::{
    fs, io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// `$1` the process, `$2` a folder to remove with it, or nothing.
const WATCH: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done
for child in $(pgrep -P "$1"); do kill -KILL "$child"; done
kill -KILL "$1"
[ -z "$2" ] || rm -rf -- "$2"
"#;

/// A running process. Dropping it kills the process and its children, stopped ones too.
#[derive(Debug)]
pub struct Process {
    child: Child,
    watcher: Child,
}

impl Process {
    /// Starts `command`; `scrap` is removed if the drill itself is killed.
    ///
    /// # Errors
    /// Where it cannot be run.
    pub fn spawn(command: &mut Command, scrap: Option<&Path>) -> io::Result<Self> {
        // A Ctrl-C at the terminal is for the drill, which then ends its processes itself.
        let mut child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCH, "akgate-drill-watch", &child.id().to_string()])
            .arg(scrap.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn();
        match watcher {
            Ok(watcher) => Ok(Self { child, watcher }),
            Err(fault) => {
                drop(child.kill());
                drop(child.wait());
                Err(fault)
            }
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end, at most so long.
    ///
    /// # Errors
    /// That it has not ended in time, or failed.
    pub async fn succeed(mut self, patience: Duration) -> io::Result<()> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            match self.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let how = format!("{status}, signal {:?}", status.signal());
                    return Err(io::Error::other(how));
                }
                None if tokio::time::Instant::now() > until => {
                    return Err(io::Error::other("it does not end"));
                }
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Stops it (SIGSTOP), its children too: the parent first, so that it starts no further ones.
    pub fn stop(&mut self) {
        self.signal(Signal::STOP);
        self.signal_children(Signal::STOP);
    }

    /// Lets it go on (SIGCONT), its children too.
    pub fn cont(&mut self) {
        self.signal_children(Signal::CONT);
        self.signal(Signal::CONT);
    }

    /// Tells it to end (SIGTERM).
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Kills it (SIGKILL) and its children, and waits for its end.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            self.signal(Signal::STOP);
            self.signal_children(Signal::KILL);
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn signal(&mut self, signal: Signal) {
        // Not waited for yet, so that its id is its own still.
        if self.ended().is_none() {
            send(signal, self.id());
        }
    }

    fn signal_children(&mut self, signal: Signal) {
        for child in children(self.id()) {
            send(signal, child);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        drop(self.watcher.kill());
        drop(self.watcher.wait());
    }
}

fn send(signal: Signal, id: u32) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // One that has ended meanwhile needs no signal.
        let _ = kill_process(pid, signal);
    }
}

/// The processes whose parent is this one.
fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id: &u32| parent_of(*id) == Some(parent))
        .collect()
}

fn parent_of(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name stands in brackets and may hold anything; state and parent follow it.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// A folder of the drill's own, removed at its end.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder, where every account can reach it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new() -> io::Result<Self> {
        let name = format!("akgate-drill-{:08x}", rand::random::<u32>());
        let path = Path::new("/tmp").join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
