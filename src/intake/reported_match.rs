//! The body of a signed delivery: an array of matches. One that cannot be read does not affect the others.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::refusal::DeliveryRefusal;
use akgate_rules::leak::LeakPlace;
use akgate_scan::{
    Credential, SecretLengths,
    text::{Vouch, find_credentials},
};
use akgate_state::leaks::record::{LeakReport, RecordedReport};

/// A match, as GitHub and GitLab send it, with its place in `url` or `location`. Other members are ignored.
#[derive(Deserialize)]
pub struct ReportedMatch<'b> {
    #[serde(borrow)]
    token: Cow<'b, str>,
    #[serde(default, borrow, rename = "type", deserialize_with = "optional_text")]
    kind: Option<Cow<'b, str>>,
    #[serde(default, borrow, deserialize_with = "optional_text")]
    url: Option<Cow<'b, str>>,
    #[serde(default, borrow, deserialize_with = "optional_text")]
    location: Option<Cow<'b, str>>,
}

/// Reads a string; any other type counts as absent.
fn optional_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'de, str>>, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// What became of a match, for the response to the source.
#[derive(Debug, Serialize)]
pub struct MatchFeedback<'b> {
    token_hash: String,
    token_type: &'b str,
    label: &'static str,
}

/// The matches of a body, and how many of them cannot be read.
///
/// # Errors
/// [`DeliveryRefusal::Malformed`] where it is no array.
pub fn parse_matches(body: &[u8]) -> Result<(Vec<ReportedMatch<'_>>, usize), DeliveryRefusal> {
    let raw: Vec<&RawValue> = serde_json::from_slice(body)
        .map_err(|_| DeliveryRefusal::Malformed("the body must be a JSON array of objects"))?;
    let count = raw.len();
    let matches: Vec<ReportedMatch<'_>> = raw
        .into_iter()
        .filter_map(|one| serde_json::from_str(one.get()).ok())
        .collect();
    let bad = count - matches.len();
    Ok((matches, bad))
}

impl<'b> ReportedMatch<'b> {
    /// The reports of a match: an id and a secret next to each other are an access key.
    #[must_use]
    pub fn reports(&self, lengths: SecretLengths) -> Vec<LeakReport> {
        let address = self.url.as_deref().or(self.location.as_deref());
        reports_from_token(&self.token, &LeakPlace::new(address, None, None), lengths)
    }

    /// What became of a match, derived from its reports.
    #[must_use]
    pub fn label<'r>(
        &self,
        recorded: impl IntoIterator<Item = &'r RecordedReport>,
    ) -> MatchFeedback<'_> {
        let is_real = recorded
            .into_iter()
            .any(|one| one.is_known || one.proof.restricts());
        MatchFeedback {
            token_hash: hex::encode(Sha256::digest(self.token.as_bytes())),
            token_type: self.kind.as_deref().unwrap_or_default(),
            label: if is_real {
                "true_positive"
            } else {
                "false_positive"
            },
        }
    }
}

/// The reports of a text that a source says is a credential.
#[must_use]
pub fn reports_from_token(
    token: &str,
    place: &LeakPlace,
    lengths: SecretLengths,
) -> Vec<LeakReport> {
    pair_credentials(find_credentials(token, Vouch::Source, lengths), place)
}

/// A text of a scanner's finding.
#[derive(Debug, Clone, Copy)]
pub struct QuotedText<'t> {
    text: &'t str,
    is_match: bool,
}

impl<'t> QuotedText<'t> {
    /// What the scanner calls a secret.
    #[must_use]
    pub fn matched(text: &'t str) -> Self {
        Self {
            text,
            is_match: true,
        }
    }

    /// What it quotes around it.
    #[must_use]
    pub fn around(text: &'t str) -> Self {
        Self {
            text,
            is_match: false,
        }
    }
}

/// Whether a rule of a scanner is about AccessKeys of Alibaba Cloud.
#[must_use]
pub fn names_alibaba(rule: &str) -> bool {
    let rule = rule.to_lowercase();
    ["alibaba", "aliyun", "alicloud", "阿里"]
        .iter()
        .any(|name| rule.contains(name))
}

/// The reports of a finding of a scanner. If its rule is about Alibaba Cloud keys, the scanner decides what is a secret;
/// scanners also find many other things. What the texts say together counts as well: an id in one of them vouches for a
/// secret in another.
#[must_use]
pub fn reports_from_quotes(
    quotes: &[QuotedText<'_>],
    rule: &str,
    place: &LeakPlace,
    first_seen: Option<OffsetDateTime>,
    lengths: SecretLengths,
) -> Vec<LeakReport> {
    let is_ours = names_alibaba(rule);
    let mut found: Vec<Credential> = Vec::new();
    let mut add = |text: &str, vouch| {
        for credential in find_credentials(text, vouch, lengths) {
            if !found.iter().any(|known| known.equals(&credential)) {
                found.push(credential);
            }
        }
    };
    for quote in quotes {
        let vouch = match (quote.is_match, is_ours) {
            (true, true) => Vouch::Source,
            (true, false) => Vouch::Scanner,
            (false, _) => Vouch::Nobody,
        };
        add(quote.text, vouch);
    }
    if quotes.len() > 1 {
        let texts: Vec<&str> = quotes.iter().map(|quote| quote.text).collect();
        add(&texts.join("\n"), Vouch::Nobody);
    }
    let mut reports = pair_credentials(found, place);
    for report in &mut reports {
        report.first_seen = first_seen;
    }
    reports
}

fn pair_credentials(credentials: Vec<Credential>, place: &LeakPlace) -> Vec<LeakReport> {
    let (mut ids, mut secrets) = (Vec::new(), Vec::new());
    for credential in credentials {
        match credential {
            Credential::Id(id) => ids.push(id),
            Credential::Secret(secret) => secrets.push(secret),
        }
    }
    let report = |access_key_id, secret| LeakReport {
        access_key_id,
        secret,
        place: place.clone(),
        ..LeakReport::default()
    };
    if let ([id], [secret]) = (ids.as_slice(), secrets.as_slice()) {
        return vec![report(Some(id.clone()), Some(secret.clone()))];
    }
    let ids = ids.into_iter().map(|id| report(Some(id), None));
    let secrets = secrets.into_iter().map(|secret| report(None, Some(secret)));
    ids.chain(secrets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(body: &str) -> Result<(Vec<String>, usize), DeliveryRefusal> {
        let (matches, bad) = parse_matches(body.as_bytes())?;
        Ok((
            matches.iter().map(|one| one.token.to_string()).collect(),
            bad,
        ))
    }

    #[test]
    fn body_must_be_an_array_and_may_be_empty() {
        assert_eq!(tokens("[]"), Ok((vec![], 0)));
        for body in [
            "{}",
            "",
            "null",
            "[",
            "[{}",
            "\"x\"",
            "{\"token\":\"x\"}",
            "\u{feff}[]",
        ] {
            assert!(
                matches!(tokens(body), Err(DeliveryRefusal::Malformed(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn bad_element_does_not_fail_the_others() {
        let body = r#"[
            {"token":"a","type":"t","url":"u","source":"commit"},
            {"type":"t"},
            {"token":7},
            null,
            [],
            {"token":"b","type":7,"url":null,"more":{"deep":[1]}},
            {"token":"c","token":"d"},
            {"token":"\u0065\ud83d\ude00"}
        ]"#;
        let expected = vec!["a".to_owned(), "b".to_owned(), "e😀".to_owned()];
        assert_eq!(tokens(body), Ok((expected, 5)));
    }

    #[test]
    fn id_and_secret_in_one_token_are_reported_together() {
        let id = "LTAI5tFakeKeyForTestsOnly01";
        let secret = "FakeSecretForTestsOnly0123abcD";
        let told = |token: &str| -> Vec<(bool, bool)> {
            let reports =
                reports_from_token(token, &LeakPlace::default(), SecretLengths::default());
            let shown = |one: &LeakReport| (one.access_key_id.is_some(), one.secret.is_some());
            reports.iter().map(shown).collect()
        };
        assert_eq!(told(&format!("{id}:{secret}")), [(true, true)]);
        assert_eq!(told(id), [(true, false)]);
        assert_eq!(told(secret), [(false, true)]);
        assert_eq!(
            told(&format!("{id} {id}x {secret}")),
            [(true, false), (true, false), (false, true)]
        );
        let plain = "FakeNoDYFJEeAgYzQJjOIfPkzSrAsQ";
        assert_eq!(told(&format!("{id}:{plain}")), [(true, true)]);
        assert_eq!(told(&format!("{id}{secret}")), [(true, true)]);
        assert_eq!(told(plain), [(false, true)]);
        assert!(told("some_token").is_empty());
    }
}
