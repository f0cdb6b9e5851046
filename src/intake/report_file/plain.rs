//! Findings as we would write them, and as tables of other programs have them: CSV with a header line, or JSON objects,
//! with the same members in any case and spelling. Other members are ignored.

use serde_json::{Map, Value};

use super::finding::Finding;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    leak::LeakPlace,
};
use akgate_scan::{SecretLengths, instant::parse_instant};
use akgate_state::leaks::record::LeakReport;

/// What a column or member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Id,
    Secret,
    /// What a scanner has found, which can be an id, a secret or both.
    Match,
    Context,
    Rule,
    Url,
    Commit,
    Path,
    FirstSeen,
}

impl Role {
    /// The role of a name.
    pub fn of(name: &str) -> Option<Self> {
        let plain: String = name
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        Some(match plain.as_str() {
            "accesskeyid" | "accesskey" | "accessid" | "akid" | "ak" | "keyid" | "访问密钥id"
            | "密钥id" => Self::Id,
            "accesskeysecret" | "secretaccesskey" | "secretkey" | "accesssecret" | "aksecret"
            | "keysecret" | "sk" | "访问密钥" | "密钥" | "访问密钥secret" => Self::Secret,
            "secret" | "offender" | "raw" | "rawv2" | "secretvalue" | "token" | "credential" => {
                Self::Match
            }
            "match" | "line" | "context" | "snippet" | "extract" => Self::Context,
            "ruleid" | "rule" | "secrettype" | "detectorname" | "detector" | "type" => Self::Rule,
            "url" | "link" | "htmlurl" | "leakurl" | "alerturl" | "permalink" | "地址" => {
                Self::Url
            }
            "commit" | "commitsha" | "commithash" | "commitid" | "sha" | "revision" => Self::Commit,
            "path" | "file" | "filepath" | "filename" | "文件" | "路径" => Self::Path,
            "firstseen" | "date" | "createdat" | "created" | "detectedat" | "firstdetected"
            | "discoveredat" | "timestamp" | "time" | "时间" | "日期" => Self::FirstSeen,
            _ => return None,
        })
    }

    /// Whether a file with such a column or member is a list of findings.
    pub fn shows_findings(self) -> bool {
        matches!(self, Self::Id | Self::Secret)
    }
}

/// A row, an object.
#[derive(Default)]
pub(super) struct PlainFinding {
    members: Vec<(Role, String)>,
}

impl PlainFinding {
    /// Takes a value of a role; one that is empty is absent.
    pub fn set(&mut self, role: Role, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.members.push((role, text.to_owned()));
        }
    }

    /// Reads an object.
    pub fn of_object(members: &Map<String, Value>) -> Result<Self, String> {
        let mut finding = Self::default();
        for (name, value) in members {
            match (Role::of(name), value) {
                (None, _) | (_, Value::Null) => {}
                (Some(role), Value::String(text)) => finding.set(role, text),
                (Some(role), Value::Number(number)) => finding.set(role, &number.to_string()),
                (Some(Role::Id | Role::Secret), _) => {
                    return Err("a field has the wrong type".to_owned());
                }
                (Some(_), _) => {}
            }
        }
        Ok(finding)
    }

    fn first(&self, role: Role) -> Option<&str> {
        self.all(role).next()
    }

    fn all(&self, role: Role) -> impl Iterator<Item = &str> {
        self.members
            .iter()
            .filter(move |(own, _)| *own == role)
            .map(|(_, text)| text.as_str())
    }

    /// The reports. A scanner's row is read as its finding; one of ours says itself what is the id and the secret.
    pub fn reports(&self, lengths: SecretLengths) -> Result<Vec<LeakReport>, String> {
        let first_seen = self
            .first(Role::FirstSeen)
            .map(|text| {
                parse_instant(text)
                    .ok_or("first_seen must be a date or time, such as 2026-10-01T10:00:00Z")
            })
            .transpose()?;
        let place = LeakPlace::new(
            self.first(Role::Url),
            self.first(Role::Commit),
            self.first(Role::Path),
        );
        let owned = |role| self.all(role).map(str::to_owned).collect();
        if self.first(Role::Id).is_none()
            && self.first(Role::Secret).is_none()
            && self.first(Role::Match).is_some()
        {
            let finding = Finding {
                rule: self.all(Role::Rule).collect::<Vec<_>>().join(" "),
                matches: owned(Role::Match),
                context: owned(Role::Context),
                place,
                first_seen,
            };
            return finding.reports(lengths);
        }
        let access_key_id = self
            .first(Role::Id)
            .map(AccessKeyId::parse)
            .transpose()
            .map_err(|fault| format!("access_key_id: {fault}"))?;
        let secret = self.first(Role::Secret).or_else(|| self.first(Role::Match));
        if access_key_id.is_none() && secret.is_none() {
            return Err("access_key_id or access_key_secret is required".to_owned());
        }
        Ok(vec![LeakReport {
            access_key_id,
            secret: secret.map(|text| AccessKeySecret::new(text.to_owned())),
            reference: None,
            place,
            first_seen,
        }])
    }
}
