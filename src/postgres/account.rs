//! Whom the server runs as. PostgreSQL refuses to run as root, so root steps down.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::start_error::StartError;

/// Whom the server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerAccount {
    /// The account of this process.
    Own,
    /// Another one: this process is root.
    SteppedDown { uid: u32, gid: u32 },
}

impl ServerAccount {
    /// The account of a new server.
    pub(super) fn choose() -> Result<Self, StartError> {
        if !is_root()? {
            return Ok(Self::Own);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let (uid, gid) = ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| parse_passwd_ids(&accounts, name))
            .unwrap_or((65534, 65534));
        Ok(Self::SteppedDown { uid, gid })
    }

    /// The account of a server on data that exists already: as root, whoever owns the data.
    pub(super) fn of_owner(self, data: &Metadata) -> Self {
        match self {
            Self::SteppedDown { .. } if data.uid() != 0 => Self::SteppedDown {
                uid: data.uid(),
                gid: data.gid(),
            },
            other => other,
        }
    }

    /// Makes `command` run as this account.
    pub(super) fn apply(self, command: &mut Command) {
        if let Self::SteppedDown { uid, gid } = self {
            // std also drops root's supplementary groups.
            command.uid(uid).gid(gid);
        }
    }

    /// Sends a signal to one process, with no more rights than this account has.
    pub(super) fn send_signal(self, signal: &str, pid: u32) {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", r#"kill "$1" "$2""#, "sh", signal])
            .arg(pid.to_string())
            .stderr(Stdio::null());
        self.apply(&mut command);
        // A process that has ended meanwhile is what was wanted.
        let _ = command.status();
    }

    /// Gives `path` to this account.
    pub(super) fn give(self, path: &Path) -> Result<(), StartError> {
        match self {
            Self::Own => Ok(()),
            Self::SteppedDown { uid, gid } => {
                chown(path, Some(uid), Some(gid)).map_err(StartError::file(path))
            }
        }
    }

    /// Whether this account can enter `folder`, which must be absolute and without symbolic links.
    pub(super) fn may_enter(self, folder: &Path) -> bool {
        let Self::SteppedDown { uid, gid } = self else {
            // The system will say so by itself.
            return true;
        };
        folder.ancestors().all(|ancestor| {
            fs::metadata(ancestor).is_ok_and(|meta| {
                let execute = if meta.uid() == uid {
                    0o100
                } else if meta.gid() == gid {
                    0o010
                } else {
                    0o001
                };
                meta.mode() & execute != 0
            })
        })
    }
}

/// std cannot tell the user of this process, and a system call of our own would be `unsafe`.
fn is_root() -> Result<bool, StartError> {
    let output = Command::new("id").arg("-u").output();
    let output = output.map_err(|source| StartError::Spawn {
        program: "id",
        source,
    })?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// User and group id of `name` in the text of `/etc/passwd`.
fn parse_passwd_ids(accounts: &str, name: &str) -> Option<(u32, u32)> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::{ServerAccount, parse_passwd_ids};
    use std::path::Path;

    #[test]
    fn account_ids_are_read_by_whole_name() {
        let accounts = "nobody2:x:7:8::/:\nnobody:x:65534:65533:nobody:/:/bin/false\n";
        assert_eq!(parse_passwd_ids(accounts, "nobody"), Some((65534, 65533)));
        assert_eq!(parse_passwd_ids(accounts, "postgres"), None);
    }

    #[test]
    fn account_may_enter_the_root_folder_and_no_missing_one() {
        let stranger = ServerAccount::SteppedDown {
            uid: 4_000_000,
            gid: 4_000_000,
        };
        assert!(stranger.may_enter(Path::new("/")));
        assert!(!stranger.may_enter(Path::new("/missing/folder")));
    }
}
