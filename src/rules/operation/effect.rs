//! What an operation would change.

use std::{fmt, str::FromStr};

/// What an operation would change. Policy refers to effects, not to single actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Changes nothing and returns no secret.
    Read,
    /// Changes nothing, but returns a secret (`GetAppSecret`).
    Disclose,
    /// Changes something of this kind.
    Mutate(MutationKind),
    /// Hands out session credentials, which inherit the standing of the key that asked.
    MintSession,
    /// An action of a catalogued product that the catalogue does not list: taken for a mutation.
    Unknown,
    /// An operation of another product that nobody has judged.
    Uncatalogued,
}

/// What a mutation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MutationKind {
    /// Users, groups, roles, identity providers, applications, member accounts.
    Identity,
    /// AccessKeys, passwords, MFA devices, application secrets.
    Credential,
    /// Policies and whatever decides who may do what.
    Permission,
    /// Neither of these: folders, resource groups, reports.
    Other,
}

/// A text that names no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an effect")]
pub struct InvalidEffect(pub String);

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Disclose,
        Self::Mutate(MutationKind::Identity),
        Self::Mutate(MutationKind::Credential),
        Self::Mutate(MutationKind::Permission),
        Self::Mutate(MutationKind::Other),
        Self::MintSession,
        Self::Unknown,
        Self::Uncatalogued,
    ];

    /// The name in data files, logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Disclose => "Disclose",
            Self::Mutate(MutationKind::Identity) => "Mutate(Identity)",
            Self::Mutate(MutationKind::Credential) => "Mutate(Credential)",
            Self::Mutate(MutationKind::Permission) => "Mutate(Permission)",
            Self::Mutate(MutationKind::Other) => "Mutate(Other)",
            Self::MintSession => "MintSession",
            Self::Unknown => "Unknown",
            Self::Uncatalogued => "Uncatalogued",
        }
    }

    /// Whether the catalogue says that it changes nothing.
    #[must_use]
    pub fn changes_nothing(self) -> bool {
        match self {
            Self::Read | Self::Disclose => true,
            Self::Mutate(_) | Self::MintSession | Self::Unknown | Self::Uncatalogued => false,
        }
    }

    /// Whether the catalogue vouches for it: false where the action or the product is not listed.
    #[must_use]
    pub fn is_known(self) -> bool {
        match self {
            Self::Read | Self::Disclose | Self::Mutate(_) | Self::MintSession => true,
            Self::Unknown | Self::Uncatalogued => false,
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Effect {
    type Err = InvalidEffect;

    /// Reads a name as [`Effect::as_str`] writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|effect| effect.as_str() == text)
            .ok_or_else(|| InvalidEffect(text.to_owned()))
    }
}
