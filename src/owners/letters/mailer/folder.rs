//! Letters as files: for the demo, for tests, and to look at them.

use std::path::PathBuf;

use futures_core::future::BoxFuture;
use lettre::Message;

use super::handover::Mailer;
use akgate_net::private_file::replace_private_file;
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
            let path = self.0.join(format!("{name}.eml"));
            // A letter contains a working confirmation link.
            let written = tokio::task::spawn_blocking(move || {
                replace_private_file(&path, &message.formatted())
            });
            match written.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(fault)) => Err(SendFault::temporary(format!(
                    "{}: {fault}",
                    self.0.display()
                ))),
                Err(fault) => Err(SendFault::temporary(fault.to_string())),
            }
        })
    }
}
