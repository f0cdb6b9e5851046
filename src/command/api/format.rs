//! In which form answers are shown.

/// How answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// A table, for reading
    Table,
    /// JSON, for programs
    Json,
    /// YAML, for both
    Yaml,
}
