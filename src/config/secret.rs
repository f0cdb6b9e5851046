//! A secret of the configuration.

use std::{fmt, fs, path::Path};

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A secret text. Wiped on drop; `Debug` hides it.
#[derive(Clone)]
pub struct ConfigSecret(Zeroizing<String>);

impl ConfigSecret {
    /// Takes a secret in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads a secret from a file, without one line break at its end.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let text = Zeroizing::new(fs::read_to_string(path)?);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        Ok(Self::new(line.to_owned()))
    }

    /// A secret that is given directly or in a file.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn resolve(given: Option<&Self>, file: Option<&Path>) -> std::io::Result<Option<Self>> {
        match (given, file) {
            (Some(secret), _) => Ok(Some(secret.clone())),
            (None, Some(path)) => Self::read(path).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The secret, for its one use.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConfigSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

impl<'de> Deserialize<'de> for ConfigSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
