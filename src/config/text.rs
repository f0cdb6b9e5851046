//! The text of a configuration, in which a check can point at the wrong value.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{error::ConfigError, secret::ConfigSecret};
use akgate_state::audit::is_valid_name;

/// The text of a configuration, and its file, if any.
pub(super) struct ConfigText<'f> {
    pub file: Option<&'f Path>,
    pub text: String,
}

impl ConfigText<'_> {
    /// Requires numbers to be at least 1; each pair is a key and whether its number is.
    pub fn require_positive<'k>(
        &self,
        numbers: impl IntoIterator<Item = (&'k str, bool)>,
    ) -> Result<(), ConfigError> {
        match numbers.into_iter().find(|(_, is_positive)| !is_positive) {
            Some((key, _)) => Err(self.wrong(key, "must be at least 1")),
            None => Ok(()),
        }
    }

    /// Requires names that can be used in records, each only once.
    pub fn require_names(&self, key: &str, names: &[&str]) -> Result<(), ConfigError> {
        let mut seen = HashSet::new();
        for name in names {
            if !is_valid_name(name) {
                let message = format!(
                    "the name \"{name}\" must be 1 to 64 letters, digits, dots, hyphens and underscores"
                );
                return Err(self.wrong(key, &message));
            }
            if !seen.insert(name) {
                return Err(self.wrong(key, &format!("the name \"{name}\" is used twice")));
            }
        }
        Ok(())
    }

    /// Requires a secret, given directly or in a file.
    pub fn require_secret(
        &self,
        key: &str,
        given: Option<&ConfigSecret>,
        file: Option<&PathBuf>,
    ) -> Result<ConfigSecret, ConfigError> {
        let file_key = format!("{key}_file");
        match (given, file) {
            (Some(_), Some(_)) => Err(self.wrong(
                &file_key,
                &format!("`{key}` is set too: remove one of the two"),
            )),
            (Some(secret), None) => Ok(secret.clone()),
            (None, Some(path)) => ConfigSecret::read(path)
                .map_err(|fault| self.wrong(&file_key, &format!("{}: {fault}", path.display()))),
            (None, None) => Err(self.missing(
                key,
                &format!(
                    "set it, or set `{file_key}` to a file that contains it, or {}",
                    environment_variable(key)
                ),
            )),
        }
    }

    /// The error for a wrong value.
    pub fn wrong(&self, key: &str, what: &str) -> ConfigError {
        let message = format!("`{key}`: {what}");
        let variable = environment_variable(key);
        if std::env::var_os(&variable).is_some() {
            return ConfigError::of(format!("environment variable {variable}: {what}"));
        }
        match (self.file, self.locate(key)) {
            (Some(path), Some((place, length))) => ConfigError::at(path, place, length, &message),
            _ => ConfigError::of(message),
        }
    }

    /// The error for a missing value, shown at its section if there is one.
    pub fn missing(&self, key: &str, what: &str) -> ConfigError {
        let message = format!("`{key}` is missing: {what}");
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        match (self.file, self.locate_header(section)) {
            (Some(path), Some((place, length))) => ConfigError::at(path, place, length, &message),
            (Some(path), None) => ConfigError::of(format!("{}: {message}", path.display())),
            (None, _) => ConfigError::of(message),
        }
    }

    /// The place of a key: line, column, the line's text, and the length of the value.
    fn locate(&self, key: &str) -> Option<((usize, usize, &str), usize)> {
        let document = DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let (sections, last) = key.rsplit_once('.')?;
        for section in sections.split('.') {
            table = table.get(section)?.get_ref().as_table()?;
        }
        let span = table.get(last)?.span();
        let place = self.place(span.start)?;
        // A value over several lines is marked to the end of its first.
        let length = span.len().min(place.2.len().saturating_sub(place.1 - 1));
        Some((place, length))
    }

    fn locate_header(&self, section: &str) -> Option<((usize, usize, &str), usize)> {
        let header = format!("[{section}]");
        self.text
            .lines()
            .enumerate()
            .find(|(_, line)| line.trim_start().starts_with(&header))
            .map(|(at, line)| ((at + 1, 1, line), header.len()))
    }

    fn place(&self, offset: usize) -> Option<(usize, usize, &str)> {
        let before = self.text.get(..offset)?;
        let line = before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        Some((line + 1, column, self.text.lines().nth(line)?))
    }
}

/// The environment variable of a key.
fn environment_variable(key: &str) -> String {
    format!("AKGATE_{}", key.replace('.', "_").to_ascii_uppercase())
}
