//! The intake's part of the configuration: the sources of leak reports and their authentication.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Uri};
use sha2::{Digest, Sha256};

use super::error::ServeError;
use crate::{
    app::IntakeSettings,
    config::{ConfigSecret, ConfigSections, RevocationSource, SignedSource},
};
use akgate_intake::{DeliveryContract, PublicReporting, SigningKeyFetcher, TokenSource};
use akgate_net::https;
use akgate_scan::SecretLengths;
use akgate_state::leaks::record::SuspicionPolicy;

const UNCHECKED_SOURCES: ServeError = ServeError::Unchecked("sources");

/// Makes the intake's settings.
pub(super) fn intake_settings(sections: &ConfigSections) -> Result<IntakeSettings, ServeError> {
    let sources = &sections.sources;
    let signed: Result<Vec<_>, _> = sources.signed.iter().map(signing_source).collect();
    let token_sources: Result<Vec<_>, _> = sources.revocation.iter().map(token_source).collect();
    Ok(IntakeSettings {
        timeout: Duration::from_secs(sources.timeout_seconds),
        body_limit: sources.body_limit_bytes,
        body_timeout: Duration::from_secs(sources.body_timeout_seconds),
        body_budget: sources.body_budget_bytes,
        suspicions: suspicion_settings(sections),
        descendants: sections.policy.descendants,
        secret_lengths: secret_lengths(sections),
        signing_sources: signed?,
        token_sources: token_sources?,
        public_reporting: public_reporting(sections)?,
    })
}

/// The lengths that secrets have.
pub(crate) fn secret_lengths(sections: &ConfigSections) -> SecretLengths {
    SecretLengths::with(sections.sources.secret_lengths.iter().copied())
}

/// How suspicions are handled.
pub(crate) fn suspicion_settings(sections: &ConfigSections) -> SuspicionPolicy {
    SuspicionPolicy {
        most_per_hour: Some(sections.sources.suspected_per_hour.into()),
        tell_owners: sections.policy.tell_suspected,
    }
}

fn public_reporting(sections: &ConfigSections) -> Result<Option<Arc<PublicReporting>>, ServeError> {
    let public = &sections.sources.public_report;
    if !public.enabled {
        return Ok(None);
    }
    let url = sections.public.url.as_deref().unwrap_or_default();
    let url: Uri = url.parse().map_err(|_| UNCHECKED_SOURCES)?;
    let host = url.authority().ok_or(UNCHECKED_SOURCES)?.to_string();
    Ok(Some(PublicReporting::new(
        host,
        public.per_minute,
        public.per_minute_each,
    )))
}

fn signing_source(
    source: &SignedSource,
) -> Result<(DeliveryContract, SigningKeyFetcher), ServeError> {
    let view = source.view();
    let header = |name: Option<&str>| -> Result<HeaderName, ServeError> {
        name.and_then(|name| name.parse().ok())
            .ok_or(UNCHECKED_SOURCES)
    };
    let url = view.keys_url.and_then(|url| url.parse().ok());
    let token = ConfigSecret::resolve(
        source.keys_token.as_ref(),
        source.keys_token_file.as_deref(),
    )?;
    let token = token.map(|token| {
        let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
        value.map(|mut value| {
            value.set_sensitive(true);
            value
        })
    });
    let token = token.transpose().map_err(|_| UNCHECKED_SOURCES)?;
    let tls = https::client_config(source.ca.as_deref())?;
    let contract = DeliveryContract {
        name: source.name.clone(),
        id_header: header(view.id_header)?,
        signature_header: header(view.signature_header)?,
        id_check: view.id_check,
        feedback: view.feedback,
    };
    Ok((
        contract,
        SigningKeyFetcher::new(url.ok_or(UNCHECKED_SOURCES)?, token, tls),
    ))
}

fn token_source(source: &RevocationSource) -> Result<TokenSource, ServeError> {
    let token = ConfigSecret::resolve(source.token.as_ref(), source.token_file.as_deref())?;
    let token = token.ok_or(UNCHECKED_SOURCES)?;
    Ok(TokenSource {
        name: source.name.clone(),
        token_sha256: Sha256::digest(token.expose()).into(),
    })
}
