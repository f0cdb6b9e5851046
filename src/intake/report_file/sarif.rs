//! A result of a SARIF 2.1.0 log: what a scanner quotes in its snippets and messages.

use serde::Deserialize;

use super::{Told, json::Step};
use crate::elements;
use akgate_rules::leak::Place;

/// Where the results are: `runs[*].results[*]`.
pub(super) const RESULTS: &[Step] = &[
    Step::Member("runs"),
    Step::Array,
    Step::Member("results"),
    Step::Array,
];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Outcome {
    rule_id: String,
    message: Text,
    locations: Vec<Location>,
    partial_fingerprints: Fingerprints,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Text {
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Artifact {
    uri: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Region {
    snippet: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Fingerprints {
    commit_sha: Option<String>,
}

impl Outcome {
    pub fn reports(self) -> Told {
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
            let place = Place::new(url, commit, path);
            let snippet = &physical.region.snippet.text;
            reports.extend(elements::found(snippet, &self.rule_id, &place, None));
            reports.extend(elements::found(&self.message.text, "", &place, None));
        }
        if self.locations.is_empty() {
            let place = Place::new(None, commit, None);
            reports = elements::found(&self.message.text, "", &place, None);
        }
        Ok(reports)
    }
}
