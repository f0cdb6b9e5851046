//! The policy: profile, mode, and when enforcement begins.

use time::OffsetDateTime;

crate::text_enum! {
    /// What a restricted AccessKey is refused. Per account.
    #[derive(Default)]
    pub enum Profile {
        /// Changes of identities, credentials and permissions, and reads of secrets: the vendor's notice of April 2024.
        #[default]
        Mutations = "mutations",
        /// In addition all of RAM and IMS, and the listed operations of other products: the vendor's help page.
        Strict = "strict",
    }
}

crate::text_enum! {
    /// Whether refusals are enforced.
    #[derive(Default)]
    pub enum Mode {
        /// Refuse.
        #[default]
        Enforce = "enforce",
        /// Allow, and mark what would have been refused.
        Shadow = "shadow",
        /// Allow, and judge nothing.
        Off = "off",
    }
}

/// The policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// The mode.
    pub mode: Mode,
    /// When enforcement begins, if a date is configured; until then the mode is [`Mode::Shadow`].
    pub enforce_from: Option<OffsetDateTime>,
    /// Whether a restricted key may disable or delete itself.
    pub self_remedy: bool,
    /// Whether a node without a lease refuses all reads, and not only those that a restriction that it knows of, or a
    /// profile, could refuse.
    pub refuses_unleased_reads: bool,
}

impl Policy {
    /// Whether enforcement begins only after `now`. It begins at `enforce_from` itself.
    #[must_use]
    pub fn is_announced_for_later(&self, now: OffsetDateTime) -> bool {
        self.enforce_from.is_some_and(|from| now < from)
    }
}

impl Profile {
    /// The stricter of two profiles, for a session that one account's key minted in another account.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Mutations, Self::Mutations) => Self::Mutations,
            (Self::Strict, Self::Mutations | Self::Strict) | (Self::Mutations, Self::Strict) => {
                Self::Strict
            }
        }
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
