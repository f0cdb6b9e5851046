//! A result of a SARIF 2.1.0 log: what a scanner quotes in its snippets and messages.

use serde::Deserialize;

use super::{entry::EntryReports, json::PathStep};
use crate::reported_match;
use akgate_rules::leak::LeakPlace;

/// Where the results are: `runs[*].results[*]`.
pub(super) const RESULTS_PATH: &[PathStep] = &[
    PathStep::Member("runs"),
    PathStep::Array,
    PathStep::Member("results"),
    PathStep::Array,
];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SarifResult {
    rule_id: String,
    message: SarifMessage,
    locations: Vec<SarifLocation>,
    partial_fingerprints: PartialFingerprints,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SarifMessage {
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SarifLocation {
    physical_location: PhysicalLocation,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: SarifRegion,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ArtifactLocation {
    uri: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SarifRegion {
    snippet: SarifMessage,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PartialFingerprints {
    commit_sha: Option<String>,
}

impl SarifResult {
    pub fn reports(self) -> EntryReports {
        let commit = self.partial_fingerprints.commit_sha.as_deref();
        let mut reports = Vec::new();
        for location in &self.locations {
            let physical = &location.physical_location;
            let uri = physical.artifact_location.uri.as_deref();
            let is_address = uri.is_some_and(|uri| uri.contains("://"));
            let (url, path) = match is_address {
                true => (uri, None),
                false => (None, uri),
            };
            let place = LeakPlace::new(url, commit, path);
            let snippet = &physical.region.snippet.text;
            reports.extend(reported_match::reports_from_finding(
                snippet,
                &self.rule_id,
                &place,
                None,
            ));
            reports.extend(reported_match::reports_from_finding(
                &self.message.text,
                "",
                &place,
                None,
            ));
        }
        if self.locations.is_empty() {
            let place = LeakPlace::new(None, commit, None);
            reports = reported_match::reports_from_finding(&self.message.text, "", &place, None);
        }
        Ok(reports)
    }
}
