//! What an operator chooses: profile, mode, and from when.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a restricted AccessKey is refused. Per account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Changes of identities, credentials and permissions, and secrets: the notice of April 2024.
    #[default]
    Mutations,
    /// That, all of RAM and IMS, and the listed operations of other products: the help page.
    Strict,
}

/// Whether refusals are carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Refuse.
    #[default]
    Enforce,
    /// Allow, and mark what would have been refused.
    Shadow,
    /// Allow, and judge nothing.
    Off,
}

/// How refusals are carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether they are.
    pub mode: Mode,
    /// From when on, where that was announced: until then as in [`Mode::Shadow`].
    pub enforce_from: Option<OffsetDateTime>,
    /// Whether a restricted key may disable or delete itself.
    pub self_remedy: bool,
    /// Whether a node without a lease refuses all reads, and not only those that a restriction that it knows of, or a
    /// profile, could refuse.
    pub refuses_unleased_reads: bool,
}

/// A text that names no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not one of {choices}")]
pub struct InvalidChoice {
    found: String,
    choices: &'static str,
}

impl Policy {
    /// Whether enforcement begins only after `now`. It begins at `enforce_from` itself.
    #[must_use]
    pub fn is_announced_for_later(&self, now: OffsetDateTime) -> bool {
        self.enforce_from.is_some_and(|from| now < from)
    }
}

impl Profile {
    /// Every profile, the stricter later.
    pub const ALL: [Self; 2] = [Self::Mutations, Self::Strict];

    /// The stricter of two: that of a session that one account's key minted in another account.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Mutations, Self::Mutations) => Self::Mutations,
            (Self::Strict, Self::Mutations | Self::Strict) | (Self::Mutations, Self::Strict) => {
                Self::Strict
            }
        }
    }

    /// The name in configuration, logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mutations => "mutations",
            Self::Strict => "strict",
        }
    }
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Shadow, Self::Off];

    /// The name in configuration, logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = InvalidChoice;

    /// Reads a name as [`Profile::as_str`] writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| InvalidChoice {
            found: text.to_owned(),
            choices: "mutations, strict",
        })
    }
}

impl FromStr for Mode {
    type Err = InvalidChoice;

    /// Reads a name as [`Mode::as_str`] writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| InvalidChoice {
            found: text.to_owned(),
            choices: "enforce, shadow, off",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_survive_writing_and_reading() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
            let json = serde_json::to_value(profile).unwrap();
            assert_eq!(json, profile.as_str());
        }
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
        let error = "Strict".parse::<Profile>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`Strict` is not one of mutations, strict"
        );
        assert!("".parse::<Mode>().is_err());
    }

    #[test]
    fn defaults_match_the_published_notice() {
        assert_eq!(Profile::default(), Profile::Mutations);
        assert_eq!(
            Policy::default(),
            Policy {
                mode: Mode::Enforce,
                enforce_from: None,
                self_remedy: false,
                refuses_unleased_reads: false,
            }
        );
    }

    #[test]
    fn stricter_of_two_profiles_wins() {
        for one in Profile::ALL {
            for other in Profile::ALL {
                let wanted = if [one, other].contains(&Profile::Strict) {
                    Profile::Strict
                } else {
                    Profile::Mutations
                };
                assert_eq!(one.stricter(other), wanted);
            }
        }
    }
}
