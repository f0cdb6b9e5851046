//! SARIF 2.1.0, of any scanner: what it quotes in messages and snippets.

use serde_json::Value;

use super::{
    fields::{all_texts, elements, first_text, member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;
use percent_encoding::percent_decode_str;

/// How far addresses may depend on each other.
const MAX_BASES: usize = 8;

/// The files of a run that results name by number; of more, the rest are not known.
const MAX_ARTIFACTS: usize = 200_000;

/// What a run says about all its results, which may stand before or after them.
#[derive(Default)]
pub(super) struct SarifRun {
    bases: Value,
    repository: Option<String>,
    revision: Option<String>,
    artifacts: Vec<Value>,
}

impl SarifRun {
    pub fn set_bases(&mut self, bases: Value) {
        self.bases = bases;
    }

    pub fn set_provenance(&mut self, provenance: &Value) {
        self.repository = text(provenance, "0.repositoryUri");
        self.revision = text(provenance, "0.revisionId");
    }

    pub fn add_artifact(&mut self, artifact: &Value) {
        if self.artifacts.len() < MAX_ARTIFACTS {
            let location = member(artifact, "location").cloned();
            self.artifacts.push(location.unwrap_or_default());
        }
    }

    /// The findings of a result: one for each place.
    pub fn findings(&self, result: &Value) -> EntryFindings {
        if !result.is_object() {
            return Err("a field has the wrong type".to_owned());
        }
        if member(result, "locations").is_some_and(|one| !one.is_array() && !one.is_null()) {
            return Err("a field has the wrong type".to_owned());
        }
        let mut rule = texts(result, &["ruleId", "rule.id", "rule.name"]);
        let mut matches = texts(result, &["message.text", "message.markdown"]);
        if let Some(arguments) = member(result, "message.arguments") {
            all_texts(arguments, &mut matches);
        }
        rule.extend(text(result, "message.text"));
        let commit = first_text(
            result,
            &["partialFingerprints.commitSha", "properties.commit"],
        );
        let commit = commit.as_deref().or(self.revision.as_deref());
        let dates = [
            "partialFingerprints.date",
            "provenance.firstDetectionTimeUtc",
            "properties.date",
        ];
        let first_seen = first_text(result, &dates)
            .as_deref()
            .and_then(parse_instant);
        let finding = |place| Finding {
            rule: rule.join(" "),
            matches: Vec::new(),
            context: Vec::new(),
            place,
            first_seen,
        };
        let mut found: Vec<Finding> = Vec::new();
        for location in all_locations(result) {
            let physical = member(location, "physicalLocation").unwrap_or(&Value::Null);
            let place = self.place(physical, commit);
            let snippets = [
                "region.snippet.text",
                "region.snippet.rendered.text",
                "region.snippet.binary",
            ];
            let around = [
                "contextRegion.snippet.text",
                "contextRegion.snippet.rendered.text",
            ];
            let index = match found.iter().position(|one| one.place == place) {
                Some(index) => index,
                None => {
                    found.push(finding(place));
                    found.len() - 1
                }
            };
            if let Some(known) = found.get_mut(index) {
                known.matches.extend(texts(physical, &snippets));
                known.context.extend(texts(physical, &around));
                known.context.extend(texts(location, &["message.text"]));
            }
        }
        if found.is_empty() {
            found.push(finding(self.place(&Value::Null, commit)));
        }
        // What the message quotes stands in the first place.
        if let Some(first) = found.first_mut() {
            first.matches.append(&mut matches);
        }
        Ok(found)
    }

    fn place(&self, physical: &Value, commit: Option<&str>) -> LeakPlace {
        let named = member(physical, "artifactLocation");
        let numbered = member(physical, "artifactLocation.index").and_then(Value::as_u64);
        let numbered = numbered.and_then(|index| self.artifacts.get(usize::try_from(index).ok()?));
        let artifact = [named, numbered]
            .into_iter()
            .flatten()
            .find(|artifact| text(artifact, "uri").is_some());
        let Some(artifact) = artifact else {
            return LeakPlace::new(self.repository.as_deref(), commit, None);
        };
        let uri = text(artifact, "uri").unwrap_or_default();
        let base = text(artifact, "uriBaseId");
        let absolute = match base.filter(|_| !uri.contains("://")) {
            Some(base) => format!("{}{uri}", self.base(&base, MAX_BASES)),
            None => uri.clone(),
        };
        if let Some(path) = absolute.strip_prefix("file://") {
            // In a repository, the path that everybody has; otherwise, the one of the machine.
            let path = match self.repository.is_some() && !uri.contains("://") {
                true => &uri,
                false => path,
            };
            return LeakPlace::new(self.repository.as_deref(), commit, Some(&file_path(path)));
        }
        match absolute.contains("://") {
            true => LeakPlace::new(Some(&absolute), commit, None),
            false => LeakPlace::new(
                self.repository.as_deref(),
                commit,
                Some(&file_path(&absolute)),
            ),
        }
    }

    /// The address that a name stands for; empty if the file does not say.
    fn base(&self, name: &str, depth: usize) -> String {
        let Some(base) = self.bases.get(name).filter(|_| depth > 0) else {
            return String::new();
        };
        let uri = text(base, "uri").unwrap_or_default();
        match text(base, "uriBaseId") {
            Some(outer) if !uri.contains("://") => format!("{}{uri}", self.base(&outer, depth - 1)),
            Some(_) | None => uri,
        }
    }
}

/// Every place that a result names, the most important ones first.
fn all_locations(result: &Value) -> Vec<&Value> {
    let flows = elements(result, "codeFlows")
        .iter()
        .flat_map(|flow| elements(flow, "threadFlows"))
        .flat_map(|flow| elements(flow, "locations"))
        .filter_map(|step| member(step, "location"));
    let stacks = elements(result, "stacks")
        .iter()
        .flat_map(|stack| elements(stack, "frames"))
        .filter_map(|frame| member(frame, "location"));
    elements(result, "locations")
        .iter()
        .chain(elements(result, "relatedLocations"))
        .chain(flows)
        .chain(stacks)
        .collect()
}

/// A path as the file is called; of `file:///C:/x`, `C:/x`.
fn file_path(uri: &str) -> String {
    let path = percent_decode_str(uri).decode_utf8_lossy().into_owned();
    let is_drive = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':')
    };
    match path.strip_prefix('/') {
        Some(rest) if is_drive(rest) => rest.to_owned(),
        _ => path,
    }
}
