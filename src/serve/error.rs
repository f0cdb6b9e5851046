//! Why a process cannot serve.

use std::{io, net::SocketAddr};

use crate::app::AppError;
use akgate_net::{https::TrustFault, server::TlsError};
use akgate_owners::letters::{dkim::DkimFault, mailer::SmtpSetupFault};
use akgate_state::{
    database::DatabaseError,
    directory::{StateFault, key_ring_check::KeyRingMismatch, sealing::KeyRingFault},
};

/// Why a process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] StateFault),
    /// The key ring is broken.
    #[error("the key ring: {0}")]
    KeyRing(#[from] KeyRingFault),
    /// The key ring belongs to another database.
    #[error("{0}: restore the key ring that belongs to this database")]
    KeyRingMismatch(#[from] KeyRingMismatch),
    /// An address cannot be listened on.
    #[error("`{section}.listen` {address}: {fault}")]
    Listen {
        /// The listener's section.
        section: &'static str,
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        fault: io::Error,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A certificate authority cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustFault),
    /// A part cannot be made.
    #[error(transparent)]
    App(#[from] AppError),
    /// The key that signs letters cannot be used.
    #[error(transparent)]
    Dkim(#[from] DkimFault),
    /// The mail server cannot be set up.
    #[error(transparent)]
    Smtp(#[from] SmtpSetupFault),
    /// A setting or its file has changed since the check.
    #[error("`{0}` has changed since it was checked")]
    Unchecked(&'static str),
    /// The operating system provides no random numbers.
    #[error("the operating system provides no randomness: {0}")]
    Randomness(#[from] rand::rngs::SysError),
    /// A file or a signal handler is not available.
    #[error(transparent)]
    System(#[from] io::Error),
}
