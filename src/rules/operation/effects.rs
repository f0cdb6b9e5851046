//! The effects of operations of other products that somebody has judged: `config/effects.csv`, and the configuration.

use std::collections::HashMap;

use super::{
    effect::Effect,
    table::{DataError, DataFault, is_name, is_version, read_rows},
};

const BUILT_IN_CSV: &str = include_str!("../../../config/effects.csv");
const HEADER: [&str; 4] = ["product", "version", "action", "effect"];

/// Stands for the actions of a version that are not listed.
pub const OTHER_ACTIONS: &str = "*";

/// Effects by product, version and action.
#[derive(Debug, Clone, Default)]
pub struct EffectList {
    // Product codes in lower case, because their case varies between sources.
    by_product: HashMap<Box<str>, HashMap<Box<str>, EffectsByAction>>,
}

type EffectsByAction = HashMap<Box<str>, Effect>;

impl EffectList {
    /// The list that comes with this build.
    ///
    /// # Errors
    /// [`DataError`] if the embedded data is wrong; the tests check it.
    pub fn built_in() -> Result<Self, DataError> {
        Self::parse(BUILT_IN_CSV)
    }

    /// Reads a list: columns product, version, action, effect.
    ///
    /// # Errors
    /// [`DataError`] with the line of the first fault.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let mut list = Self::default();
        for row in read_rows(text, HEADER)? {
            let [product, version, action, effect] = row.fields;
            let replaced = list.insert(product, version, action, effect);
            match replaced.map_err(|fault| fault.at(row.line))? {
                None => {}
                Some(_) => {
                    let (version, action) = (version.to_owned(), action.to_owned());
                    return Err(DataFault::Duplicate { version, action }.at(row.line));
                }
            }
        }
        Ok(list)
    }

    /// Lists an operation, or with [`OTHER_ACTIONS`] those of the version that are not listed; gives the effect that this
    /// replaces.
    ///
    /// # Errors
    /// [`DataFault`] for a name that no operation has, and for an effect other than a read, a disclosure or a mutation:
    /// sessions are minted by STS alone.
    pub fn insert(
        &mut self,
        product: &str,
        version: &str,
        action: &str,
        effect: &str,
    ) -> Result<Option<Effect>, DataFault> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if product.is_empty() || !product.bytes().all(plain) {
            return Err(DataFault::ProductCode(product.to_owned()));
        }
        if !is_version(version) {
            return Err(DataFault::Version(version.to_owned()));
        }
        if action != OTHER_ACTIONS && !is_name(action) {
            return Err(DataFault::Action(action.to_owned()));
        }
        let effect = match effect.parse() {
            Ok(effect @ (Effect::Read | Effect::Disclose | Effect::Mutate(_))) => effect,
            Ok(Effect::MintSession | Effect::Unknown | Effect::Uncatalogued) | Err(_) => {
                return Err(DataFault::Effect(effect.to_owned()));
            }
        };
        let product = product.to_ascii_lowercase().into();
        let versions = self.by_product.entry(product).or_default();
        let actions = versions.entry(version.into()).or_default();
        Ok(actions.insert(action.into(), effect))
    }

    /// Adds another list, whose effects count where both have one.
    pub fn extend(&mut self, other: Self) {
        for (product, versions) in other.by_product {
            let known = self.by_product.entry(product).or_default();
            for (version, actions) in versions {
                known.entry(version).or_default().extend(actions);
            }
        }
    }

    /// The effect of an operation; `None` where nobody has judged it.
    #[must_use]
    pub fn effect_of(&self, product: &str, version: &str, action: &str) -> Option<Effect> {
        let versions = self.by_product.get(&*product.to_ascii_lowercase())?;
        let actions = versions.get(version)?;
        let listed = actions.get(action).or_else(|| actions.get(OTHER_ACTIONS));
        listed.copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::MutationKind;

    #[test]
    fn built_in_list_has_what_reaches_identities_from_other_products() {
        let list = EffectList::built_in().unwrap();
        let permission = Some(Effect::Mutate(MutationKind::Permission));
        let credential = Some(Effect::Mutate(MutationKind::Credential));
        for (product, version, action, effect) in [
            (
                "ResourceDirectoryMaster",
                "2022-04-19",
                "AttachControlPolicy",
                permission,
            ),
            (
                "CloudSSO",
                "2021-05-15",
                "CreateAccessAssignment",
                permission,
            ),
            (
                "kms",
                "2016-01-20",
                "GetSecretValue",
                Some(Effect::Disclose),
            ),
            ("ECS", "2014-05-26", "AttachInstanceRamRole", permission),
            (
                "Cs",
                "2015-12-15",
                "DescribeClusterUserKubeconfig",
                Some(Effect::Disclose),
            ),
            ("ROS", "2019-09-10", "CreateStack", permission),
            (
                "Eiam",
                "2021-12-01",
                "ObtainApplicationClientSecret",
                Some(Effect::Disclose),
            ),
            (
                "Eiam",
                "2021-12-01",
                "CreateApplicationClientSecret",
                credential,
            ),
            ("Actiontrail", "2020-07-06", "StopLogging", permission),
            (
                "ResourceSharing",
                "2020-01-10",
                "CreateResourceShare",
                permission,
            ),
            (
                "oos",
                "2019-06-01",
                "GetSecretParameter",
                Some(Effect::Disclose),
            ),
            (
                "cr",
                "2018-12-01",
                "GetAuthorizationToken",
                Some(Effect::Disclose),
            ),
            (
                "sae",
                "2019-05-06",
                "GetWebshellToken",
                Some(Effect::Disclose),
            ),
            ("FC", "2023-03-30", "CreateFunction", permission),
            ("Oss", "2019-05-17", "PutBucketPolicy", permission),
            ("Ecs", "2014-05-26", "DescribeInstances", None),
            ("Ecs", "2014-05-26", "attachInstanceRamRole", None),
            ("Ecs", "2015-05-26", "AttachInstanceRamRole", None),
        ] {
            assert_eq!(list.effect_of(product, version, action), effect, "{action}");
        }
    }

    #[test]
    fn configured_effect_counts_before_the_built_in_one_and_may_cover_the_rest() {
        let mut list = EffectList::built_in().unwrap();
        let mut configured = EffectList::default();
        for (action, effect) in [("StopLogging", "Mutate(Other)"), ("*", "Disclose")] {
            let inserted = configured.insert("ActionTrail", "2020-07-06", action, effect);
            assert_eq!(inserted, Ok(None));
        }
        list.extend(configured);
        let effect = |action| list.effect_of("Actiontrail", "2020-07-06", action);
        assert_eq!(
            effect("StopLogging"),
            Some(Effect::Mutate(MutationKind::Other))
        );
        assert_eq!(effect("DescribeTrails"), Some(Effect::Read));
        assert_eq!(effect("Anything"), Some(Effect::Disclose));
    }

    #[test]
    fn wrong_entries_are_refused() {
        let mut list = EffectList::default();
        for (product, version, action, effect) in [
            ("", "2020-01-01", "A", "Read"),
            ("a b", "2020-01-01", "A", "Read"),
            ("a", "2020", "A", "Read"),
            ("a", "2020-01-01", "A*", "Read"),
            ("a", "2020-01-01", "A", "read"),
            ("a", "2020-01-01", "A", "MintSession"),
            ("a", "2020-01-01", "A", "Uncatalogued"),
        ] {
            assert!(
                list.insert(product, version, action, effect).is_err(),
                "{product} {effect}"
            );
        }
        let twice = "product,version,action,effect\na,2020-01-01,A,Read\nA,2020-01-01,A,Read";
        let message = EffectList::parse(twice).unwrap_err().to_string();
        assert_eq!(message, "line 3: 2020-01-01 A is listed twice");
    }
}
