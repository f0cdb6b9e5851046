//! The leak road: a report becomes a sighting, and what it proves becomes a restriction, in one transaction.

pub mod claims;
pub mod deliveries;
pub mod record;
mod sighting;
pub mod sources;
pub mod undo;
