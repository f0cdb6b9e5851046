//! Who serves an operation.

use std::fmt;

/// A product: one of the four that the catalogue enumerates, or another by its product code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Product {
    /// Resource Access Management.
    Ram,
    /// Identity Management Service.
    Ims,
    /// Security Token Service.
    Sts,
    /// Resource Management.
    ResourceManager,
    /// Any other, by the product code of the OpenAPI metadata (`Ecs`, `dms-enterprise`).
    Other(Box<str>),
}

impl Product {
    /// The four that the catalogue enumerates.
    pub const CATALOGUED: [Self; 4] = [Self::Ram, Self::Ims, Self::Sts, Self::ResourceManager];

    /// The product of this code. Codes are compared without regard to case, since the field writes
    /// both `RAM` and `Ram`.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        Self::CATALOGUED
            .into_iter()
            .find(|product| product.code().eq_ignore_ascii_case(code))
            .unwrap_or_else(|| Self::Other(code.into()))
    }

    /// The product code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Ram => "RAM",
            Self::Ims => "IMS",
            Self::Sts => "STS",
            Self::ResourceManager => "ResourceManager",
            Self::Other(code) => code,
        }
    }

    /// Whether the catalogue enumerates its operations, so that an unlisted one is a mutation.
    #[must_use]
    pub fn is_catalogued(&self) -> bool {
        match self {
            Self::Ram | Self::Ims | Self::Sts | Self::ResourceManager => true,
            Self::Other(_) => false,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
