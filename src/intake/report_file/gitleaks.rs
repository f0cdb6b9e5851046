//! A finding of gitleaks' JSON report.

use serde::Deserialize;

use super::{Told, instant};
use crate::elements;
use akgate_rules::leak::Place;

#[derive(Deserialize)]
pub(super) struct Finding {
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

impl Finding {
    pub fn reports(self) -> Told {
        let place = Place::new(
            self.link.as_deref(),
            self.commit.as_deref(),
            self.file.as_deref(),
        );
        let first_seen = self.date.as_deref().and_then(instant);
        Ok(elements::found(
            &self.secret,
            &self.rule,
            &place,
            first_seen,
        ))
    }
}
