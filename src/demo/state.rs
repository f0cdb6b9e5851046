//! The state of the demo: database, key ring and letters, in the given folder or in a temporary one.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rand::Rng;
use uuid::Uuid;

use crate::postgres::{Durability, PostgresOptions, PrivatePostgres, StartError};
use akgate_net::private_file::replace_private_file;
use akgate_state::directory::sealing::{KeyRing, KeyRingFault};

/// The state. Dropping it stops the database and removes a temporary folder.
pub struct DemoState {
    /// The database server.
    pub postgres: PrivatePostgres,
    /// The key ring.
    pub ring: KeyRing,
    /// Where letters are written.
    pub letters: PathBuf,
    folder: DemoFolder,
}

/// Why the state cannot be created or read.
#[derive(Debug, thiserror::Error)]
pub enum DemoStateError {
    /// PostgreSQL does not start.
    #[error(transparent)]
    Postgres(#[from] StartError),
    /// A file cannot be read or written.
    #[error("{path}: {fault}")]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        fault: io::Error,
    },
    /// The key ring of a kept state is broken.
    #[error("{path}: {fault}")]
    KeyRing {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyRingFault,
    },
}

/// The folder of the demo; a temporary one is removed at the end.
struct DemoFolder {
    path: PathBuf,
    temporary: bool,
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is left to the system's own clean-up of temporary files.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

impl DemoState {
    /// The folder, which only its owner can enter.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Starts the database and reads, or makes, the rest. Blocks.
    ///
    /// # Errors
    /// [`DemoStateError`].
    pub fn open(data: Option<&Path>, rng: &mut impl Rng) -> Result<Self, DemoStateError> {
        let folder = match data {
            Some(path) => DemoFolder {
                path: path.to_owned(),
                temporary: false,
            },
            None => DemoFolder {
                path: std::env::temp_dir().join(format!("akgate-demo-{}", Uuid::new_v4())),
                temporary: true,
            },
        };
        let letters = folder.path.join("letters");
        fs::create_dir_all(&letters).map_err(file_error(&letters))?;
        // Letters contain working links, so only the owner may read them.
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&folder.path, private).map_err(file_error(&folder.path))?;
        let letters = letters.canonicalize().map_err(file_error(&letters))?;
        let ring = load_key_ring(&folder.path.join("key-ring"), rng)?;
        let postgres = PrivatePostgres::start(&PostgresOptions {
            data: data.map(|data| data.join("postgres")),
            tuning: match data {
                Some(_) => Durability::Durable,
                None => Durability::Throwaway,
            },
        })?;
        Ok(Self {
            postgres,
            ring,
            letters,
            folder,
        })
    }
}

fn load_key_ring(path: &Path, rng: &mut impl Rng) -> Result<KeyRing, DemoStateError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            let mut key = || {
                let mut bytes = [0; 32];
                rng.fill_bytes(&mut bytes);
                hex::encode(bytes)
            };
            let text = format!("seal 1 {}\nindex {}\n", key(), key());
            replace_private_file(path, text.as_bytes()).map_err(file_error(path))?;
            text
        }
        Err(fault) => return Err(file_error(path)(fault)),
    };
    KeyRing::parse(&text).map_err(|fault| DemoStateError::KeyRing {
        path: path.to_owned(),
        fault,
    })
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> DemoStateError {
    let path = path.to_owned();
    move |fault| DemoStateError::File { path, fault }
}
