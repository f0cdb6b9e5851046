//! Letters as files: for the demo, for tests, and to look at them.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use futures_core::future::BoxFuture;
use lettre::Message;

use super::Mailer;
use akgate_state::outbox::queue::SendFault;

/// Writes letters into a folder, one `.eml` file each; one that is sent again replaces itself.
pub struct FolderMailer(PathBuf);

impl FolderMailer {
    /// A mailer for a folder that exists.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

impl Mailer for FolderMailer {
    fn send<'s>(&'s self, name: &'s str, message: Message) -> BoxFuture<'s, Result<(), SendFault>> {
        Box::pin(async move {
            let (folder, name) = (self.0.clone(), name.to_owned());
            let written = tokio::task::spawn_blocking(move || {
                write_atomically(&folder, &name, &message.formatted())
            });
            match written.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(fault)) => Err(SendFault::again(format!("{}: {fault}", self.0.display()))),
                Err(fault) => Err(SendFault::again(fault.to_string())),
            }
        })
    }
}

/// Under another name first: who reads the folder never sees half a letter. For its owner alone: a letter holds
/// a link that confirms.
fn write_atomically(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let half = folder.join(format!("{name}.part"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half)?;
    file.write_all(bytes)?;
    fs::rename(half, folder.join(format!("{name}.eml")))
}
