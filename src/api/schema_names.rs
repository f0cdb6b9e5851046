//! Schemas of the text enums that the rules declare: the rules know nothing of schemas.

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
schema_of!(Mode => ModeName as "Mode", "A mode.");
schema_of!(Profile => ProfileName as "Profile", "A profile.");
schema_of!(Proof => ProofName as "Proof", "To which degree a report is proven.");
schema_of!(RestrictionState => RestrictionStateName as "RestrictionState", "State of a restriction.");
