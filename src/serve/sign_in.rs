//! The operators' part of the configuration: the identity provider.

use std::sync::Arc;

use time::Duration;
use zeroize::Zeroizing;

use super::error::ServeError;
use crate::config::{ConfigSecret, OidcSection};
use akgate_admin::{
    oidc::sign_in::SignInService,
    oidc::{OidcProvider, OidcSettings},
};
use akgate_net::https;

/// Makes the provider, where there is one.
pub(crate) fn sign_in_service(
    section: &OidcSection,
) -> Result<Option<Arc<SignInService>>, ServeError> {
    let Some(issuer) = &section.issuer else {
        return Ok(None);
    };
    let secret = ConfigSecret::resolve(
        section.client_secret.as_ref(),
        section.client_secret_file.as_deref(),
    )?;
    let settings = OidcSettings {
        issuer: issuer.clone(),
        client_id: section.client_id.clone().unwrap_or_default(),
        client_secret: secret.map(|secret| Zeroizing::new(secret.expose().to_owned())),
        scopes: section.scopes.join(" "),
        claim: section.claim.clone(),
    };
    Ok(Some(Arc::new(SignInService {
        provider: OidcProvider::new(settings, https::client_config(section.ca.as_deref())?),
        lasts: Duration::hours(section.token_hours.into()),
    })))
}
