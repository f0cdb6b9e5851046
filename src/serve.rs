//! `akgate serve`: the production role. What the configuration says is made into parts here, and only here.

use std::{fs, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::Router;
use http::uri::{Authority, Scheme};
use rustls::{
    RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::watch, task::JoinSet};
use zeroize::Zeroizing;

use crate::{
    app::{AppError, Foundations, GatewaySettings, Node, WorkerSettings, gateway_router},
    clock::{Clock, SystemClock},
    config::{
        Config, CredentialsChoice, EncryptionChoice, Role, Secret, Sections, TransportChoice,
        UpstreamView,
    },
    directory::{
        StateFault,
        sealing::{KeyRing, KeyRingFault},
    },
    gateway::{
        gate, lookup,
        routes::Trust,
        upstream::{HttpUpstream, Upstream},
    },
    health::{self, Health},
    mac_key::MacKey,
    metrics::Metrics,
    notify::mailer::{Encryption, FolderMailer, Mailer, SmtpMailer, SmtpSettings, SmtpSetupFault},
    operation::Product,
    postgres::MIGRATOR,
    randomness::Randomness,
    registry::feed,
    sandbox::Sandbox,
    server::{Listener, Manners, Shutdown, Tls, TlsError, TrustedProxies},
    verdict::{Mode, Policy},
};

/// Why a process does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
    /// The migrations do not run.
    #[error("the migrations do not run: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] StateFault),
    /// The key ring is broken.
    #[error("the key ring: {0}")]
    KeyRing(#[from] KeyRingFault),
    /// An address cannot be listened on.
    #[error("`{section}.listen` {address}: {fault}")]
    Listen {
        /// The listener's section.
        section: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        fault: io::Error,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A certificate authority cannot be used.
    #[error("{path}: {reason}")]
    Authority {
        /// Its file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A part cannot be made.
    #[error(transparent)]
    App(#[from] AppError),
    /// The mail server cannot be set up.
    #[error(transparent)]
    Smtp(#[from] SmtpSetupFault),
    /// A value that was checked is not what it was.
    #[error("`{0}` is not as it was checked")]
    Unchecked(&'static str),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Randomness(#[from] rand::rngs::SysError),
    /// A file or a signal is not to be had.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A pool of connections to the configured database; migrations are applied where the configuration says so.
///
/// # Errors
/// [`ServeError`].
pub async fn open_database(config: &Config) -> Result<PgPool, ServeError> {
    let database = &config.sections.database;
    let timeout = Duration::from_secs(database.timeout_seconds);
    let options: PgConnectOptions = config.database_url.expose().parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(database.max_connections)
        .acquire_timeout(timeout)
        // A connection that was fine a moment ago is not asked whether it still is: every call has a timeout.
        .test_before_acquire(false)
        .connect_with(options.application_name("akgate"))
        .await?;
    if database.migrate {
        MIGRATOR.run(&pool).await?;
    }
    Ok(pool)
}

/// Serves until SIGTERM or SIGINT; then requests in flight are finished.
///
/// # Errors
/// [`ServeError`] where it cannot begin.
pub async fn serve(config: &Config) -> Result<(), ServeError> {
    let sections = &config.sections;
    let randomness = Arc::new(Randomness::from_system()?);
    let metrics = Arc::new(Metrics::default());
    let timeout = Duration::from_secs(sections.database.timeout_seconds);
    let pool = open_database(config).await?;
    let foundations = Foundations {
        pool: pool.clone(),
        ring: Arc::new(KeyRing::parse(config.key_ring.expose())?),
        clock: Arc::new(SystemClock),
        randomness,
        metrics: Arc::clone(&metrics),
        database_timeout: timeout,
    };
    let feed = feed::Settings {
        poll: Duration::from_millis(sections.registry.poll_milliseconds),
        notify: sections.registry.notify,
        timeout,
    };
    let node = Arc::new(Node::new(foundations.clone(), feed));
    let is_gateway = config.has(Role::Gateway);
    let listeners = listeners(config, &node, &foundations)?;
    let health = Health {
        pool: pool.clone(),
        feed: is_gateway.then(|| Arc::clone(node.feed())),
        recorder: Arc::clone(node.recorder()),
        metrics,
        timeout: Duration::from_secs(1).min(timeout),
    };
    let telemetry = bind(
        "telemetry",
        sections.telemetry.listen,
        None,
        Manners::default(),
    )?;
    let worker = match config.has(Role::Worker) {
        true => Some(node.worker(worker_settings(sections)?)?),
        false => None,
    };

    if is_gateway {
        // Nobody is let in before the first load: it would only be told to come back.
        node.feed().poll().await?;
    }
    say_mode(sections);
    let (stop, stopped) = watch::channel(false);
    // The probes go on until the last request is answered.
    let (stop_probes, probes_stopped) = watch::channel(false);
    tracing::info!(section = "telemetry", address = %telemetry.local_addr(), "listening");
    let probes = tokio::spawn(telemetry.serve(health::router(health), probes_stopped));
    let mut serving = JoinSet::new();
    for (section, listener, router) in listeners.serving {
        tracing::info!(section, address = %listener.local_addr(), "listening");
        let stopped = stopped.clone();
        serving.spawn(async move {
            if let Err(fault) = listener.serve(router, stopped).await {
                tracing::error!(section, %fault, "a listener has ended");
            }
        });
    }
    let (stop_records, records_stopped) = watch::channel(false);
    let mut working = JoinSet::new();
    if is_gateway {
        let (node, gate, stopped) = (Arc::clone(&node), listeners.gate, records_stopped.clone());
        working.spawn(async move { node.run(gate, stopped).await });
    }
    if let Some(worker) = worker {
        let stopped = stopped.clone();
        working.spawn(async move { worker.run(stopped).await });
        let (node, stopped) = (Arc::clone(&node), stop.subscribe());
        let retention = time::Duration::days(sections.records.retention_days.into());
        working.spawn(async move { node.upkeep(retention, stopped).await });
    }

    Shutdown::requested().await;
    tracing::info!("stopping: requests in flight are finished");
    stop.send_replace(true);
    while serving.join_next().await.is_some() {}
    // What the last requests left behind is written before the end.
    stop_records.send_replace(true);
    let written = async { while working.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout * 2, written).await.is_err() {
        tracing::error!("some records could not be written before the end");
    }
    stop_probes.send_replace(true);
    probes.abort();
    Ok(())
}

struct Listeners {
    serving: Vec<(&'static str, Listener, Router)>,
    gate: Option<Arc<gate::Gate>>,
}

fn listeners(
    config: &Config,
    node: &Node,
    foundations: &Foundations,
) -> Result<Listeners, ServeError> {
    let Sections {
        gateway,
        public,
        admin,
        ..
    } = &config.sections;
    let manners = |proxies: &[ipnet::IpNet]| Manners {
        head_timeout: Duration::from_secs(gateway.head_timeout_seconds),
        trusted_proxies: TrustedProxies::new(proxies.to_vec()),
    };
    let mut listeners = Listeners {
        serving: Vec::new(),
        gate: None,
    };
    if config.has(Role::Gateway) {
        let tls = tls(gateway.tls_cert.as_deref(), gateway.tls_key.as_deref())?;
        let listener = bind(
            "gateway",
            gateway.listen,
            tls,
            manners(&gateway.trusted_proxies),
        )?;
        let settings = gateway_settings(&config.sections, foundations)?;
        let (gate, upstreams) = node.gate(settings)?;
        let router = gateway_router(Arc::clone(&gate), upstreams, gateway.max_concurrent);
        listeners.gate = Some(gate);
        listeners.serving.push(("gateway", listener, router));
    }
    if config.has(Role::Public) {
        let tls = tls(public.tls_cert.as_deref(), public.tls_key.as_deref())?;
        let listener = bind(
            "public",
            public.listen,
            tls,
            manners(&public.trusted_proxies),
        )?;
        listeners.serving.push(("public", listener, node.public()?));
    }
    if config.has(Role::Admin) {
        let tls = tls(admin.tls_cert.as_deref(), admin.tls_key.as_deref())?;
        let listener = bind("admin", admin.listen, tls, manners(&admin.trusted_proxies))?;
        let router = node.admin(config.has(Role::Gateway));
        listeners.serving.push(("admin", listener, router));
    }
    Ok(listeners)
}

fn bind(
    section: &'static str,
    address: SocketAddr,
    tls: Option<Tls>,
    manners: Manners,
) -> Result<Listener, ServeError> {
    Listener::bind(address, tls, manners).map_err(|fault| ServeError::Listen {
        section,
        address,
        fault,
    })
}

fn tls(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<Tls>, ServeError> {
    match certificate.zip(key) {
        Some((certificate, key)) => Ok(Some(Tls::load(certificate, key)?)),
        None => Ok(None),
    }
}

fn gateway_settings(
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
        Some(url) => url.clone(),
        None if public.is_empty() => String::new(),
        None => format!("{}/leaked-access-key", public.trim_end_matches('/')),
    };
    Ok(GatewaySettings {
        gate: gate::Settings {
            body_limit: gateway.body_limit_bytes,
            body_timeout: Duration::from_secs(gateway.body_timeout_seconds),
            policy: Policy {
                mode: policy.mode,
                enforce_from: policy.enforce_from.map(|instant| instant.0),
                self_remedy: policy.self_remedy,
            },
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
    let mut roots = RootCertStore::empty();
    match view.ca {
        Some(path) => add_authority(&mut roots, path)?,
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ServeError::Unchecked("upstreams"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let timeout = Duration::from_secs(view.timeout_seconds);
    Ok(HttpUpstream::new(scheme, authority, tls, timeout))
}

fn add_authority(roots: &mut RootCertStore, path: &Path) -> Result<(), ServeError> {
    let wrong = |reason: String| ServeError::Authority {
        path: path.display().to_string(),
        reason,
    };
    let pem = fs::read(path).map_err(|fault| wrong(fault.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| wrong("no certificate in PEM form".into()))?;
        roots
            .add(certificate)
            .map_err(|fault| wrong(fault.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("no certificate in PEM form".into()));
    }
    Ok(())
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

fn worker_settings(sections: &Sections) -> Result<WorkerSettings, ServeError> {
    let mail = &sections.mail;
    let from_text = mail
        .from
        .as_deref()
        .ok_or(ServeError::Unchecked("mail.from"))?;
    let from = from_text
        .parse()
        .map_err(|_| ServeError::Unchecked("mail.from"))?;
    let mailer: Arc<dyn Mailer> = match mail.transport {
        TransportChoice::Folder => {
            let folder = mail
                .folder
                .clone()
                .ok_or(ServeError::Unchecked("mail.folder"))?;
            fs::create_dir_all(&folder)?;
            Arc::new(FolderMailer::new(folder))
        }
        TransportChoice::Smtp => Arc::new(SmtpMailer::new(smtp_settings(sections)?)?),
    };
    let public = sections.public.url.as_deref().unwrap_or_default();
    Ok(WorkerSettings {
        mailer,
        from,
        public_url: public.trim_end_matches('/').to_owned(),
        support: mail.support.clone().unwrap_or_else(|| from_text.to_owned()),
        templates: mail.templates.clone(),
        profile: sections.policy.profile,
    })
}

fn smtp_settings(sections: &Sections) -> Result<SmtpSettings, ServeError> {
    let mail = &sections.mail;
    let password = Secret::resolve(mail.password.as_ref(), mail.password_file.as_deref())?;
    let login = mail
        .username
        .clone()
        .zip(password.map(|secret| Zeroizing::new(secret.expose().to_owned())));
    Ok(SmtpSettings {
        host: mail
            .host
            .clone()
            .ok_or(ServeError::Unchecked("mail.host"))?,
        port: mail.port,
        encryption: match mail.encryption {
            EncryptionChoice::None => Encryption::None,
            EncryptionChoice::StartTls => Encryption::StartTls,
            EncryptionChoice::Tls => Encryption::Tls,
        },
        login,
        ca: mail.ca.as_ref().map(fs::read).transpose()?,
        timeout: Duration::from_secs(20),
    })
}

/// A gateway that does not enforce says so loudly.
fn say_mode(sections: &Sections) {
    match sections.policy.mode {
        Mode::Enforce => {
            if let Some(from) = sections.policy.enforce_from {
                let from = from.0;
                if from > SystemClock.now() {
                    tracing::warn!(%from, "leaked keys are NOT refused before this time");
                }
            }
        }
        Mode::Shadow => tracing::warn!("policy.mode is shadow: leaked keys are NOT refused"),
        Mode::Off => {
            tracing::warn!("policy.mode is off: leaked keys are NOT refused, nothing is judged");
        }
    }
}
