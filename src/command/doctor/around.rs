//! Checks of what a node talks to: certificates, identity provider, mail server and upstreams.

use std::{path::Path, time::Instant};

use http::{Request, Uri, header::DATE};
use lettre::message::Mailbox;
use time::{Duration, OffsetDateTime};

use super::{
    finding::{CHECK_TIMEOUT, CheckFinding, with_timeout},
    state::judge_skew,
};
use crate::{
    config::{Config, ConfigSections, MailSection, ProcessRole, TransportChoice},
    serve::{
        letters::smtp_settings,
        listeners::{client_authority, load_tls},
        sign_in,
    },
};
use akgate_net::https::{self, BoundedClient};
use akgate_owners::letters::{dkim::Dkim, mailer::SmtpMailer};
use akgate_state::clock::{Clock, SystemClock};

/// A certificate that ends within this time needs care.
const EXPIRY_WARNING: Duration = Duration::days(14);

pub(super) async fn check_surroundings(config: &Config, findings: &mut Vec<CheckFinding>) {
    check_certificates(config, findings);
    if config.has(ProcessRole::Worker) {
        check_mail(config, findings).await;
    }
    if config.has(ProcessRole::Admin) {
        check_oidc_provider(config, findings).await;
    }
    if config.has(ProcessRole::Gateway) {
        check_upstreams(config, findings).await;
    }
}

/// Those of the listeners.
fn check_certificates(config: &Config, findings: &mut Vec<CheckFinding>) {
    let ConfigSections {
        gateway,
        public,
        admin,
        ..
    } = &config.sections;
    let now = SystemClock.now();
    for (section, role, certificate, key, clients) in [
        (
            "gateway",
            ProcessRole::Gateway,
            &gateway.tls_cert,
            &gateway.tls_key,
            None,
        ),
        (
            "public",
            ProcessRole::Public,
            &public.tls_cert,
            &public.tls_key,
            None,
        ),
        (
            "admin",
            ProcessRole::Admin,
            &admin.tls_cert,
            &admin.tls_key,
            client_authority(admin),
        ),
    ] {
        if !config.has(role) {
            continue;
        }
        let what = format!("certificate of {section}");
        let ends_at = match load_tls(certificate, key, clients) {
            Ok(None) => continue,
            Ok(Some(tls)) => tls.ends_at(),
            Err(fault) => {
                let next = format!("check [{section}]: tls_cert and tls_key");
                findings.push(CheckFinding::wrong(what, fault.to_string(), next));
                continue;
            }
        };
        let next = "replace it with a new one: akgate reloads it within a second";
        findings.push(match ends_at {
            None => CheckFinding::good(what, "valid"),
            Some(end) if end <= now => {
                CheckFinding::wrong(what, format!("expired on {}", end.date()), next)
            }
            Some(end) if end <= now + EXPIRY_WARNING => {
                CheckFinding::care(what, format!("expires on {}", end.date()), next)
            }
            Some(end) => CheckFinding::good(what, format!("expires on {}", end.date())),
        });
    }
}

/// Where people sign in, if anywhere.
async fn check_oidc_provider(config: &Config, findings: &mut Vec<CheckFinding>) {
    let section = &config.sections.admin.oidc;
    let looking = async {
        match sign_in::sign_in_service(section).map_err(|fault| fault.to_string())? {
            None => Ok(None),
            Some(sign_in) => {
                let looked = sign_in.provider.check().await;
                looked.map_err(|fault| fault.to_string())?;
                Ok(Some(sign_in.provider.issuer().to_owned()))
            }
        }
    };
    match with_timeout::<_, String>(looking).await {
        Ok(None) => {}
        Ok(Some(issuer)) => {
            findings.push(CheckFinding::good("sign-in", format!("{issuer} responds")));
        }
        Err(fault) => findings.push(CheckFinding::wrong(
            "sign-in",
            fault,
            "check [admin.oidc]: issuer and ca",
        )),
    }
}

async fn check_mail(config: &Config, findings: &mut Vec<CheckFinding>) {
    let mail = &config.sections.mail;
    if mail.transport == TransportChoice::Folder {
        let folder = mail.folder.as_deref().unwrap_or(Path::new(""));
        findings.push(CheckFinding::care(
            "mail",
            format!("letters are written to {} and not sent", folder.display()),
            "set mail.transport = \"smtp\" and mail.host, unless this is a test",
        ));
        return;
    }
    let server = format!("{}:{}", mail.host.as_deref().unwrap_or_default(), mail.port);
    let checking = async {
        let settings = smtp_settings(&config.sections).map_err(|fault| fault.to_string())?;
        let mailer = SmtpMailer::new(settings).map_err(|fault| fault.to_string())?;
        mailer.check().await
    };
    findings.push(match with_timeout(checking).await {
        Ok(()) => CheckFinding::good("mail", format!("{server} accepts the login")),
        Err(fault) => CheckFinding::wrong(
            "mail",
            format!("{server}: {fault}"),
            "check [mail]: host, port, encryption, username and password",
        ),
    });
    findings.push(check_dkim(mail));
}

fn check_dkim(mail: &MailSection) -> CheckFinding {
    let what = "mail, signed";
    let key = mail
        .dkim_selector
        .as_deref()
        .zip(mail.dkim_key_file.as_deref());
    let from: Option<Mailbox> = mail.from.as_deref().and_then(|from| from.parse().ok());
    match key.zip(from) {
        None => CheckFinding::care(
            what,
            "letters are not signed: many mail servers will treat them as spam",
            "set mail.dkim_key_file and mail.dkim_selector, unless your mail server signs",
        ),
        Some(((selector, key), from)) => {
            let domain = from.email.domain();
            match Dkim::load(domain, selector, key) {
                Ok(_) => CheckFinding::good(
                    what,
                    format!("for {domain}, with {selector}._domainkey.{domain}"),
                ),
                Err(fault) => {
                    CheckFinding::wrong(what, fault.to_string(), "check mail.dkim_key_file")
                }
            }
        }
    }
}

async fn check_upstreams(config: &Config, findings: &mut Vec<CheckFinding>) {
    let upstreams = &config.sections.upstreams;
    let catalogued = [
        ("RAM", upstreams.ram.view()),
        ("IMS", upstreams.ims.view()),
        ("STS", upstreams.sts.view()),
        ("ResourceManager", upstreams.resourcemanager.view()),
    ];
    let others = upstreams
        .other
        .iter()
        .map(|other| (other.product.as_str(), other.view()));
    let mut told = false;
    for (product, view) in catalogued.into_iter().chain(others) {
        let what = format!("upstream {product}");
        match view.url {
            None => {}
            Some("sandbox") => {
                findings.push(CheckFinding::good(what, "the sandbox in this process"));
            }
            Some(url) => {
                let before = SystemClock.now();
                match probe_upstream(url, view.ca.map(AsRef::as_ref)).await {
                    Err(fault) => findings.push(CheckFinding::wrong(
                        what,
                        format!("{url}: {fault}"),
                        format!("check upstreams.{}: url and ca", product.to_lowercase()),
                    )),
                    Ok(answer) => {
                        findings.push(CheckFinding::good(&what, format!("{url} {}", answer.found)));
                        let theirs = answer.date.filter(|_| !std::mem::replace(&mut told, true));
                        if let Some(theirs) = theirs {
                            let middle = before + (SystemClock.now() - before) / 2;
                            let what = format!("clock, compared with {product}");
                            findings.push(judge_skew(&what, middle - theirs));
                        }
                    }
                }
            }
        }
    }
}

struct UpstreamAnswer {
    found: String,
    /// To the second.
    date: Option<OffsetDateTime>,
}

/// Whatever an upstream answers to an empty request, it is reachable.
async fn probe_upstream(url: &str, ca: Option<&Path>) -> Result<UpstreamAnswer, String> {
    let uri: Uri = url.parse().map_err(|_| "not a URL".to_owned())?;
    let tls = https::client_config(ca).map_err(|fault| fault.to_string())?;
    // The answer to HEAD has no body.
    let client = BoundedClient::new(tls, CHECK_TIMEOUT, 0);
    let began = Instant::now();
    let answer = client.send(Request::head(uri), "").await;
    let answer = answer.map_err(|fault| fault.to_string())?;
    let took = began.elapsed();
    let date = answer.headers().get(DATE);
    let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    Ok(UpstreamAnswer {
        found: format!("responds with {} in {took:.1?}", answer.status().as_u16()),
        date: date.map(OffsetDateTime::from),
    })
}
