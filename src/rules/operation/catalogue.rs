//! The list of operations whose effect is known: `config/catalogue.csv`.

use std::collections::HashMap;

use super::{
    effect::Effect,
    effects::EffectList,
    product::Product,
    table::{DataError, DataFault, is_name, is_version, read_rows},
};

const BUILT_IN_CSV: &str = include_str!("../../../config/catalogue.csv");
const HEADER: [&str; 6] = [
    "product",
    "version",
    "action",
    "effect",
    "sensitive",
    "names",
];

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

    /// Whether it is a sensitive read: one that helps to explore an account's identities, credentials, permissions or
    /// resources.
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

/// The effect of every listed operation, and the parameters that a record of it keeps.
#[derive(Debug, Clone)]
pub struct Catalogue {
    by_version: HashMap<Box<str>, ListedProduct>,
    others: EffectList,
}

#[derive(Debug, Clone)]
struct ListedProduct {
    product: Product,
    actions: HashMap<Box<str>, CatalogueEntry>,
}

#[derive(Debug, Clone)]
struct CatalogueEntry {
    effect: Effect,
    is_sensitive: bool,
    names: Box<[Box<str>]>,
}

/// Why an operation cannot be taken for one of a product that the catalogue does not enumerate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignOperationFault {
    /// The version is that of a catalogued product.
    #[error("version {version} belongs to {product}, not to {given}")]
    Version {
        /// The product given.
        given: Product,
        /// The version given.
        version: String,
        /// Whose it is.
        product: Product,
    },
    /// The product is a catalogued one, at another version.
    #[error("{product} has version {version}, not {given}")]
    Product {
        /// The version given.
        given: String,
        /// The product given.
        product: Product,
        /// Its version.
        version: String,
    },
    /// A part of the operation is empty.
    #[error("product, version and action must not be empty")]
    Empty,
}

impl Catalogue {
    /// The catalogue that comes with this build.
    ///
    /// # Errors
    /// [`DataError`] if the embedded data is wrong; the tests check it.
    pub fn built_in() -> Result<Self, DataError> {
        let mut catalogue = Self::parse(BUILT_IN_CSV)?;
        catalogue.others = EffectList::built_in()?;
        Ok(catalogue)
    }

    /// The same with further effects of operations of other products; they count before those that it has.
    #[must_use]
    pub fn with_effects(mut self, effects: EffectList) -> Self {
        self.others.extend(effects);
        self
    }

    /// Reads a catalogue: columns product, version, action, effect, sensitive (`yes` or nothing), names
    /// (separated by spaces).
    ///
    /// # Errors
    /// [`DataError`] with the line of the first fault: a wrong number of columns, a product other
    /// than the four, a version that two products share, an unknown effect, a sensitive operation
    /// that is no read, an operation listed twice, a parameter name that may hold a secret.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let mut catalogue = Self {
            by_version: HashMap::new(),
            others: EffectList::default(),
        };
        for row in read_rows(text, HEADER)? {
            catalogue
                .add(row.fields)
                .map_err(|fault| fault.at(row.line))?;
        }
        Ok(catalogue)
    }

    /// The catalogued product of this version.
    #[must_use]
    pub fn product_of(&self, version: &str) -> Option<&Product> {
        self.by_version.get(version).map(|listed| &listed.product)
    }

    /// The version of this product, where it is a catalogued one.
    #[must_use]
    pub fn version_of(&self, product: &Product) -> Option<&str> {
        self.by_version
            .iter()
            .find(|(_, listed)| listed.product == *product)
            .map(|(version, _)| &**version)
    }

    /// Whether this action of this version is listed.
    #[must_use]
    pub fn lists(&self, version: &str, action: &str) -> bool {
        let listed = self.by_version.get(version);
        listed.is_some_and(|listed| listed.actions.contains_key(action))
    }

    /// The operation of this version and action, both exact; `None` where the version is not that
    /// of a catalogued product. An action that is not listed is [`Effect::Unknown`].
    #[must_use]
    pub fn operation(&self, version: &str, action: &str) -> Option<Operation> {
        let listed = self.by_version.get(version)?;
        let entry = listed.actions.get(action);
        Some(Operation {
            product: listed.product.clone(),
            version: version.into(),
            action: action.into(),
            effect: entry.map_or(Effect::Unknown, |entry| entry.effect),
            is_sensitive: entry.is_some_and(|entry| entry.is_sensitive),
        })
    }

    /// The operation of a product that the catalogue does not enumerate.
    ///
    /// # Errors
    /// [`ForeignOperationFault`] where the product or the version is a catalogued one: calling it foreign
    /// would let its mutations pass.
    pub fn foreign(
        &self,
        product: &str,
        version: &str,
        action: &str,
    ) -> Result<Operation, ForeignOperationFault> {
        if product.is_empty() || version.is_empty() || action.is_empty() {
            return Err(ForeignOperationFault::Empty);
        }
        let product = Product::from_code(product);
        if let Some(right) = self.version_of(&product) {
            return Err(ForeignOperationFault::Product {
                given: version.to_owned(),
                version: right.to_owned(),
                product,
            });
        }
        if let Some(owner) = self.product_of(version) {
            return Err(ForeignOperationFault::Version {
                given: product,
                version: version.to_owned(),
                product: owner.clone(),
            });
        }
        Ok(self.other(product, version, action))
    }

    /// The operation of another product whose upstream is told apart from a catalogued one of the same version: by its
    /// host, or because no catalogued product has this action.
    ///
    /// # Errors
    /// [`ForeignOperationFault`] where the product is a catalogued one, or a part is empty.
    pub fn foreign_of_upstream(
        &self,
        product: &str,
        version: &str,
        action: &str,
    ) -> Result<Operation, ForeignOperationFault> {
        match self.foreign(product, version, action) {
            Err(ForeignOperationFault::Version { given, .. }) => {
                Ok(self.other(given, version, action))
            }
            named => named,
        }
    }

    fn other(&self, product: Product, version: &str, action: &str) -> Operation {
        let judged = self.others.effect_of(product.code(), version, action);
        Operation {
            product,
            version: version.into(),
            action: action.into(),
            effect: judged.unwrap_or(Effect::Uncatalogued),
            is_sensitive: false,
        }
    }

    /// The operation with this product, version and action.
    ///
    /// # Errors
    /// [`ForeignOperationFault`] where product and version do not go together, or a part is empty.
    pub fn named(
        &self,
        product: &str,
        version: &str,
        action: &str,
    ) -> Result<Operation, ForeignOperationFault> {
        let product = Product::from_code(product);
        match self.version_of(&product) {
            Some(right) if right == version && !action.is_empty() => {
                let found = self.operation(version, action);
                found.ok_or(ForeignOperationFault::Empty)
            }
            Some(_) | None => self.foreign(product.code(), version, action),
        }
    }

    /// The names of the parameters that an audit record of this operation keeps, sorted.
    pub fn kept_names(&self, operation: &Operation) -> impl Iterator<Item = &str> {
        self.by_version
            .get(operation.version())
            .and_then(|listed| listed.actions.get(operation.action()))
            .into_iter()
            .flat_map(|entry| entry.names.iter().map(|name| &**name))
    }

    /// Every listed operation, in no order.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        self.by_version.iter().flat_map(|(version, listed)| {
            listed.actions.iter().map(|(action, entry)| Operation {
                product: listed.product.clone(),
                version: version.clone(),
                action: action.clone(),
                effect: entry.effect,
                is_sensitive: entry.is_sensitive,
            })
        })
    }

    fn add(&mut self, fields: [&str; 6]) -> Result<(), DataFault> {
        let [code, version, action, effect, sensitive, names] = fields;
        let product = parse_product(code)?;
        if !is_version(version) {
            return Err(DataFault::Version(version.to_owned()));
        }
        if !is_name(action) {
            return Err(DataFault::Action(action.to_owned()));
        }
        let effect = parse_effect(effect)?;
        let entry = CatalogueEntry {
            effect,
            is_sensitive: parse_sensitive(sensitive, effect)?,
            names: parse_names(names)?,
        };
        let listed = self.listed(product, version)?;
        if listed.actions.insert(action.into(), entry).is_some() {
            return Err(DataFault::Duplicate {
                version: version.to_owned(),
                action: action.to_owned(),
            });
        }
        Ok(())
    }

    fn listed(&mut self, product: Product, version: &str) -> Result<&mut ListedProduct, DataFault> {
        let taken = |other: &Product| DataFault::VersionTaken {
            version: version.to_owned(),
            product: product.to_string(),
            other: other.to_string(),
        };
        match self.product_of(version) {
            Some(owner) if *owner != product => return Err(taken(owner)),
            None if self.version_of(&product).is_some() => return Err(taken(&product)),
            Some(_) | None => {}
        }
        Ok(self
            .by_version
            .entry(version.into())
            .or_insert_with(|| ListedProduct {
                product,
                actions: HashMap::new(),
            }))
    }
}

fn parse_product(code: &str) -> Result<Product, DataFault> {
    let product = Product::from_code(code);
    if product.code() == code && product.is_catalogued() {
        Ok(product)
    } else {
        Err(DataFault::Product(code.to_owned()))
    }
}

fn parse_effect(text: &str) -> Result<Effect, DataFault> {
    text.parse()
        .ok()
        .filter(|effect: &Effect| effect.is_known())
        .ok_or_else(|| DataFault::Effect(text.to_owned()))
}

fn parse_sensitive(text: &str, effect: Effect) -> Result<bool, DataFault> {
    match (text, effect) {
        ("", _) => Ok(false),
        ("yes", Effect::Read) => Ok(true),
        _ => Err(DataFault::Sensitive(text.to_owned())),
    }
}

fn parse_names(text: &str) -> Result<Box<[Box<str>]>, DataFault> {
    let mut names: Vec<Box<str>> = Vec::new();
    for name in text.split(' ').filter(|_| !text.is_empty()) {
        if !is_name(name) || names.iter().any(|earlier| **earlier == *name) {
            return Err(DataFault::Name(name.to_owned()));
        }
        if may_hold_a_secret(name) {
            return Err(DataFault::SecretName(name.to_owned()));
        }
        names.push(name.into());
    }
    names.sort();
    Ok(names.into())
}

/// Guards against a mistake in the data file: records are read by many people and kept for long.
fn may_hold_a_secret(name: &str) -> bool {
    const WORDS: [&str; 7] = [
        "Password",
        "Secret",
        "Token",
        "Assertion",
        "Document",
        "Code",
        "ExternalId",
    ];
    // `AppSecretId` names a secret without being one; `ExternalId` is a shared secret in practice.
    let is_id = name.ends_with("Id") && name != "ExternalId";
    name == "Policy" || (!is_id && WORDS.iter().any(|word| name.contains(word)))
}

#[cfg(test)]
mod tests;
