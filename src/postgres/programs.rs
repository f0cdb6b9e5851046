//! Where the machine keeps `initdb` and `postgres`.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::account::ServerAccount;
use super::start_error::StartError;

/// The two programs, of one version.
#[derive(Debug, Clone)]
pub(super) struct ServerPrograms {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
}

/// Finds programs that `account` may run and, where data exists, of the `version` that made it.
pub(super) fn find_programs(
    account: ServerAccount,
    version: Option<String>,
) -> Result<ServerPrograms, StartError> {
    let named = env::var_os("AKGATE_POSTGRES_BIN").filter(|folder| !folder.is_empty());
    let folders = match &named {
        Some(folder) => vec![PathBuf::from(folder)],
        None => usual_folders(),
    };
    let found: Vec<ServerPrograms> = folders
        .iter()
        .filter_map(|folder| ServerPrograms::in_folder(folder, account))
        .collect();
    if found.is_empty() {
        let install = install_command();
        return Err(match named {
            Some(folder) => StartError::WrongOverride {
                folder: folder.into(),
                install,
            },
            None => StartError::NotInstalled { install },
        });
    }
    let fits = |programs: &ServerPrograms| match &version {
        Some(version) => programs.version().as_ref() == Some(version),
        None => true,
    };
    found
        .into_iter()
        .find(fits)
        .ok_or_else(|| StartError::OtherVersion {
            version: version.unwrap_or_default(),
        })
}

impl ServerPrograms {
    fn in_folder(folder: &Path, account: ServerAccount) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        let programs = Self {
            initdb: folder.join("initdb"),
            postgres: folder.join("postgres"),
        };
        let usable = account.may_enter(&folder)
            && is_program(&programs.initdb)
            && is_program(&programs.postgres);
        usable.then_some(programs)
    }

    /// The major version, as a data folder's `PG_VERSION` spells it.
    fn version(&self) -> Option<String> {
        let output = std::process::Command::new(&self.postgres)
            .arg("--version")
            .output()
            .ok()?;
        // "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"
        let text = String::from_utf8(output.stdout).ok()?;
        let number = text.split_whitespace().nth(2)?;
        let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(digits.to_owned())
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// `PATH`, then where Debian, Red Hat and Homebrew put the programs, newest version first.
fn usual_folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.extend(version_folders("/usr/lib/postgresql", ""));
    folders.extend(version_folders("/usr", "pgsql-"));
    folders.extend(version_folders("/opt/homebrew/opt", "postgresql@"));
    folders.extend(version_folders("/usr/local/opt", "postgresql@"));
    folders
}

/// The `bin` folders of `parent/<prefix><number>`, greatest number first.
fn version_folders(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn install_command() -> &'static str {
    const MANAGERS: &[(&str, &str)] = &[
        ("apt-get", "apt-get install postgresql"),
        ("dnf", "dnf install postgresql-server"),
        ("yum", "yum install postgresql-server"),
        ("apk", "apk add postgresql"),
        ("pacman", "pacman -S postgresql"),
        ("zypper", "zypper install postgresql-server"),
        ("brew", "brew install postgresql@17"),
    ];
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = |name: &str| env::split_paths(&path).any(|dir| is_program(&dir.join(name)));
    MANAGERS
        .iter()
        .find(|(manager, _)| on_path(manager))
        .map_or(
            "your package manager (PostgreSQL, server)",
            |(_, command)| command,
        )
}
