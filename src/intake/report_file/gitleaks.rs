//! A finding of gitleaks' JSON report.

use serde::Deserialize;

use super::entry::{EntryReports, parse_instant};
use crate::reported_match;
use akgate_rules::leak::LeakPlace;

#[derive(Deserialize)]
pub(super) struct GitleaksFinding {
    #[serde(default, rename = "RuleID")]
    rule: String,
    #[serde(rename = "Secret")]
    secret: String,
    #[serde(default, rename = "File")]
    file: Option<String>,
    #[serde(default, rename = "Commit")]
    commit: Option<String>,
    #[serde(default, rename = "Link")]
    link: Option<String>,
    #[serde(default, rename = "Date")]
    date: Option<String>,
}

impl GitleaksFinding {
    pub fn reports(self) -> EntryReports {
        let place = LeakPlace::new(
            self.link.as_deref(),
            self.commit.as_deref(),
            self.file.as_deref(),
        );
        let first_seen = self.date.as_deref().and_then(parse_instant);
        Ok(reported_match::reports_from_finding(
            &self.secret,
            &self.rule,
            &place,
            first_seen,
        ))
    }
}
