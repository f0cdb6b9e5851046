//! Operations that two products have under the same version and name: only a signed host tells them apart.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use super::{
    error::ConfigError,
    text::ConfigText,
    upstreams::{EVERY_ACTION, OtherUpstream},
};
use akgate_rules::operation::Catalogue;

/// An operation that two products have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedOperation {
    /// The version.
    pub version: String,
    /// The action; `*` for every one.
    pub action: String,
    /// The products.
    pub products: [String; 2],
    /// Whether a signed host can tell them apart.
    pub has_host: bool,
}

impl SharedOperation {
    /// Every one among these upstreams, and between them and the catalogue, in order.
    #[must_use]
    pub fn find_all(others: &[OtherUpstream]) -> Vec<Self> {
        let mut found = Vec::new();
        for (at, one) in others.iter().enumerate() {
            let later = others.iter().skip(at + 1);
            let twins = later.filter(|two| {
                two.version == one.version && !two.product.eq_ignore_ascii_case(&one.product)
            });
            found.extend(twins.flat_map(|two| between(one, two)));
            found.extend(between_catalogue_and(one));
        }
        found.sort();
        found
    }
}

impl fmt::Display for SharedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version, action, ..
        } = self;
        let [one, two] = &self.products;
        write!(f, "{one} and {two} both have {version} {action}")
    }
}

/// Refuses what no call could tell apart: one product with two URLs, and two products without hosts of their own that
/// have an operation in common.
pub(super) fn check_upstreams(
    others: &[OtherUpstream],
    text: &ConfigText<'_>,
) -> Result<(), ConfigError> {
    let mut urls: HashMap<String, &str> = HashMap::new();
    for other in others {
        let product = other.product.to_ascii_lowercase();
        if *urls.entry(product).or_insert(&other.url) != other.url {
            let message = format!("{} has two URLs: a product has one upstream", other.product);
            return Err(text.wrong("upstreams.other", &message));
        }
    }
    let shared = SharedOperation::find_all(others);
    match shared.iter().find(|pair| !pair.has_host) {
        Some(pair) => {
            let message =
                format!("{pair}: give at least one of them `hosts` that the other has not");
            Err(text.wrong("upstreams.other", &message))
        }
        None => Ok(()),
    }
}

fn between(one: &OtherUpstream, two: &OtherUpstream) -> Vec<SharedOperation> {
    let named =
        |other: &OtherUpstream| -> BTreeSet<String> { other.actions.iter().cloned().collect() };
    let shared = match (one.serves_all(), two.serves_all()) {
        (true, true) => BTreeSet::from([EVERY_ACTION.to_owned()]),
        (true, false) => named(two),
        (false, true) => named(one),
        (false, false) => named(one).intersection(&named(two)).cloned().collect(),
    };
    let hosts = |other: &OtherUpstream| -> BTreeSet<String> {
        other
            .hosts
            .iter()
            .map(|host| host.to_ascii_lowercase())
            .collect()
    };
    let has_host = hosts(one) != hosts(two);
    let shared = shared.into_iter().map(|action| SharedOperation {
        version: one.version.clone(),
        action,
        products: [one.product.clone(), two.product.clone()],
        has_host,
    });
    shared.collect()
}

fn between_catalogue_and(other: &OtherUpstream) -> Vec<SharedOperation> {
    let Ok(catalogue) = Catalogue::built_in() else {
        return Vec::new();
    };
    let Some(owner) = catalogue.product_of(&other.version) else {
        return Vec::new();
    };
    let of_version = catalogue
        .operations()
        .filter(|one| one.version() == other.version);
    let shared = of_version.filter(|one| {
        other.serves_all() || other.actions.iter().any(|action| action == one.action())
    });
    let shared = shared.map(|one| SharedOperation {
        version: other.version.clone(),
        action: one.action().to_owned(),
        products: [owner.code().to_owned(), other.product.clone()],
        has_host: !other.hosts.is_empty(),
    });
    shared.collect()
}
