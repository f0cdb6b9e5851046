//! What a server writes about itself in its data folder (`postmaster.pid`).

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// What `postmaster.pid` says. It may be stale.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: u32,
    pub(super) port: u16,
    /// The folder of the Unix socket.
    pub(super) sockets: PathBuf,
    /// Whether the server accepts connections.
    pub(super) ready: bool,
}

impl PidFile {
    pub(super) fn path(cluster: &Path) -> PathBuf {
        cluster.join("postmaster.pid")
    }

    /// Reads the file; `None` where there is none or it is half written.
    pub(super) fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(Self::path(cluster)).ok()?)
    }

    /// Whether its server lives. A process id alone proves nothing: it may belong to another
    /// program by now.
    pub(super) fn is_live(&self, cluster: &Path) -> bool {
        let command = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let named = command
            .split(|byte| *byte == 0)
            .any(|argument| argument == cluster.as_os_str().as_encoded_bytes());
        named || UnixStream::connect(self.socket()).is_ok()
    }

    fn socket(&self) -> PathBuf {
        self.sockets.join(format!(".s.PGSQL.{}", self.port))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        // Lines: pid, data folder, start time, port, socket folder, TCP address, shared memory, state.
        let pid = lines.next()?.trim().parse().ok()?;
        let port = lines.nth(2)?.trim().parse().ok()?;
        let sockets = PathBuf::from(lines.next()?);
        let ready = lines.nth(2).is_some_and(|state| state.trim() == "ready");
        Some(Self {
            pid,
            port,
            sockets,
            ready,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::PidFile;

    #[test]
    fn pid_file_of_a_running_server_is_read() {
        let text = "731\n/d/cluster\n1790000000\n5432\n/d/run\n\n  1048641         3\nready   \n";
        let expected = PidFile {
            pid: 731,
            port: 5432,
            sockets: "/d/run".into(),
            ready: true,
        };
        assert_eq!(PidFile::parse(text), Some(expected));
    }

    #[test]
    fn starting_server_is_not_ready_and_half_a_pid_file_is_ignored() {
        let text = "731\n/d/cluster\n1790000000\n5432\n/d/run\n\n";
        assert_eq!(PidFile::parse(text).map(|file| file.ready), Some(false));
        assert_eq!(PidFile::parse("731\n/d/cl"), None);
        assert_eq!(PidFile::parse(""), None);
    }
}
