//! A registry in memory that is made of facts and follows no database: for tests and measurements. The facts take the
//! way of the rows that the feed reads.

use std::{collections::HashMap, sync::Arc};

use akgate_rules::{
    access_key::AccessKeyId, exception::Exception, position::Position,
    restriction::RestrictionState, verdict::Mode,
};
use uuid::Uuid;

use super::changes::merge_restriction;
use crate::directory::StateFault;
use crate::live::memory::{
    AccountOverrides, ExceptionEntry, KeyRestrictions, LiveRegistry, RegistryMaps,
};

/// What the registry holds.
#[derive(Debug, Default)]
pub struct RegistryFacts {
    /// Restrictions of every state.
    pub restrictions: Vec<RestrictionFact>,
    /// Exceptions from them.
    pub exceptions: Vec<ExceptionFact>,
    /// What accounts have of their own.
    pub accounts: Vec<(String, AccountOverrides)>,
    /// The mode that operators have switched to.
    pub mode: Option<Mode>,
}

/// A restriction.
#[derive(Debug, Clone)]
pub struct RestrictionFact {
    /// The key that is or was restricted.
    pub access_key_id: AccessKeyId,
    /// Its id.
    pub restriction_id: Uuid,
    /// Its state.
    pub state: RestrictionState,
    /// Whether it was widened to sensitive reads.
    pub is_widened: bool,
    /// Where it was lifted; at revision 0 if it was undone.
    pub lifted_at: Option<Position>,
}

/// An exception.
#[derive(Debug, Clone)]
pub struct ExceptionFact {
    /// The key that it is for.
    pub access_key_id: AccessKeyId,
    /// The restriction that it is an exception from.
    pub restriction_id: Uuid,
    /// What it allows.
    pub exception: Exception,
}

impl LiveRegistry {
    /// A registry that holds these facts.
    ///
    /// # Errors
    /// [`StateFault::Corrupt`] for a restriction that is lifted nowhere.
    pub fn of_facts(facts: RegistryFacts) -> Result<Self, StateFault> {
        let maps = RegistryMaps::default();
        let mut restrictions: HashMap<AccessKeyId, KeyRestrictions> = HashMap::new();
        for fact in facts.restrictions {
            let lifted_at = fact.lifted_at.map(|at| (at.revision, at.history.0));
            merge_restriction(
                restrictions.entry(fact.access_key_id).or_default(),
                fact.restriction_id,
                fact.state.as_str(),
                fact.is_widened,
                lifted_at,
            )?;
        }
        for (id, restrictions) in restrictions {
            maps.put_restrictions(id, restrictions);
        }
        for (fact, number) in facts.exceptions.into_iter().zip(1..) {
            let made = ExceptionEntry {
                exception_id: Uuid::from_u128(number),
                restriction_id: fact.restriction_id,
                exception: fact.exception,
            };
            maps.put_exception(fact.access_key_id, made.exception_id, Some(&made));
        }
        for (account_id, own) in facts.accounts {
            maps.accounts.pin().insert(account_id.into(), own);
        }
        maps.mode.set(facts.mode);
        let live = Self::default();
        live.replace(Arc::new(maps));
        Ok(live)
    }
}
