//! A drill's house: clusters of akgate on the machine's own PostgreSQL, the faults that are injected into them, and the
//! drills that say what must hold then. `./dev drill NAME` runs them.
//!
//! Everything listens on the loopback or on Unix sockets, and ends with the drill, however it ends.

pub mod attack;
pub mod balancer;
pub mod barrier;
pub mod clock;
pub mod cluster;
pub mod connections;
pub mod desk;
pub mod fault;
pub mod faults;
pub mod histories;
pub mod keys;
pub mod mail;
pub mod nemesis;
pub mod node;
pub mod oracle;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod signer;
pub mod stats;
pub mod summary;
pub mod upstream;

/// What a step of a drill gives. A fault that is not injected ends the drill: it says nothing then.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
