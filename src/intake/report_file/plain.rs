//! Findings as we would write them: CSV with a header line, or NDJSON, of the same members.

use std::io::Read;

use serde::Deserialize;

use super::entry::{EntryReports, ReportEntry, parse_instant};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    leak::LeakPlace,
};
use akgate_state::{
    directory::import::{InvalidLine, describe_csv_error},
    leaks::record::LeakReport,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlainFinding {
    #[serde(default)]
    access_key_id: Option<String>,
    #[serde(default)]
    access_key_secret: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    first_seen: Option<String>,
}

impl PlainFinding {
    pub fn reports(self) -> EntryReports {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let access_key_id = given(self.access_key_id)
            .map(|text| AccessKeyId::parse(text.trim()))
            .transpose()
            .map_err(|fault| format!("access_key_id: {fault}"))?;
        let secret =
            given(self.access_key_secret).map(|text| AccessKeySecret::new(text.trim().to_owned()));
        if access_key_id.is_none() && secret.is_none() {
            return Err("access_key_id or access_key_secret is required".to_owned());
        }
        let first_seen = given(self.first_seen)
            .map(|text| parse_instant(&text).ok_or("first_seen must be an RFC 3339 time"))
            .transpose()?;
        Ok(vec![LeakReport {
            access_key_id,
            secret,
            reference: None,
            place: LeakPlace::new(
                self.url.as_deref(),
                self.commit.as_deref(),
                self.path.as_deref(),
            ),
            first_seen,
        }])
    }
}

/// Reads CSV.
pub(super) fn read_csv<'r>(input: impl Read + 'r) -> Box<dyn Iterator<Item = ReportEntry> + 'r> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(input);
    let mut is_over = false;
    let next = move || {
        if is_over {
            return None;
        }
        let rejected = |line, reason, text| {
            let bad = InvalidLine { line, reason };
            Some(ReportEntry::Rejected { bad, text })
        };
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(fault) => {
                is_over = true;
                return rejected(1, describe_csv_error(&fault), Vec::new());
            }
        };
        let mut record = csv::StringRecord::new();
        match reader.read_record(&mut record) {
            Ok(false) => None,
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                let told = record
                    .deserialize::<PlainFinding>(Some(&header))
                    .map_err(|fault| describe_csv_error(&fault))
                    .and_then(PlainFinding::reports);
                match told {
                    Ok(reports) => Some(ReportEntry::Reports(reports)),
                    Err(reason) => rejected(line, reason, csv_record_text(&record)),
                }
            }
            Err(fault) => {
                let line = fault.position().map_or(0, csv::Position::line);
                is_over = matches!(fault.kind(), csv::ErrorKind::Io(_));
                rejected(line, describe_csv_error(&fault), csv_record_text(&record))
            }
        }
    };
    Box::new(std::iter::from_fn(next))
}

fn csv_record_text(record: &csv::StringRecord) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory cannot fail.
    writer.write_record(record).ok();
    let mut text = writer.into_inner().unwrap_or_default();
    while text.last().is_some_and(|byte| *byte == b'\n') {
        text.pop();
    }
    text
}
