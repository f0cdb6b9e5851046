//! What a node talks to: the mail server and the upstreams.

use std::{path::Path, time::Instant};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header::DATE};
use http_body_util::Empty;
use lettre::message::Mailbox;
use time::{Duration, OffsetDateTime};

use super::{Finding, in_time, state::skew};
use crate::{
    config::{Config, MailSection, Role, Sections, TransportChoice},
    serve::{
        letters::smtp_settings,
        listeners::{clients, tls},
        sign_in,
    },
};
use akgate_net::https;
use akgate_owners::letters::{dkim::Dkim, mailer::SmtpMailer};
use akgate_state::clock::{Clock, SystemClock};

/// A certificate that ends within this time needs care.
const SOON: Duration = Duration::days(14);

pub(super) async fn look(config: &Config, findings: &mut Vec<Finding>) {
    certificates(config, findings);
    if config.has(Role::Worker) {
        mail(config, findings).await;
    }
    if config.has(Role::Admin) {
        provider(config, findings).await;
    }
    if config.has(Role::Gateway) {
        upstreams(config, findings).await;
    }
}

/// Those of the listeners.
fn certificates(config: &Config, findings: &mut Vec<Finding>) {
    let Sections {
        gateway,
        public,
        admin,
        ..
    } = &config.sections;
    let now = SystemClock.now();
    for (section, role, certificate, key, clients) in [
        (
            "gateway",
            Role::Gateway,
            &gateway.tls_cert,
            &gateway.tls_key,
            None,
        ),
        (
            "public",
            Role::Public,
            &public.tls_cert,
            &public.tls_key,
            None,
        ),
        (
            "admin",
            Role::Admin,
            &admin.tls_cert,
            &admin.tls_key,
            clients(admin),
        ),
    ] {
        if !config.has(role) {
            continue;
        }
        let what = format!("certificate of {section}");
        let ends_at = match tls(certificate, key, clients) {
            Ok(None) => continue,
            Ok(Some(tls)) => tls.ends_at(),
            Err(fault) => {
                let next = format!("check [{section}]: tls_cert and tls_key");
                findings.push(Finding::wrong(what, fault.to_string(), next));
                continue;
            }
        };
        let next = "replace it with a new one: akgate reloads it within a second";
        findings.push(match ends_at {
            None => Finding::good(what, "valid"),
            Some(end) if end <= now => {
                Finding::wrong(what, format!("expired on {}", end.date()), next)
            }
            Some(end) if end <= now + SOON => {
                Finding::care(what, format!("expires on {}", end.date()), next)
            }
            Some(end) => Finding::good(what, format!("expires on {}", end.date())),
        });
    }
}

/// Where people sign in, if anywhere.
async fn provider(config: &Config, findings: &mut Vec<Finding>) {
    let section = &config.sections.admin.oidc;
    let looking = async {
        match sign_in::settings(section).map_err(|fault| fault.to_string())? {
            None => Ok(None),
            Some(sign_in) => {
                let looked = sign_in.provider.check().await;
                looked.map_err(|fault| fault.to_string())?;
                Ok(Some(sign_in.provider.issuer().to_owned()))
            }
        }
    };
    match in_time::<_, String>(looking).await {
        Ok(None) => {}
        Ok(Some(issuer)) => {
            findings.push(Finding::good("sign-in", format!("{issuer} responds")));
        }
        Err(fault) => findings.push(Finding::wrong(
            "sign-in",
            fault,
            "check [admin.oidc]: issuer and ca",
        )),
    }
}

async fn mail(config: &Config, findings: &mut Vec<Finding>) {
    let mail = &config.sections.mail;
    if mail.transport == TransportChoice::Folder {
        let folder = mail.folder.as_deref().unwrap_or(Path::new(""));
        findings.push(Finding::care(
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
    findings.push(match in_time(checking).await {
        Ok(()) => Finding::good("mail", format!("{server} accepts the login")),
        Err(fault) => Finding::wrong(
            "mail",
            format!("{server}: {fault}"),
            "check [mail]: host, port, encryption, username and password",
        ),
    });
    findings.push(dkim(mail));
}

fn dkim(mail: &MailSection) -> Finding {
    let what = "mail, signed";
    let key = mail
        .dkim_selector
        .as_deref()
        .zip(mail.dkim_key_file.as_deref());
    let from: Option<Mailbox> = mail.from.as_deref().and_then(|from| from.parse().ok());
    match key.zip(from) {
        None => Finding::care(
            what,
            "letters are not signed: many mail servers will treat them as spam",
            "set mail.dkim_key_file and mail.dkim_selector, unless your mail server signs",
        ),
        Some(((selector, key), from)) => {
            let domain = from.email.domain();
            match Dkim::load(domain, selector, key) {
                Ok(_) => Finding::good(
                    what,
                    format!("for {domain}, with {selector}._domainkey.{domain}"),
                ),
                Err(fault) => Finding::wrong(what, fault.to_string(), "check mail.dkim_key_file"),
            }
        }
    }
}

async fn upstreams(config: &Config, findings: &mut Vec<Finding>) {
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
            Some("sandbox") => findings.push(Finding::good(what, "the sandbox in this process")),
            Some(url) => {
                let before = SystemClock.now();
                match in_time(ask(url, view.ca.map(AsRef::as_ref))).await {
                    Err(fault) => findings.push(Finding::wrong(
                        what,
                        format!("{url}: {fault}"),
                        format!("check upstreams.{}: url and ca", product.to_lowercase()),
                    )),
                    Ok(answer) => {
                        findings.push(Finding::good(&what, format!("{url} {}", answer.found)));
                        let theirs = answer.date.filter(|_| !std::mem::replace(&mut told, true));
                        if let Some(theirs) = theirs {
                            let middle = before + (SystemClock.now() - before) / 2;
                            let what = format!("clock, compared with {product}");
                            findings.push(skew(&what, middle - theirs));
                        }
                    }
                }
            }
        }
    }
}

struct Answer {
    found: String,
    /// To the second.
    date: Option<OffsetDateTime>,
}

/// Whatever an upstream says to a request that says nothing, it is there.
async fn ask(url: &str, ca: Option<&Path>) -> Result<Answer, String> {
    let uri: Uri = url.parse().map_err(|_| "not a URL".to_owned())?;
    let tls = https::trust(ca).map_err(|fault| fault.to_string())?;
    let client: https::Client<Empty<Bytes>> = https::client(tls, super::PATIENCE);
    let request = Request::head(uri).body(Empty::new());
    let request = request.map_err(|fault| fault.to_string())?;
    let began = Instant::now();
    let answer = client.request(request).await;
    let answer = answer.map_err(|fault| https::root_cause(&fault))?;
    let took = began.elapsed();
    let date = answer.headers().get(DATE);
    let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let status: StatusCode = answer.status();
    Ok(Answer {
        found: format!("responds with {} in {took:.1?}", status.as_u16()),
        date: date.map(OffsetDateTime::from),
    })
}
