//! Credentials in a short text: what a source calls a credential, or what a scanner quotes.

use akgate_rules::access_key::{AccessKeyId, AccessKeySecret};

use crate::{
    judge::Judge,
    search::{Kind, search_text},
    shape::{Credential, MAX_SECRET_LEN, SecretLengths},
};

/// What speaks for a text before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouch {
    /// Nothing: a secret needs a name or an id in the text.
    Nobody,
    /// A scanner calls it a secret of some kind.
    Scanner,
    /// A scanner or a source calls it an AccessKey of Alibaba Cloud.
    Source,
}

/// Finds the credentials in a text, each once, in the order in which they stand there.
#[must_use]
pub fn find_credentials(text: &str, vouch: Vouch, lengths: SecretLengths) -> Vec<Credential> {
    let mut candidates = search_text(text.as_bytes(), lengths);
    for candidate in &mut candidates {
        if let Kind::Secret(looks) = &mut candidate.kind {
            let is_vouched = match vouch {
                Vouch::Nobody => false,
                Vouch::Scanner => looks.has_digit,
                Vouch::Source => true,
            };
            if is_vouched && looks.is_apart {
                looks.vouching.is_named = true;
                looks.vouching.is_hinted = true;
                looks.is_random = true;
            }
        }
    }
    let mut judge = Judge::default();
    for candidate in &candidates {
        judge.add(candidate, 1);
    }
    let found: Vec<Credential> = judge
        .finish()
        .into_iter()
        .map(|one| one.credential)
        .collect();
    let mut credentials: Vec<Credential> = Vec::with_capacity(found.len());
    for credential in found {
        if !credentials.iter().any(|known| known.equals(&credential)) {
            credentials.push(credential);
        }
    }
    let has_secret = credentials.iter().any(|one| one.secret().is_some());
    if vouch == Vouch::Source && !has_secret {
        let parts = text.split(|c: char| c.is_whitespace() || matches!(c, ':' | ';' | ',' | '|'));
        let is_id = |part: &str| credentials.iter().any(|one| one.is_id(part));
        let secrets: Vec<Credential> = parts
            .filter(|part| !is_id(part))
            .filter_map(|part| read_whole(part, lengths))
            .collect();
        credentials.extend(secrets);
    }
    credentials
}

/// A word that is nothing but a secret, whatever it looks like.
fn read_whole(text: &str, lengths: SecretLengths) -> Option<Credential> {
    let text = text.trim();
    let has_length = lengths.contains(text.len())
        || (SecretLengths::STANDARD..=MAX_SECRET_LEN).contains(&text.len());
    let is_secret = has_length
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    is_secret.then(|| Credential::Secret(AccessKeySecret::new(text.to_owned())))
}

impl Credential {
    /// The id, if it is one.
    #[must_use]
    pub fn id(&self) -> Option<&AccessKeyId> {
        match self {
            Self::Id(id) => Some(id),
            Self::Secret(_) => None,
        }
    }

    /// Whether it is this id.
    fn is_id(&self, text: &str) -> bool {
        self.id().is_some_and(|id| id.as_str() == text)
    }

    /// The secret, if it is one.
    #[must_use]
    pub fn secret(&self) -> Option<&AccessKeySecret> {
        match self {
            Self::Secret(secret) => Some(secret),
            Self::Id(_) => None,
        }
    }

    /// Whether it is the same one, in constant time for secrets.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Id(id), Self::Id(other)) => id == other,
            (Self::Secret(secret), Self::Secret(other)) => secret.equals(other),
            (Self::Id(_), Self::Secret(_)) | (Self::Secret(_), Self::Id(_)) => false,
        }
    }
}
