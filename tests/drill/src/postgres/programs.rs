//! The machine's own programs of PostgreSQL, and whom they run as: PostgreSQL refuses to run as root.

use std::{
    env, fs, io,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

/// Where the programs are, and whom they run as.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    folder: PathBuf,
    /// User and group, where this process is root.
    account: Option<(u32, u32)>,
}

impl Programs {
    /// `AKGATE_POSTGRES_BIN`, `PATH`, then where Debian puts them, newest version first.
    pub(super) fn find() -> io::Result<Self> {
        let named = env::var_os("AKGATE_POSTGRES_BIN").filter(|folder| !folder.is_empty());
        let folders = match named {
            Some(folder) => vec![PathBuf::from(folder)],
            None => usual_folders(),
        };
        // Where there are links to some of the programs, all of them are at the links' target.
        let mut real = folders.iter().filter_map(|folder| {
            let initdb = folder.join("initdb").canonicalize().ok()?;
            Some(initdb.parent()?.to_owned())
        });
        let folder = real.find(|folder| {
            ["postgres", "pg_basebackup"]
                .iter()
                .all(|program| folder.join(program).is_file())
        });
        let missing =
            "initdb, postgres and pg_basebackup are in no usual place: set AKGATE_POSTGRES_BIN";
        Ok(Self {
            folder: folder.ok_or_else(|| io::Error::other(missing))?,
            account: rustix::process::geteuid().is_root().then(step_down),
        })
    }

    /// A program, to be run as the account.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.env("LC_ALL", "C").current_dir("/");
        // Settings of somebody else's client.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    /// Makes a folder of the account's.
    pub(super) fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)?;
        if let Some((user, group)) = self.account {
            chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }
}

fn usual_folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
    folders
}

/// The ids of `postgres`, or those that belong to nobody.
fn step_down() -> (u32, u32) {
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    accounts
        .lines()
        .filter_map(|line| line.strip_prefix("postgres:"))
        .find_map(|line| {
            let mut ids = line.split(':').skip(1);
            Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
        })
        .unwrap_or((65534, 65534))
}
