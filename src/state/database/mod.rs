//! Reaching the database: which host takes writes, sessions that the server itself limits, the schema, and what an
//! operator asks about it.

mod connect;
mod error;
pub mod failures;
mod inspect;
mod pools;
mod primary;
mod schema;
mod session;
mod url;

pub use connect::{Database, PoolSettings, connect_pool, pool_beside};
pub use error::DatabaseError;
pub use inspect::{ping_database, server_time, server_version};
pub use pools::NodePools;
pub use schema::{MIGRATOR, applied_migrations, create_database, known_migrations, run_migrations};
pub use session::CommitDurability;
pub use sqlx::{PgConnection as Connection, PgPool as Pool, PgTransaction as Transaction};
pub use url::{DatabaseUrl, DatabaseUrlFault};
