//! `[policy]` and `[freshness]`.

use confique::{Config, env::parse::list_by_comma};
use serde::{Deserialize, Deserializer};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{error::ConfigError, text::ConfigText};
use akgate_rules::{
    ladder::EscalationLadder,
    lineage::DescendantPolicy,
    restriction::LiftRule,
    verdict::{Mode, Profile},
};

/// An instant with its time zone (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZonedInstant(pub OffsetDateTime);

impl<'de> Deserialize<'de> for ZonedInstant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(Self)
            .map_err(|_| {
                serde::de::Error::custom(
                    "must be a time with its zone: \"2026-12-01T00:00:00+08:00\"",
                )
            })
    }
}

/// `[policy]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct PolicySection {
    /// "enforce" refuses; "shadow" lets calls pass and records those that would have been refused; "off" judges nothing.
    #[config(env = "AKGATE_POLICY_MODE", default = "enforce")]
    pub mode: Mode,
    /// What is refused. "mutations": changes to identities, credentials and permissions. "strict": all of RAM and IMS, and
    /// listed operations of other products. An account can have a profile of its own.
    #[config(env = "AKGATE_POLICY_PROFILE", default = "mutations")]
    pub profile: Profile,
    /// When enforcement begins, with time zone: "2026-12-01T00:00:00+08:00". Until then, the mode is "shadow".
    #[config(env = "AKGATE_POLICY_ENFORCE_FROM")]
    pub enforce_from: Option<ZonedInstant>,
    /// Whether a restricted AccessKey may disable or delete itself.
    #[config(env = "AKGATE_POLICY_SELF_REMEDY", default = false)]
    pub self_remedy: bool,
    /// Whether a node without a lease (because it cannot reach the database) refuses every read. By default, it refuses the
    /// reads listed in "strict" in accounts known to be strict, and sensitive reads by AccessKeys known to be restricted.
    #[config(env = "AKGATE_POLICY_REFUSE_UNLEASED_READS", default = false)]
    pub refuse_unleased_reads: bool,
    /// Who lifts a restriction. "operator": an operator, after the owner's confirmation. "auto_lift": also akgate itself, if
    /// the access key is disabled or deleted and the owner has reviewed, item by item, everything that it and what it made
    /// created and changed; if nobody knows since when it was public, as far back as anything is recorded.
    #[config(env = "AKGATE_POLICY_LIFT", default = "operator")]
    pub lift: LiftRule,
    /// What becomes of what a leaked AccessKey made: other AccessKeys, and the sessions of roles and identity providers.
    /// "list": operators can look at it. "suspect": letters and pages tell owners of it as well, and operators can restrict
    /// it with one command. "restrict": it is restricted with the key, to any depth.
    #[config(env = "AKGATE_POLICY_DESCENDANTS", default = "suspect")]
    pub descendants: DescendantPolicy,
    /// Whether owners are notified of suspicions: the id of an AccessKey was seen, without its secret. A suspicion restricts
    /// nothing; owners get at most one letter about it per key in 30 days.
    #[config(env = "AKGATE_POLICY_TELL_SUSPECTED", default = false)]
    pub tell_suspected: bool,
    /// The steps taken while a leaked access key stays active, in hours after its owner was notified. 0: never.
    #[config(nested)]
    pub escalation: EscalationSection,
}

impl PolicySection {
    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let reminders = &self.escalation.reminders_hours;
        if !reminders.is_sorted() || reminders.first() == Some(&0) {
            let key = "policy.escalation.reminders_hours";
            return Err(text.wrong(key, "must be increasing numbers of at least 1"));
        }
        Ok(())
    }
}

/// `[policy.escalation]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct EscalationSection {
    /// When the owner is reminded, in increasing order.
    #[config(env = "AKGATE_POLICY_ESCALATION_REMINDERS_HOURS", default = [24, 72, 168], parse_env = list_by_comma)]
    pub reminders_hours: Vec<u32>,
    /// When sensitive reads are refused too.
    #[config(env = "AKGATE_POLICY_ESCALATION_SENSITIVE_READS_HOURS", default = 24)]
    pub sensitive_reads_hours: u32,
    /// When the contacts of the next rank are notified.
    #[config(env = "AKGATE_POLICY_ESCALATION_NEXT_CONTACTS_HOURS", default = 72)]
    pub next_contacts_hours: u32,
    /// When operators are asked to disable the access key.
    #[config(env = "AKGATE_POLICY_ESCALATION_DISABLING_HOURS", default = 168)]
    pub disabling_hours: u32,
}

impl EscalationSection {
    /// The ladder that these hours make.
    #[must_use]
    pub fn ladder(&self) -> EscalationLadder {
        let hours = |hours: u32| Duration::hours(i64::from(hours));
        let after = |given: u32| (given > 0).then(|| hours(given));
        EscalationLadder {
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
    /// Maximum number of nonces of one AccessKey that a node remembers, each for 31 minutes. A key with more is throttled.
    #[config(env = "AKGATE_FRESHNESS_NONCES_PER_KEY", default = 1000000)]
    pub nonces_per_key: usize,
}

impl FreshnessSection {
    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        text.require_positive([("freshness.nonces_per_key", self.nonces_per_key > 0)])
    }
}
