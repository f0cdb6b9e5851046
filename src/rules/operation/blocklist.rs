//! The operations that the profile `strict` refuses by name: `config/profile-strict.csv`.

use std::{
    collections::{HashMap, hash_map},
    str::FromStr,
};

use super::{
    catalogue::Operation,
    table::{DataError, DataFault, is_name, is_version, read_rows},
};

const STRICT_CSV: &str = include_str!("../../../config/profile-strict.csv");
const HEADER: [&str; 5] = ["product", "version", "action", "source", "note"];
const ANY_ACTION: &str = "*";

/// Operations refused by name, of any product.
#[derive(Debug, Clone)]
pub struct Blocklist {
    // Product codes in lower case, because their case varies between sources.
    by_product: HashMap<Box<str>, HashMap<Box<str>, Actions>>,
}

type Actions = HashMap<Box<str>, ListingSource>;

/// Who says that an operation belongs on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListingSource {
    /// The help page on restrictive protection.
    Page,
    /// Only the vendor's incident-response guide, which the page does not repeat.
    Unofficial,
}

/// An operation that is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlocklistEntry<'a> {
    /// Product code, in lower case.
    pub product: &'a str,
    /// API version.
    pub version: &'a str,
    /// Action; `*` for all of the version.
    pub action: &'a str,
}

impl Blocklist {
    /// The list of the profile `strict` that comes with this build.
    ///
    /// # Errors
    /// [`DataError`] if the embedded data is wrong; the tests check it.
    pub fn strict() -> Result<Self, DataError> {
        Self::parse(STRICT_CSV)
    }

    /// Reads a list: columns product, version, action (`*`: all of the version), source, note.
    ///
    /// # Errors
    /// [`DataError`] with the line of the first fault.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let mut list = Self {
            by_product: HashMap::new(),
        };
        for row in read_rows(text, HEADER)? {
            list.add(row.fields).map_err(|fault| fault.at(row.line))?;
        }
        Ok(list)
    }

    /// Who lists this operation, where anyone does. Version and action are compared exactly.
    #[must_use]
    pub fn source_of(&self, operation: &Operation) -> Option<ListingSource> {
        let product = operation.product().code().to_ascii_lowercase();
        let actions = self.by_product.get(&*product)?.get(operation.version())?;
        actions
            .get(ANY_ACTION)
            .or_else(|| actions.get(operation.action()))
            .copied()
    }

    /// Whether this operation is listed.
    #[must_use]
    pub fn lists(&self, operation: &Operation) -> bool {
        self.source_of(operation).is_some()
    }

    /// What it lists, in no order.
    pub fn entries(&self) -> impl Iterator<Item = BlocklistEntry<'_>> {
        self.by_product.iter().flat_map(|(product, versions)| {
            versions.iter().flat_map(move |(version, actions)| {
                actions.keys().map(move |action| BlocklistEntry {
                    product,
                    version,
                    action,
                })
            })
        })
    }

    fn add(&mut self, fields: [&str; 5]) -> Result<(), DataFault> {
        let [product, version, action, source, _note] = fields;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if product.is_empty() || !product.bytes().all(plain) {
            return Err(DataFault::ProductCode(product.to_owned()));
        }
        if !is_version(version) {
            return Err(DataFault::Version(version.to_owned()));
        }
        if action != ANY_ACTION && !is_name(action) {
            return Err(DataFault::Action(action.to_owned()));
        }
        let source = source.parse()?;
        let actions = self
            .by_product
            .entry(product.to_ascii_lowercase().into())
            .or_default()
            .entry(version.into())
            .or_default();
        match actions.entry(action.into()) {
            hash_map::Entry::Occupied(_) => Err(DataFault::Duplicate {
                version: version.to_owned(),
                action: action.to_owned(),
            }),
            hash_map::Entry::Vacant(free) => {
                free.insert(source);
                Ok(())
            }
        }
    }
}

impl FromStr for ListingSource {
    type Err = DataFault;

    /// Reads `page` or `unofficial`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "page" => Ok(Self::Page),
            "unofficial" => Ok(Self::Unofficial),
            other => Err(DataFault::Source(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Catalogue;

    fn source(product: &str, version: &str, action: &str) -> Option<ListingSource> {
        let catalogue = Catalogue::built_in().unwrap();
        let operation = catalogue
            .operation(version, action)
            .unwrap_or_else(|| catalogue.foreign(product, version, action).unwrap());
        Blocklist::strict().unwrap().source_of(&operation)
    }

    #[test]
    fn strict_list_has_every_row_of_its_sources() {
        let list = Blocklist::strict().unwrap();
        let count = |wanted| {
            list.by_product
                .values()
                .flat_map(HashMap::values)
                .flat_map(HashMap::values)
                .filter(|source| **source == wanted)
                .count()
        };
        // RAM and IMS as a whole, 79 operations of others; three line record sets.
        assert_eq!(count(ListingSource::Page), 2 + 79);
        assert_eq!(count(ListingSource::Unofficial), 3);
    }

    #[test]
    fn strict_list_knows_products_by_their_codes() {
        for (product, version, action) in [
            ("Ecs", "2014-05-26", "RunInstances"),
            ("ECS", "2014-05-26", "RunInstances"),
            ("Eci", "2018-08-08", "CreateContainerGroup"),
            ("Dysmsapi", "2017-05-25", "SendSms"),
            ("ecd", "2020-09-30", "GetConnectionTicket"),
            ("PTS", "2019-08-10", "SaveScene"),
            ("PTS", "2020-10-20", "SavePtsScene"),
            ("Rds", "2014-08-15", "DescribeBackups"),
            ("Dbs", "2021-01-01", "CreateDownload"),
            ("Alidns", "2015-01-09", "DeleteDomain"),
            ("BssOpenApi", "2017-12-14", "RefundInstance"),
            ("EhpcInstant", "2023-07-01", "CreateJob"),
            ("EHPC", "2024-07-30", "CreateCluster"),
            ("dms-enterprise", "2018-11-01", "CreateOrder"),
            ("RAM", "2015-05-01", "ListUsers"),
            ("IMS", "2019-08-15", "NoSuchAction"),
        ] {
            let found = source(product, version, action);
            assert_eq!(found, Some(ListingSource::Page), "{product} {action}");
        }
        let unofficial = source("Alidns", "2015-01-09", "CreateAlidnsLineRecordSet");
        assert_eq!(unofficial, Some(ListingSource::Unofficial));
    }

    #[test]
    fn strict_list_contains_nothing_else() {
        for (product, version, action) in [
            ("Ecs", "2014-05-26", "DescribeInstances"),
            ("Ecs", "2014-05-26", "runInstances"),
            ("Ecs", "2099-05-26", "RunInstances"),
            ("Vpc", "2014-05-26", "RunInstances"),
            ("STS", "2015-04-01", "AssumeRole"),
            ("ResourceManager", "2020-03-31", "CreatePolicy"),
        ] {
            assert_eq!(source(product, version, action), None, "{product} {action}");
        }
    }

    #[test]
    fn blocklist_errors_name_their_line() {
        for (row, message) in [
            (
                "Ecs,2014-05-26,A,page",
                "line 2: the row has 4 columns; it must have 5",
            ),
            (",2014-05-26,A,page,", "line 2: `` is not a product code"),
            (
                "E cs,2014-05-26,A,page,",
                "line 2: `E cs` is not a product code",
            ),
            (
                "Ecs,2014,A,page,",
                "line 2: `2014` is not a version: YYYY-MM-DD",
            ),
            ("Ecs,2014-05-26,A*,page,", "line 2: `A*` is not an action"),
            (
                "Ecs,2014-05-26,A,web,",
                "line 2: `web` is not a source: use page or unofficial",
            ),
            (
                "Ecs,2014-05-26,A,page,\nECS,2014-05-26,A,page,",
                "line 3: 2014-05-26 A is listed twice",
            ),
        ] {
            let text = format!("product,version,action,source,note\n{row}");
            assert_eq!(Blocklist::parse(&text).unwrap_err().to_string(), message);
        }
    }
}
