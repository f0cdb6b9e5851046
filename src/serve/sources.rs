//! The intake's part of the configuration: who reports leaks, and how each is known.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Uri};
use sha2::{Digest, Sha256};

use super::ServeError;
use crate::{
    app::IntakeSettings,
    config::{RevocationSource, Secret, Sections, SignedSource},
};
use akgate_intake::{Door, Fetch, Revoker, SignedOrigin};
use akgate_net::https;
use akgate_state::leaks::record::Suspicions;

const UNCHECKED: ServeError = ServeError::Unchecked("sources");

/// Makes the intake's settings.
pub(super) fn settings(sections: &Sections) -> Result<IntakeSettings, ServeError> {
    let sources = &sections.sources;
    let signed: Result<Vec<_>, _> = sources.signed.iter().map(signed).collect();
    let revokers: Result<Vec<_>, _> = sources.revocation.iter().map(revoker).collect();
    Ok(IntakeSettings {
        timeout: Duration::from_secs(sources.timeout_seconds),
        body_limit: sources.body_limit_bytes,
        body_timeout: Duration::from_secs(sources.body_timeout_seconds),
        room: sources.room_bytes,
        suspicions: suspicions(sections),
        signed: signed?,
        revokers: revokers?,
        door: door(sections)?,
    })
}

/// What becomes of suspicions.
pub(crate) fn suspicions(sections: &Sections) -> Suspicions {
    Suspicions {
        most_per_hour: Some(sections.sources.suspected_per_hour.into()),
        tell_owners: sections.policy.tell_suspected,
    }
}

fn door(sections: &Sections) -> Result<Option<Arc<Door>>, ServeError> {
    let public = &sections.sources.public_report;
    if !public.enabled {
        return Ok(None);
    }
    let url = sections.public.url.as_deref().unwrap_or_default();
    let url: Uri = url.parse().map_err(|_| UNCHECKED)?;
    let host = url.authority().ok_or(UNCHECKED)?.to_string();
    Ok(Some(Door::new(
        host,
        public.per_minute,
        public.per_minute_each,
    )))
}

fn signed(source: &SignedSource) -> Result<(SignedOrigin, Fetch), ServeError> {
    let view = source.view();
    let header = |name: Option<&str>| -> Result<HeaderName, ServeError> {
        name.and_then(|name| name.parse().ok()).ok_or(UNCHECKED)
    };
    let url = view.keys_url.and_then(|url| url.parse().ok());
    let token = Secret::resolve(
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
    let token = token.transpose().map_err(|_| UNCHECKED)?;
    let tls = https::trust(source.ca.as_deref())?;
    let origin = SignedOrigin {
        name: source.name.clone(),
        id_header: header(view.id_header)?,
        signature_header: header(view.signature_header)?,
        id_check: view.id_check,
        feedback: view.feedback,
    };
    Ok((origin, Fetch::new(url.ok_or(UNCHECKED)?, token, tls)))
}

fn revoker(source: &RevocationSource) -> Result<Revoker, ServeError> {
    let token = Secret::resolve(source.token.as_ref(), source.token_file.as_deref())?;
    let token = token.ok_or(UNCHECKED)?;
    Ok(Revoker {
        name: source.name.clone(),
        token_sha256: Sha256::digest(token.expose()).into(),
    })
}
