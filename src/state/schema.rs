//! The schema of the database: the migrations of the folder `migrations`, built into the program.

/// Brings a database to the schema of this build; what was applied before stays.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");
