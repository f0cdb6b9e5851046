//! The listeners of the roles, bound before anything is served.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use super::{
    descriptors::{connection_limit, raise_descriptor_limit},
    error::ServeError,
    gateway, sign_in, sources,
};
use crate::{
    app::{Node, NodeDependencies, PublicSettings},
    config::{AdminSection, Config, ConfigSections, ProcessRole},
};
use akgate_admin::AdminSettings;
use akgate_gateway::{Gate, GateService, mirror::mirror_service, upstream::Upstream};
use akgate_intake::Intake;
use akgate_net::server::{
    ClientAuthority, ConnectionLimits, CoreRuntimes, Listener, ServeTask, Tls, TrustedProxies,
};
use akgate_state::approvals::FourEyes;

/// The bound listeners.
pub(super) struct BoundListeners {
    /// Section and address, and what serves there.
    pub serving: Vec<(&'static str, SocketAddr, ServeTask)>,
    /// The gate, if this process has one.
    pub gate: Option<Arc<Gate>>,
    /// The endpoints for leak reports, if this process has them.
    pub intake: Option<Intake>,
}

/// Binds the listeners of the process's roles. The gateway's serves on the cores.
pub(super) fn bind_listeners(
    config: &Config,
    node: &Node,
    dependencies: &NodeDependencies,
    cores: &CoreRuntimes,
) -> Result<BoundListeners, ServeError> {
    let ConfigSections {
        gateway, public, ..
    } = &config.sections;
    let available = raise_descriptor_limit();
    let limits = |section: &str, proxies: &[ipnet::IpNet]| ConnectionLimits {
        head_timeout: Duration::from_secs(gateway.head_timeout_seconds),
        idle_timeout: Duration::from_secs(gateway.idle_timeout_seconds),
        trusted_proxies: TrustedProxies::new(proxies.to_vec()),
        connections: connection_limit(config.sections.limits.connections, available, section),
        memory: Arc::clone(&dependencies.request_memory),
        metrics: Arc::clone(&dependencies.metrics),
    };
    let mut listeners = BoundListeners {
        serving: Vec::new(),
        gate: None,
        intake: None,
    };
    if config.judges() {
        let tls = load_tls(&gateway.tls_cert, &gateway.tls_key, None)?;
        let listener = bind_listener(
            "gateway",
            gateway.listen,
            tls,
            limits("gateway", &gateway.trusted_proxies),
        )?;
        let address = listener.local_addr();
        let (gate, serving) = if config.has(ProcessRole::Observer) {
            let settings = gateway::observer_settings(&config.sections, dependencies)?;
            let gate = node.gate(settings)?;
            let serving = listener.serving_on(cores, || mirror_service(Arc::clone(&gate)));
            (gate, serving)
        } else {
            let (settings, upstreams) = gateway::gateway_settings(&config.sections, dependencies)?;
            let gate = node.gate(settings)?;
            let service = || GateService::new(Arc::clone(&gate), upstreams.with_own_connections());
            let serving = listener.serving_on(cores, service);
            (gate, serving)
        };
        listeners.gate = Some(gate);
        listeners.serving.push(("gateway", address, serving));
    }
    if config.has(ProcessRole::Public) {
        let tls = load_tls(&public.tls_cert, &public.tls_key, None)?;
        let listener = bind_listener(
            "public",
            public.listen,
            tls,
            limits("public", &public.trusted_proxies),
        )?;
        let address = listener.local_addr();
        let intake = node.intake(sources::intake_settings(&config.sections)?, config.judges());
        let settings = PublicSettings {
            lift: config.sections.policy.lift,
            requests_per_second: public.requests_per_second,
        };
        let serving = listener.serving(node.public(settings, intake.clone())?);
        listeners.intake = Some(intake);
        listeners.serving.push(("public", address, serving));
    }
    if config.has(ProcessRole::Admin) {
        let section = &config.sections.admin;
        let tls = load_tls(
            &section.tls_cert,
            &section.tls_key,
            client_authority(section),
        )?;
        let listener = bind_listener(
            "admin",
            section.listen,
            tls,
            limits("admin", &section.trusted_proxies),
        )?;
        let address = listener.local_addr();
        let settings = AdminSettings {
            four_eyes: four_eyes_settings(section),
            descendants: config.sections.policy.descendants,
            policy: gateway::configured_policy(&config.sections.policy),
            profile: config.sections.policy.profile,
            effects: gateway::configured_effects(&config.sections.upstreams)?,
            requests_per_second: section.requests_per_second,
            certificates: section.client_ca.is_some(),
            sign_in: sign_in::sign_in_service(&section.oidc)?,
        };
        let serving = listener.serving(node.admin(config.judges(), settings)?);
        listeners.serving.push(("admin", address, serving));
    }
    Ok(listeners)
}

fn four_eyes_settings(section: &AdminSection) -> FourEyes {
    FourEyes {
        expires_after: time::Duration::hours(section.approvals_expire_hours.into()),
        descendants_approval_above: section.descendants_approval_above,
    }
}

/// Binds one address.
pub(super) fn bind_listener(
    section: &'static str,
    address: SocketAddr,
    tls: Option<Tls>,
    limits: ConnectionLimits,
) -> Result<Listener, ServeError> {
    Listener::bind(address, tls, limits).map_err(|fault| ServeError::Listen {
        section,
        address,
        fault,
    })
}

/// The certificate of a listener, where it has one.
pub(crate) fn load_tls(
    certificate: &Option<PathBuf>,
    key: &Option<PathBuf>,
    clients: Option<ClientAuthority>,
) -> Result<Option<Tls>, ServeError> {
    match certificate.as_ref().zip(key.as_ref()) {
        Some((certificate, key)) => Ok(Some(Tls::load(certificate, key, clients)?)),
        None => Ok(None),
    }
}

/// The authority of operators' client certificates.
pub(crate) fn client_authority(section: &AdminSection) -> Option<ClientAuthority> {
    section.client_ca.as_ref().map(|ca| ClientAuthority {
        certificates: ca.clone(),
        revoked: section.client_crl.clone(),
    })
}
