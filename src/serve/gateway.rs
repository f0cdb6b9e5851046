//! The gateway's part of the configuration: policy, look-ups, upstreams and their trust.

use std::{sync::Arc, time::Duration};

use http::uri::{Authority, Scheme};
use zeroize::Zeroizing;

use super::ServeError;
use crate::{
    app::{Foundations, GatewaySettings},
    config::{CredentialsChoice, PolicySection, Secret, Sections, UpstreamView},
};
use akgate_gateway::{
    gate::{self, Recommend},
    lookup,
    routes::Trust,
    upstream::{HttpUpstream, Upstream},
};
use akgate_net::https;
use akgate_rules::{
    mac_key::MacKey,
    operation::Product,
    verdict::{Mode, Policy},
};
use akgate_sandbox::Sandbox;

/// Makes the gateway's settings.
pub(super) fn settings(
    sections: &Sections,
    foundations: &Foundations,
) -> Result<GatewaySettings, ServeError> {
    let Sections {
        gateway,
        policy,
        directory,
        upstreams,
        ..
    } = sections;
    let timeout = Duration::from_secs(sections.database.timeout_seconds);
    let mut made = Vec::new();
    let mut listed = Vec::new();
    // One sandbox for all products: what RAM makes, STS must find.
    let sandbox_key = foundations.randomness.mac_key();
    let sandbox = Sandbox::new(
        foundations.pool.clone(),
        sandbox_key.clone(),
        Arc::clone(&foundations.clock),
        Arc::clone(&foundations.randomness),
    );
    let views = [
        (Product::Ram, upstreams.ram.view()),
        (Product::Ims, upstreams.ims.view()),
        (Product::Sts, upstreams.sts.view()),
        (Product::ResourceManager, upstreams.resourcemanager.view()),
    ];
    for other in &upstreams.other {
        for action in &other.actions {
            listed.push((other.product.clone(), other.version.clone(), action.clone()));
        }
    }
    let others = upstreams
        .other
        .iter()
        .map(|other| (Product::from_code(&other.product), other.view()));
    for (product, view) in views.into_iter().chain(others) {
        match view.url {
            None => {}
            Some("sandbox") => {
                let trust = Trust::Identity(sandbox_key.clone());
                made.push((product, Upstream::Sandbox(sandbox.clone()), trust));
            }
            Some(url) => {
                let upstream = Upstream::Http(Box::new(http_upstream(url, view)?));
                made.push((product, upstream, trust(view)?));
            }
        }
    }
    let public = sections.public.url.as_deref().unwrap_or_default();
    let recommend = match &gateway.recommend_url {
        Some(url) => Recommend::Page(url.clone()),
        None if public.is_empty() => Recommend::Nothing,
        None => Recommend::Own(format!(
            "{}/leaked-access-key",
            public.trim_end_matches('/')
        )),
    };
    Ok(GatewaySettings {
        gate: gate::Settings {
            body_limit: gateway.body_limit_bytes,
            body_timeout: Duration::from_secs(gateway.body_timeout_seconds),
            is_mirror: false,
            policy: self::policy(policy),
            profile: policy.profile,
            anonymous: gateway.anonymous.clone(),
            recommend,
            database_timeout: timeout,
        },
        lookup: lookup::Settings {
            cached: directory.cached_keys,
            lookups: directory.lookups,
            negative: Duration::from_secs(directory.negative_seconds),
            timeout,
        },
        nonces_per_key: sections.freshness.nonces_per_key,
        upstreams: made,
        listed,
    })
}

/// The policy as it is configured.
pub(super) fn policy(section: &PolicySection) -> Policy {
    Policy {
        mode: section.mode,
        enforce_from: section.enforce_from.map(|instant| instant.0),
        self_remedy: section.self_remedy,
        refuses_unleased_reads: section.refuse_unleased_reads,
    }
}

/// Makes the settings of a gate that watches beside the path: every product is judged, none is forwarded,
/// and nothing is refused.
pub(super) fn mirror_settings(
    sections: &Sections,
    foundations: &Foundations,
) -> Result<GatewaySettings, ServeError> {
    let mut settings = settings(sections, foundations)?;
    settings.gate.is_mirror = true;
    settings.gate.policy.mode = Mode::Shadow;
    Ok(settings)
}

fn http_upstream(url: &str, view: UpstreamView<'_>) -> Result<HttpUpstream, ServeError> {
    let uri: http::Uri = url
        .parse()
        .map_err(|_| ServeError::Unchecked("upstreams"))?;
    let scheme: Scheme = uri
        .scheme()
        .cloned()
        .ok_or(ServeError::Unchecked("upstreams"))?;
    let authority: Authority = uri
        .authority()
        .cloned()
        .ok_or(ServeError::Unchecked("upstreams"))?;
    let tls = https::trust(view.ca.map(AsRef::as_ref))?;
    let timeout = Duration::from_secs(view.timeout_seconds);
    HttpUpstream::new(scheme, authority, tls, timeout)
        .map_err(|_| ServeError::Unchecked("upstreams"))
}

fn trust(view: UpstreamView<'_>) -> Result<Trust, ServeError> {
    if view.credentials == CredentialsChoice::Keep {
        return Ok(Trust::Signature);
    }
    let key = Secret::resolve(view.identity_key, view.identity_key_file.map(AsRef::as_ref))?
        .ok_or(ServeError::Unchecked("upstreams.identity_key"))?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(key.expose(), &mut *bytes)
        .map_err(|_| ServeError::Unchecked("upstreams.identity_key"))?;
    Ok(Trust::Identity(MacKey::new(bytes)))
}
