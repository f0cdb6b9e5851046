//! Where the folders of a private PostgreSQL lie, so that its account can enter them.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::account::ServerAccount;
use super::start_error::StartError;

/// The longest folder of a socket, in bytes: with the file's name it must fit the 104 bytes that
/// the smallest `sockaddr_un` has.
pub(super) const MAX_SOCKET_FOLDER_BYTES: usize = 85;

/// The real folder behind `data`, which may not exist yet.
pub(super) fn resolve_data_folder(
    data: &Path,
    account: ServerAccount,
) -> Result<PathBuf, StartError> {
    if let Some(parent) = data
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent).map_err(StartError::file(parent))?;
    }
    match data.canonicalize() {
        Ok(path) if account.may_enter(path.parent().unwrap_or(&path)) => return Ok(path),
        // An empty folder may be replaced by a link; one that is not empty stays.
        Ok(path) => fs::remove_dir(&path).map_err(|_| StartError::NotOurs { folder: path })?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if data.is_symlink() {
                fs::remove_file(data).map_err(StartError::file(data))?;
            }
        }
        Err(error) => return Err(StartError::file(data)(error)),
    }
    make_persistent_folder(data, account)
}

fn make_persistent_folder(data: &Path, account: ServerAccount) -> Result<PathBuf, StartError> {
    let parent = match data.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = parent.canonicalize().map_err(StartError::file(parent))?;
    if !account.may_enter(&parent) {
        let elsewhere = make_scratch(Path::new("/var/tmp"), account)?;
        symlink(&elsewhere, data).map_err(StartError::file(data))?;
        return Ok(elsewhere);
    }
    // A second process may make it at the same moment.
    match make_private(data, account) {
        Err(StartError::File { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {}
        made => made?,
    }
    data.canonicalize().map_err(StartError::file(data))
}

/// Takes a folder without a cluster into use, unless it holds something else.
pub(super) fn claim_folder(
    path: &Path,
    account: ServerAccount,
) -> Result<ServerAccount, StartError> {
    for entry in fs::read_dir(path).map_err(StartError::file(path))? {
        let entry = entry.map_err(StartError::file(path))?;
        let name = entry.file_name();
        let ours = name == "run"
            || name == "server.log"
            || name.as_encoded_bytes().starts_with(b"making-");
        if !ours {
            return Err(StartError::NotOurs {
                folder: path.to_owned(),
            });
        }
    }
    let meta = fs::metadata(path).map_err(StartError::file(path))?;
    let account = account.of_owner(&meta);
    if meta.uid() == 0 {
        account.give(path)?;
    }
    Ok(account)
}

/// Where temporary folders go: every account concerned can enter it, and a socket path fits.
pub(super) fn temporary_parent(account: ServerAccount) -> PathBuf {
    // The random name and `run` need 28 bytes.
    let fits = |path: &PathBuf| path.as_os_str().len() + 28 <= MAX_SOCKET_FOLDER_BYTES;
    [std::env::temp_dir(), "/tmp".into()]
        .into_iter()
        .filter_map(|path| path.canonicalize().ok())
        .find(|path| fits(path) && account.may_enter(path))
        .unwrap_or_else(|| "/var/tmp".into())
}

/// Makes a private folder of a random name.
pub(super) fn make_scratch(parent: &Path, account: ServerAccount) -> Result<PathBuf, StartError> {
    let path = parent.join(format!("akgate-{:016x}", rand::random::<u64>()));
    make_private(&path, account)?;
    Ok(path)
}

/// Makes a folder that only `account` (and root) can enter.
pub(super) fn make_private(path: &Path, account: ServerAccount) -> Result<(), StartError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(StartError::file(path))?;
    account.give(path)
}
