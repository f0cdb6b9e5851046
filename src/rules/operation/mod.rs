//! What a call would do: its [`Product`], `Version` and `Action`, and the [`Effect`] of that.
//!
//! An [`Operation`] is only made by the [`Catalogue`], so the effect that the verdict sees is the
//! catalogue's word on the action that is forwarded. `Version` alone tells RAM, IMS, STS and
//! ResourceManager apart, as their versions are distinct; Host never chooses.
//!
//! **Unknown means mutation.** Reads are an exact, case-sensitive allow-list: an action of those
//! four that the catalogue does not list is [`Effect::Unknown`]. An operation of another product
//! is [`Effect::Uncatalogued`], which only a profile's list can refuse.

mod blocklist;
mod catalogue;
mod effect;
mod product;
mod table;

pub use blocklist::{Blocklist, BlocklistEntry, ListingSource};
pub use catalogue::{Catalogue, ForeignOperationFault};
pub use effect::{Effect, InvalidEffect, MutationKind};
pub use product::Product;
pub use table::{DataError, DataFault};

/// The identity of an API operation, and what it would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    product: Product,
    version: Box<str>,
    action: Box<str>,
    effect: Effect,
    is_sensitive: bool,
}

impl Operation {
    /// The product that serves it.
    #[must_use]
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// The `Version` as the caller signed it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The `Action` as the caller signed it.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// What it would change.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether it is a read with which an account is mapped: of identities, credentials, permissions, resources.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.is_sensitive
    }

    /// Whether this is one of the two calls that carry a foreign identity's proof in place of an
    /// AccessKey: `AssumeRoleWithSAML` and `AssumeRoleWithOIDC` of STS.
    #[must_use]
    pub fn may_be_anonymous(&self) -> bool {
        self.product == Product::Sts
            && self.effect == Effect::MintSession
            && matches!(&*self.action, "AssumeRoleWithSAML" | "AssumeRoleWithOIDC")
    }
}
