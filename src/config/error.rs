//! What is wrong with a configuration, for the person who wrote it.

use std::{error::Error, fmt, io, path::Path};

/// What is wrong, in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    /// The file cannot be read.
    pub(super) fn file(path: &Path, fault: &io::Error) -> Self {
        Self(format!(
            "{}: {fault}. `akgate config template` prints a template",
            path.display()
        ))
    }

    /// The file or the environment has an unknown key or a value of the wrong type.
    pub(super) fn load(file: Option<&Path>, fault: &confique::Error) -> Self {
        let mut message = fault.to_string();
        let mut source = fault.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            let text = cause_text.trim_end();
            if !message.contains(text) {
                // TOML's own errors show the line and need no further place.
                let gap = if text.contains('\n') { "\n" } else { ": " };
                message = format!("{message}{gap}{text}");
            }
            source = cause.source();
        }
        match file {
            Some(path) if message.contains("TOML parse error") => {
                let picture = message
                    .split_once("TOML parse error at ")
                    .map_or(message.as_str(), |(_, picture)| picture);
                Self(format!("{}, {picture}", path.display()))
            }
            _ => match message.split_once("from environment variable ") {
                // Without the Rust type's name: the reader knows the variable.
                Some((_, rest)) => Self(format!("environment variable {rest}")),
                None => Self(message),
            },
        }
    }

    /// A wrong value, shown in its line.
    pub(super) fn at(
        path: &Path,
        (line, column, text): (usize, usize, &str),
        length: usize,
        message: &str,
    ) -> Self {
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let before = " ".repeat(column.saturating_sub(1));
        let carets = "^".repeat(length.max(1));
        Self(format!(
            "{}, line {line}, column {column}\n{margin} |\n{number} | {text}\n{margin} | {before}{carets}\n{message}",
            path.display()
        ))
    }

    /// A wrong value that is not in a file.
    pub(super) fn of(message: String) -> Self {
        Self(message)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ConfigError {}
