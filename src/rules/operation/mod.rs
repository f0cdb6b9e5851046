//! What a call would do: its [`Product`], `Version` and `Action`, and the [`Effect`] of that.
//!
//! An [`Operation`] is only made by the [`Catalogue`], so the effect that the verdict sees is the
//! catalogue's word on the action that is forwarded. `Version` alone tells RAM, IMS, STS and
//! ResourceManager apart, as their versions are distinct; Host never chooses.
//!
//! **Unknown means mutation.** Reads are an exact, case-sensitive allow-list: an action of those
//! four that the catalogue does not list is [`Effect::Unknown`]. An operation of another product
//! has the effect that somebody has judged it to have ([`EffectList`]); without one it is
//! [`Effect::Uncatalogued`], which only a profile's list can refuse.

mod blocklist;
mod catalogue;
mod effect;
mod effects;
mod product;
mod table;
pub mod user_parameters;

pub use blocklist::{Blocklist, BlocklistEntry, ListingSource};
pub use catalogue::{Catalogue, ForeignOperationFault, Operation};
pub use effect::{Effect, InvalidEffect, MutationKind};
pub use effects::{EffectList, OTHER_ACTIONS};
pub use product::Product;
pub use table::{DataError, DataFault};
