//! Reads the data files under `config/`: a header, then one row per line; `#` starts a comment.
//!
//! Deliberately simpler than CSV: without quotes, no field can contain a comma, and every line is a row.

/// What is wrong with a data file, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct DataError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: DataFault,
}

/// What can be wrong with a line of a data file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataFault {
    /// The first line that is no comment is not the header.
    #[error("the header must be `{0}`")]
    Header(String),
    /// A row has too few or too many columns.
    #[error("the row has {found} columns; it must have {expected}")]
    Columns {
        /// How many the row has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// A field is quoted.
    #[error("quotes are not supported")]
    Quote,
    /// The product is not one of the four that the catalogue lists.
    #[error("`{0}` is not a catalogued product")]
    Product(String),
    /// A product code with an invalid character.
    #[error("`{0}` is not a product code")]
    ProductCode(String),
    /// A version that is not a date.
    #[error("`{0}` is not a version: YYYY-MM-DD")]
    Version(String),
    /// Two products have the same version, or one product has two: `Version` must identify the product.
    #[error(
        "version {version} of {product} conflicts with an earlier row: it is the version of {other}, or {product} has another version"
    )]
    VersionTaken {
        /// The version of this line.
        version: String,
        /// The product of this line.
        product: String,
        /// The product of an earlier line.
        other: String,
    },
    /// An action that is not a valid name.
    #[error("`{0}` is not an action")]
    Action(String),
    /// An unknown effect, or one that means "not listed".
    #[error("`{0}` is not an effect that can be listed")]
    Effect(String),
    /// The column `sensitive` has another value than `yes`, or the operation is not a read.
    #[error("`{0}`: sensitive must be `yes` (only for a read) or empty")]
    Sensitive(String),
    /// A parameter name that is invalid or repeated.
    #[error("`{0}` is not a parameter name, or is repeated")]
    Name(String),
    /// A parameter that may hold a secret.
    #[error("parameter `{0}` may contain a secret and must not be recorded")]
    SecretName(String),
    /// An unknown source.
    #[error("`{0}` is not a source: use page or unofficial")]
    Source(String),
    /// The same operation a second time.
    #[error("{version} {action} is listed twice")]
    Duplicate {
        /// Its version.
        version: String,
        /// Its action.
        action: String,
    },
    /// The file has no rows.
    #[error("there are no rows")]
    Empty,
}

impl DataFault {
    pub(super) fn at(self, line: usize) -> DataError {
        DataError { line, fault: self }
    }
}

/// One row: its line and its fields.
pub(super) struct DataRow<'a, const N: usize> {
    pub line: usize,
    pub fields: [&'a str; N],
}

/// Reads the rows of a text whose header is `header`.
///
/// # Errors
/// [`DataError`] for a missing header, a quote, a wrong number of columns or no row at all.
pub(super) fn read_rows<'a, const N: usize>(
    text: &'a str,
    header: [&str; N],
) -> Result<Vec<DataRow<'a, N>>, DataError> {
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    let first = lines.next().unwrap_or((1, ""));
    if split_fields(first.1).ok() != Some(header) {
        return Err(DataFault::Header(header.join(",")).at(first.0));
    }
    let rows = lines
        .map(|(line, row)| match split_fields(row) {
            Ok(fields) => Ok(DataRow { line, fields }),
            Err(fault) => Err(fault.at(line)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        return Err(DataFault::Empty.at(first.0));
    }
    Ok(rows)
}

fn split_fields<const N: usize>(line: &str) -> Result<[&str; N], DataFault> {
    if line.contains('"') {
        return Err(DataFault::Quote);
    }
    let all: Vec<&str> = line.split(',').collect();
    let found = all.len();
    all.try_into()
        .map_err(|_| DataFault::Columns { found, expected: N })
}

/// Whether this is a version: a date as the field writes them.
pub(super) fn is_version(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether this can name an action or a parameter.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
