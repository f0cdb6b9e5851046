//! Schemas of the text enums that the rules declare; the rules themselves do not depend on utoipa.

use std::borrow::Cow;

use akgate_rules::{
    leak::Proof,
    restriction::{Resolution, RestrictionState},
    verdict::{Mode, Profile},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

macro_rules! schema_of {
    ($enum:ty => $name:ident as $schema:literal, $description:literal) => {
        #[doc = $description]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($description))
                    .enum_values(Some(<$enum>::NAMES))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($schema)
            }
        }
    };
}

schema_of!(Resolution => ResolutionName as "Resolution", "The resolution of a restriction.");
schema_of!(Mode => ModeName as "Mode", "Whether refusals are enforced.");
schema_of!(Profile => ProfileName as "Profile", "What restricted keys are refused.");
schema_of!(Proof => ProofName as "Proof", "The proof of a leak report.");
schema_of!(RestrictionState => RestrictionStateName as "RestrictionState", "State of a restriction.");
