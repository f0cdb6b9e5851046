//! Files that only their owner can read: they may hold secrets.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Creates a file, or empties the one that is there.
///
/// # Errors
/// The file cannot be read or written.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Replaces a file atomically: writes it under another name and renames it, so that nobody reads half of it.
///
/// # Errors
/// The file cannot be read or written.
pub fn replace_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut half = path.as_os_str().to_owned();
    half.push(".part");
    let half = Path::new(&half);
    // A file left by an interrupted attempt may be readable by others.
    fs::remove_file(half).ok();
    create_private_file(half)?.write_all(bytes)?;
    fs::rename(half, path)
}
