//! A finding of TruffleHog's JSON output. Its `Verified` is a hint: the detector for Alibaba asks ECS, so a good key
//! without rights there is "unverified".

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Told, instant};
use crate::elements;
use akgate_rules::{access_key::AccessKeyId, leak::Place};

#[derive(Deserialize)]
pub(super) struct Finding {
    #[serde(default, rename = "SourceMetadata")]
    metadata: Metadata,
    #[serde(default, rename = "DetectorName")]
    detector: String,
    #[serde(default, rename = "Raw")]
    raw: String,
    #[serde(default, rename = "RawV2")]
    raw_v2: String,
}

#[derive(Default, Deserialize)]
struct Metadata {
    /// By the kind of source: Git, Github, Filesystem, …
    #[serde(default, rename = "Data")]
    data: HashMap<String, HashMap<String, Value>>,
}

impl Finding {
    pub fn reports(self) -> Told {
        let about = self.metadata.data.values().next();
        let text = |name: &str| about?.get(name)?.as_str();
        let place = Place::new(
            text("link").or_else(|| text("repository")),
            text("commit"),
            text("file"),
        );
        let first_seen = text("timestamp").and_then(|at| instant(&at.replacen(' ', "T", 1)));
        // Some versions write the id and the secret after it without anything between.
        let pair = AccessKeyId::parse(&self.raw)
            .is_ok()
            .then(|| self.raw_v2.strip_prefix(&self.raw))
            .flatten();
        let shown = match pair {
            Some(secret) => format!("{} {secret}", self.raw),
            None => format!("{} {}", self.raw, self.raw_v2),
        };
        Ok(elements::found(&shown, &self.detector, &place, first_seen))
    }
}
