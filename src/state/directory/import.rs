//! Reading AccessKeys from a file: CSV with a header line, or NDJSON. A line that cannot be read is a
//! fault of its own; the others are read all the same.

use std::io::{BufRead, Read};

use serde::Deserialize;

use super::{
    KeyRecord,
    contacts::{Contact, Language},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    evidence::sanitize_text,
};

akgate_rules::text_enum! {
    /// The format of a file.
    pub enum FileFormat {
        /// A header line, then an access key per line.
        Csv = "csv",
        /// A JSON object per line.
        Ndjson = "ndjson",
    }
}

impl FileFormat {
    /// The format that a file's name suggests.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// An access key, and who is written to when it leaks.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// The key.
    pub record: KeyRecord,
    /// The id that the IAM has its RAM user under, where it is given.
    pub user_id: Option<String>,
    /// A contact of its account.
    pub contact: Option<Contact>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct InvalidLine {
    /// Counted from 1.
    pub line: u64,
    /// What is wrong with it; never what it holds.
    pub reason: String,
}

/// The members of a line, in both forms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportFields {
    account_id: String,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
    access_key_id: String,
    access_key_secret: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    owner_email: Option<String>,
    #[serde(default)]
    owner_language: Option<String>,
    #[serde(default)]
    owner_rank: Option<String>,
}

/// Reads a file line by line, so that its size does not matter.
pub fn read_rows<'r>(
    form: FileFormat,
    input: impl BufRead + 'r,
) -> Box<dyn Iterator<Item = (u64, Result<ImportRow, InvalidLine>)> + 'r> {
    match form {
        FileFormat::Csv => Box::new(read_csv_rows(input)),
        FileFormat::Ndjson => Box::new(read_ndjson_rows(input)),
    }
}

fn read_csv_rows(input: impl Read) -> impl Iterator<Item = (u64, Result<ImportRow, InvalidLine>)> {
    let reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(input);
    let mut last = 1;
    reader.into_deserialize::<ImportFields>().map(move |read| {
        let line = match &read {
            Ok(_) => last + 1,
            Err(fault) => fault.position().map_or(last + 1, csv::Position::line),
        };
        last = line;
        let row = read
            .map_err(|fault| describe_csv_error(&fault))
            .and_then(ImportFields::row);
        (line, row.map_err(|reason| InvalidLine { line, reason }))
    })
}

/// The fault without the value that it met: it may be a secret.
pub fn describe_csv_error(fault: &csv::Error) -> String {
    match fault.kind() {
        csv::ErrorKind::Deserialize { err, .. } => hide_values(&err.kind().to_string()),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("has {len} fields, the header has {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        csv::ErrorKind::Io(fault) => format!("cannot be read: {fault}"),
        _ => "not CSV".to_owned(),
    }
}

/// What a parser says, where it names members alone; made safe to show, since the file names them.
fn hide_values(said: &str) -> String {
    let names_members = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|start| said.starts_with(start));
    match names_members {
        true => sanitize_text(said),
        false => "a field has the wrong type".to_owned(),
    }
}

fn read_ndjson_rows(
    input: impl BufRead,
) -> impl Iterator<Item = (u64, Result<ImportRow, InvalidLine>)> {
    input.lines().zip(1..).filter_map(|(text, line)| {
        let row = match text {
            Ok(text) if text.trim().is_empty() => return None,
            Ok(text) => serde_json::from_str::<ImportFields>(&text)
                .map_err(|fault| describe_json_error(&fault))
                .and_then(ImportFields::row),
            Err(fault) => Err(format!("cannot be read: {fault}")),
        };
        Some((line, row.map_err(|reason| InvalidLine { line, reason })))
    })
}

/// The fault without the value that it met: it may be a secret.
pub fn describe_json_error(fault: &serde_json::Error) -> String {
    match fault.classify() {
        serde_json::error::Category::Data => {
            let text = fault.to_string();
            hide_values(text.split(" at line ").next().unwrap_or(&text))
        }
        _ => format!("not a JSON object (column {})", fault.column()),
    }
}

impl ImportFields {
    fn row(self) -> Result<ImportRow, String> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if self.account_id.is_empty() || !self.account_id.bytes().all(|b| b.is_ascii_digit()) {
            return Err("account_id must be a decimal number".to_owned());
        }
        let access_key_id = AccessKeyId::parse(&self.access_key_id)
            .map_err(|fault| format!("access_key_id: {fault}"))?;
        if access_key_id.is_session() {
            return Err(
                "access_key_id belongs to a session; only AccessKeys can be imported".to_owned(),
            );
        }
        if self.access_key_secret.is_empty() {
            return Err("access_key_secret is empty".to_owned());
        }
        let status = match given(self.status) {
            None => KeyStatus::Active,
            Some(status) => status
                .parse()
                .map_err(|_| "status must be Active, Inactive or Deleted".to_owned())?,
        };
        let language = match given(self.owner_language) {
            None => Language::English,
            Some(tag) => tag
                .parse()
                .map_err(|_| "owner_language must be en or zh-CN".to_owned())?,
        };
        let rank = match given(self.owner_rank).map(|rank| rank.parse()) {
            None => 1,
            Some(Ok(rank @ 1..=100)) => rank,
            Some(_) => return Err("owner_rank must be 1 to 100".to_owned()),
        };
        let user_id = given(self.user_id);
        if user_id
            .as_ref()
            .is_some_and(|id| !id.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err("user_id must be a decimal number".to_owned());
        }
        let email = given(self.owner_email);
        if let Some(email) = &email {
            email
                .parse::<lettre::Address>()
                .map_err(|_| "owner_email is not an e-mail address".to_owned())?;
        }
        Ok(ImportRow {
            record: KeyRecord {
                access_key_id,
                account_id: self.account_id,
                user_name: given(self.user_name),
                status,
                secret: AccessKeySecret::new(self.access_key_secret),
            },
            user_id,
            contact: email.map(|email| Contact {
                email,
                language,
                rank,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: FileFormat, text: &str) -> Vec<Result<(String, Option<String>), String>> {
        read_rows(form, text.as_bytes())
            .map(|(_, row)| match row {
                Ok(row) => Ok((
                    row.record.access_key_id.as_str().to_owned(),
                    row.record.user_name,
                )),
                Err(bad) => Err(bad.to_string()),
            })
            .collect()
    }

    #[test]
    fn import_reads_csv_and_ndjson() {
        let wanted = [
            Ok(("LTAI5tFake1".to_owned(), Some("alice".to_owned()))),
            Ok(("LTAI5tFake2".to_owned(), None)),
        ];
        let csv = "account_id,user_name,access_key_id,access_key_secret,status\n\
                   1,alice,LTAI5tFake1,FakeSecret1,Active\n\
                   1,,LTAI5tFake2,FakeSecret2,\n";
        assert_eq!(read(FileFormat::Csv, csv), wanted);
        let ndjson = r#"{"account_id":"1","user_name":"alice","access_key_id":"LTAI5tFake1","access_key_secret":"FakeSecret1"}

{"account_id":"1","access_key_id":"LTAI5tFake2","access_key_secret":"FakeSecret2","owner_email":"a@example.com","owner_language":"zh-CN"}
"#;
        assert_eq!(read(FileFormat::Ndjson, ndjson), wanted);
    }

    #[test]
    fn bad_line_is_named_by_number_and_hides_no_other() {
        let csv = "account_id,user_name,access_key_id,access_key_secret\n\
                   1,alice,LTAI5tFake1,FakeSecret1\n\
                   x,alice,LTAI5tFake2,FakeSecret2\n\
                   1,alice\n\
                   1,alice,LTAI5tFake3,FakeSecret3\n";
        let rows = read(FileFormat::Csv, csv);
        assert!(rows[0].is_ok() && rows[3].is_ok());
        assert_eq!(
            rows[1],
            Err("line 3: account_id must be a decimal number".to_owned())
        );
        assert_eq!(
            rows[2],
            Err("line 4: has 2 fields, the header has 4".to_owned())
        );
    }

    #[test]
    fn imported_contact_has_a_rank() {
        let ranks = |text: &str| -> Vec<Result<i32, String>> {
            read_rows(FileFormat::Csv, text.as_bytes())
                .map(|(_, row)| match row {
                    Ok(row) => Ok(row.contact.unwrap().rank),
                    Err(bad) => Err(bad.reason),
                })
                .collect()
        };
        let csv = "account_id,access_key_id,access_key_secret,owner_email,owner_rank\n\
                   1,LTAI5tFake1,FakeSecret1,a@example.com,\n\
                   1,LTAI5tFake2,FakeSecret2,b@example.com,2\n\
                   1,LTAI5tFake3,FakeSecret3,c@example.com,0\n";
        let wrong = Err("owner_rank must be 1 to 100".to_owned());
        assert_eq!(ranks(csv), [Ok(1), Ok(2), wrong]);
    }

    #[test]
    fn import_error_never_repeats_a_secret() {
        for (form, text) in [
            (FileFormat::Ndjson, r#"{"access_key_secret":"FakeSecret1""#),
            (
                FileFormat::Ndjson,
                r#"{"account_id":"1","access_key_id":"a b","access_key_secret":"FakeSecret1"}"#,
            ),
            (
                FileFormat::Csv,
                "account_id,access_key_id,access_key_secret,extra\n1,a,FakeSecret1,b\n",
            ),
        ] {
            let fault = read(form, text).remove(0).unwrap_err();
            assert!(!fault.contains("FakeSecret"), "{fault}");
        }
    }
}
