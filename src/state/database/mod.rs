//! The connection to the database: the host that accepts writes, sessions with limits, the schema, and checks for
//! operators.

mod connect;
mod error;
pub mod failures;
mod inspect;
mod pooler;
mod pools;
mod primary;
mod reason;
mod schema;
mod session;
mod url;

pub use connect::{Database, PoolSettings, connect_pool, pool_beside};
pub use error::DatabaseError;
pub use inspect::{
    ConnectionLimit, connection_limit, ping_database, server_setting, server_time, server_version,
};
pub use pooler::shares_sessions;
pub use pools::NodePools;
pub use primary::probe_database;
pub use reason::describe_refusal;
pub use schema::{
    MIGRATOR, SchemaDifference, applied_migrations, compare_schema, create_database,
    known_migrations, run_migrations,
};
pub use session::CommitDurability;
pub use sqlx::{PgConnection as Connection, PgPool as Pool, PgTransaction as Transaction};
pub use url::{DatabaseUrl, DatabaseUrlFault};
