//! The gateway's part of the configuration: policy, look-ups, upstreams and their trust.

use std::{sync::Arc, time::Duration};

use http::uri::{Authority, Scheme};
use zeroize::Zeroizing;

use super::error::ServeError;
use crate::{
    app::{GatewaySettings, NodeDependencies},
    config::{
        ConfigSecret, ConfigSections, CredentialsChoice, PolicySection, SharedOperation,
        UpstreamView, UpstreamsSection,
    },
    upstreams::{NodeUpstream, connect_products},
};
use akgate_gateway::{
    budgets::CallLimits,
    gate::{GateSettings, RecommendLink},
    lookup::LookupSettings,
    routes::{OtherProduct, UpstreamAuth},
    upstream::{by_product::ProductUpstreams, remote::HttpUpstream},
};
use akgate_net::{https, received_body::BodyLimits};
use akgate_rules::{
    mac_key::MacKey,
    operation::{EffectList, Product},
    request::reserved::ReservedNames,
    verdict::{Mode, Policy},
};
use akgate_sandbox::Sandbox;

/// Makes the gateway's settings, and the upstreams.
pub(super) fn gateway_settings(
    sections: &ConfigSections,
    dependencies: &NodeDependencies,
) -> Result<(GatewaySettings, ProductUpstreams<NodeUpstream>), ServeError> {
    let ConfigSections {
        gateway,
        limits,
        policy,
        directory,
        upstreams,
        ..
    } = sections;
    let timeout = Duration::from_secs(sections.database.timeout_seconds);
    let idle_timeout = Duration::from_secs(upstreams.idle_timeout_seconds);
    let mut made = Vec::new();
    // All products share one sandbox: STS must find what RAM creates.
    let sandbox_key = dependencies.randomness.mac_key();
    let sandbox = Sandbox::new(
        dependencies.pools.calls.clone(),
        sandbox_key.clone(),
        Arc::clone(&dependencies.clock),
        Arc::clone(&dependencies.randomness),
    );
    let views = [
        (Product::Ram, upstreams.ram.view()),
        (Product::Ims, upstreams.ims.view()),
        (Product::Sts, upstreams.sts.view()),
        (Product::ResourceManager, upstreams.resourcemanager.view()),
    ];
    let others = upstreams
        .other
        .iter()
        .map(|other| (Product::from_code(&other.product), other.view()));
    for (product, view) in views.into_iter().chain(others) {
        match view.url {
            None => {}
            Some("sandbox") => {
                let auth = UpstreamAuth::IdentityHeader(sandbox_key.clone());
                made.push((product, NodeUpstream::Sandbox(sandbox.clone()), auth));
            }
            Some(url) => {
                let upstream = NodeUpstream::Http(http_upstream(url, view, idle_timeout)?);
                made.push((product, upstream, upstream_auth(view)?));
            }
        }
    }
    let (mut routes, by_product) = connect_products(made);
    for other in &upstreams.other {
        let hosts = other.hosts.iter().map(|host| host.to_ascii_lowercase());
        routes.serve_other(OtherProduct {
            product: other.product.clone(),
            version: other.version.clone(),
            actions: other.actions.iter().cloned().collect(),
            serves_all: other.serves_all(),
            hosts: hosts.collect(),
            style: other.style.into(),
        });
    }
    for pair in SharedOperation::find_all(&upstreams.other) {
        tracing::warn!(
            %pair,
            "two products have an operation of the same name: a call that does not sign a known host is refused"
        );
    }
    let public = sections.public.url.as_deref().unwrap_or_default();
    let recommend = match &gateway.recommend_url {
        Some(url) => RecommendLink::Fixed(url.clone()),
        None if public.is_empty() => RecommendLink::None,
        None => RecommendLink::Explained(format!(
            "{}/leaked-access-key",
            public.trim_end_matches('/')
        )),
    };
    let settings = GatewaySettings {
        gate: GateSettings {
            body: BodyLimits {
                bytes: gateway.body_limit_bytes,
                timeout: Duration::from_secs(gateway.body_timeout_seconds),
            },
            calls: CallLimits {
                judged: limits.calls_judged,
                per_upstream: limits.calls_per_upstream,
            },
            policy: self::configured_policy(policy),
            profile: policy.profile,
            anonymous: gateway.anonymous.clone(),
            reserved: ReservedNames::new(&gateway.reserved_headers, &gateway.reserved_parameters),
            effects: configured_effects(upstreams)?,
            recommend,
            database_timeout: timeout,
        },
        lookup: LookupSettings {
            cached_keys: directory.cached_keys,
            unknown_at_a_time: directory.lookups,
            absent_for: Duration::from_secs(directory.negative_seconds),
            timeout,
        },
        nonces_per_key: sections.freshness.nonces_per_key,
        routes,
    };
    Ok((settings, by_product))
}

/// The effects of operations of other products that are configured.
pub(super) fn configured_effects(upstreams: &UpstreamsSection) -> Result<EffectList, ServeError> {
    let effects = upstreams.other_effects();
    effects.map_err(|_| ServeError::Unchecked("upstreams.other"))
}

/// The policy as it is configured.
pub(super) fn configured_policy(section: &PolicySection) -> Policy {
    Policy {
        mode: section.mode,
        enforce_from: section.enforce_from.map(|instant| instant.0),
        self_remedy: section.self_remedy,
        refuses_unleased_reads: section.refuse_unleased_reads,
    }
}

/// Makes the settings of a mirror: every product is judged, nothing is forwarded or refused.
pub(super) fn observer_settings(
    sections: &ConfigSections,
    dependencies: &NodeDependencies,
) -> Result<GatewaySettings, ServeError> {
    let (mut settings, _) = gateway_settings(sections, dependencies)?;
    settings.gate.policy.mode = Mode::Shadow;
    for product in Product::CATALOGUED {
        // A mirror forwards nothing, so the upstream does not matter.
        settings
            .routes
            .serve_product(product, UpstreamAuth::CallerSignature);
    }
    Ok(settings)
}

fn http_upstream(
    url: &str,
    view: UpstreamView<'_>,
    idle_timeout: Duration,
) -> Result<HttpUpstream, ServeError> {
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
    let tls = https::client_config(view.ca.map(AsRef::as_ref))?;
    let timeout = Duration::from_secs(view.timeout_seconds);
    HttpUpstream::new(scheme, authority, tls, timeout, idle_timeout)
        .map_err(|_| ServeError::Unchecked("upstreams"))
}

fn upstream_auth(view: UpstreamView<'_>) -> Result<UpstreamAuth, ServeError> {
    if view.credentials == CredentialsChoice::Keep {
        return Ok(UpstreamAuth::CallerSignature);
    }
    let key = ConfigSecret::resolve(view.identity_key, view.identity_key_file.map(AsRef::as_ref))?
        .ok_or(ServeError::Unchecked("upstreams.identity_key"))?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(key.expose(), &mut *bytes)
        .map_err(|_| ServeError::Unchecked("upstreams.identity_key"))?;
    Ok(UpstreamAuth::IdentityHeader(MacKey::new(bytes)))
}
