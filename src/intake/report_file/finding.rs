//! A finding of a scanner, as all readers of report files understand it.

use akgate_rules::leak::LeakPlace;
use akgate_scan::SecretLengths;
use akgate_state::leaks::record::LeakReport;
use time::OffsetDateTime;

use crate::reported_match::{QuotedText, reports_from_quotes};

/// What a scanner has found in one place.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// The names of its rule.
    pub rule: String,
    /// What it calls the secret.
    pub matches: Vec<String>,
    /// What it quotes around it.
    pub context: Vec<String>,
    /// Where.
    pub place: LeakPlace,
    /// When.
    pub first_seen: Option<OffsetDateTime>,
}

/// What an entry of a report file says, or what is wrong with it, without its content.
pub(super) type EntryFindings = Result<Vec<Finding>, String>;

impl Finding {
    /// The reports of a finding.
    pub fn reports(&self, lengths: SecretLengths) -> Result<Vec<LeakReport>, String> {
        let matches = self.matches.iter().map(|text| QuotedText::matched(text));
        let context = self.context.iter().map(|text| QuotedText::around(text));
        let quotes: Vec<QuotedText<'_>> = matches.chain(context).collect();
        let reports =
            reports_from_quotes(&quotes, &self.rule, &self.place, self.first_seen, lengths);
        if reports.is_empty() && self.is_redacted() {
            return Err(
                "the scanner has redacted the secret: let it print secrets in full".to_owned(),
            );
        }
        Ok(reports)
    }

    /// Whether the secret of an AccessKey stood here.
    fn is_redacted(&self) -> bool {
        let is_mask = |text: &String| {
            text.contains("***") || text.contains("REDACTED") || text == "requires login"
        };
        let is_ours = crate::reported_match::names_alibaba(&self.rule);
        is_ours && !self.matches.is_empty() && self.matches.iter().any(is_mask)
    }
}
