//! A finding of TruffleHog's JSON output. Its `Verified` is a hint: the detector for Alibaba asks ECS, so a good key
//! without rights there is "unverified".

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::entry::{EntryReports, parse_instant};
use crate::reported_match;
use akgate_rules::{access_key::AccessKeyId, leak::LeakPlace};

#[derive(Deserialize)]
pub(super) struct TrufflehogFinding {
    #[serde(default, rename = "SourceMetadata")]
    metadata: SourceMetadata,
    #[serde(default, rename = "DetectorName")]
    detector: String,
    #[serde(default, rename = "Raw")]
    raw: String,
    #[serde(default, rename = "RawV2")]
    raw_v2: String,
}

#[derive(Default, Deserialize)]
struct SourceMetadata {
    /// By the kind of source: Git, Github, Filesystem, …
    #[serde(default, rename = "Data")]
    data: HashMap<String, HashMap<String, Value>>,
}

impl TrufflehogFinding {
    pub fn reports(self) -> EntryReports {
        let about = self.metadata.data.values().next();
        let text = |name: &str| about?.get(name)?.as_str();
        let place = LeakPlace::new(
            text("link").or_else(|| text("repository")),
            text("commit"),
            text("file"),
        );
        let first_seen = text("timestamp").and_then(|at| parse_instant(&at.replacen(' ', "T", 1)));
        // Some versions write the id and the secret after it without anything between.
        let pair = AccessKeyId::parse(&self.raw)
            .is_ok()
            .then(|| self.raw_v2.strip_prefix(&self.raw))
            .flatten();
        let shown = match pair {
            Some(secret) => format!("{} {secret}", self.raw),
            None => format!("{} {}", self.raw, self.raw_v2),
        };
        Ok(reported_match::reports_from_finding(
            &shown,
            &self.detector,
            &place,
            first_seen,
        ))
    }
}
