//! `[policy]` and `[freshness]`.

use confique::{Config, env::parse::list_by_comma};
use serde::{Deserialize, Deserializer};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use akgate_rules::{
    ladder::Ladder,
    restriction::LiftRule,
    verdict::{Mode, Profile},
};

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
    /// Whether a node that holds no lease (it cannot reach the database) refuses every read. By default it refuses those
    /// that "strict" lists, in accounts that are known to be strict, and sensitive reads by AccessKeys that are known to be
    /// restricted.
    #[config(env = "AKGATE_POLICY_REFUSE_UNLEASED_READS", default = false)]
    pub refuse_unleased_reads: bool,
    /// Who lifts a restriction. "operator": an operator, after the owner's confirmation. "auto_lift": also the policy, on
    /// facts alone: the pair is disabled or deleted, and the owner has looked at everything that it made and changed.
    #[config(env = "AKGATE_POLICY_LIFT", default = "operator")]
    pub lift: LiftRule,
    /// Whether owners are told of suspicions: that the id of an AccessKey was seen, without its secret. Nothing is restricted
    /// then; of one key at most once in 30 days.
    #[config(env = "AKGATE_POLICY_TELL_SUSPECTED", default = false)]
    pub tell_suspected: bool,
    /// What follows while a leaked pair goes on working, in hours since its owner was told. 0: never.
    #[config(nested)]
    pub escalation: EscalationSection,
}

/// `[policy.escalation]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct EscalationSection {
    /// When the owner is reminded, the earliest first.
    #[config(env = "AKGATE_POLICY_ESCALATION_REMINDERS_HOURS", default = [24, 72, 168], parse_env = list_by_comma)]
    pub reminders_hours: Vec<u32>,
    /// From when on sensitive reads are refused as well.
    #[config(env = "AKGATE_POLICY_ESCALATION_SENSITIVE_READS_HOURS", default = 24)]
    pub sensitive_reads_hours: u32,
    /// When the contacts of the next rank are told.
    #[config(env = "AKGATE_POLICY_ESCALATION_NEXT_CONTACTS_HOURS", default = 72)]
    pub next_contacts_hours: u32,
    /// When operators are asked to disable the pair.
    #[config(env = "AKGATE_POLICY_ESCALATION_DISABLING_HOURS", default = 168)]
    pub disabling_hours: u32,
}

impl EscalationSection {
    /// The ladder that these hours make.
    #[must_use]
    pub fn ladder(&self) -> Ladder {
        let hours = |hours: u32| Duration::hours(i64::from(hours));
        let after = |given: u32| (given > 0).then(|| hours(given));
        Ladder {
            reminders: self.reminders_hours.iter().copied().map(hours).collect(),
            sensitive_reads: after(self.sensitive_reads_hours),
            next_contacts: after(self.next_contacts_hours),
            disabling: after(self.disabling_hours),
        }
    }
}

/// `[freshness]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct FreshnessSection {
    /// How many nonces of one AccessKey a node remembers, each for 31 minutes. A key with more is throttled.
    #[config(env = "AKGATE_FRESHNESS_NONCES_PER_KEY", default = 1000000)]
    pub nonces_per_key: usize,
}
