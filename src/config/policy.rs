//! `[policy]` and `[freshness]`.

use confique::Config;
use serde::{Deserialize, Deserializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::verdict::{Mode, Profile};

/// An instant with its time zone (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant(pub OffsetDateTime);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(Self)
            .map_err(|_| {
                serde::de::Error::custom(
                    "write a time with its zone: \"2026-12-01T00:00:00+08:00\"",
                )
            })
    }
}

/// `[policy]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct PolicySection {
    /// "enforce" refuses; "shadow" lets pass and records what would have been refused; "off" judges nothing.
    #[config(env = "AKGATE_POLICY_MODE", default = "enforce")]
    pub mode: Mode,
    /// "mutations": changes of identities, credentials and permissions. "strict": all of RAM and IMS, and named
    /// operations of other products. An account may have a profile of its own.
    #[config(env = "AKGATE_POLICY_PROFILE", default = "mutations")]
    pub profile: Profile,
    /// From when on refusals are carried out, with time zone: "2026-12-01T00:00:00+08:00". Until then as "shadow".
    #[config(env = "AKGATE_POLICY_ENFORCE_FROM")]
    pub enforce_from: Option<Instant>,
    /// Whether a restricted AccessKey may disable or delete itself.
    #[config(env = "AKGATE_POLICY_SELF_REMEDY", default = false)]
    pub self_remedy: bool,
}

/// `[freshness]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct FreshnessSection {
    /// How many nonces of one AccessKey a node remembers, each for 31 minutes. A key with more is throttled.
    #[config(env = "AKGATE_FRESHNESS_NONCES_PER_KEY", default = 1000000)]
    pub nonces_per_key: usize,
}
