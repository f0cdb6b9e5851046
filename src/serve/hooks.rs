//! The hooks' part of the configuration: whom events are sent to, and how each knows that it is us.

use std::sync::Arc;

use http::Uri;
use zeroize::Zeroizing;

use super::ServeError;
use crate::config::{HookFormat, HookSection, Secret, Sections};
use akgate_hooks::{ChatTemplates, DingTalk, Hook, Manner, Slack, StandardWebhook, WebhookSecret};
use akgate_net::https;
use akgate_state::outbox::events::EventKind;

const UNCHECKED: ServeError = ServeError::Unchecked("events.hooks");

/// Makes the hooks.
pub(super) fn hooks(sections: &Sections) -> Result<Vec<Arc<Hook>>, ServeError> {
    let events = &sections.events;
    let source = events.source.as_deref().or(sections.public.url.as_deref());
    let source = source.unwrap_or("urn:akgate");
    let made = events
        .hooks
        .iter()
        .map(|one| hook(one, source).map(Arc::new));
    made.collect()
}

fn hook(section: &HookSection, source: &str) -> Result<Hook, ServeError> {
    let url = Secret::resolve(section.url.as_ref(), section.url_file.as_deref())?;
    let url: Uri = url
        .and_then(|url| url.expose().trim().parse().ok())
        .ok_or(UNCHECKED)?;
    let secrets = section.secrets()?;
    let templates = || ChatTemplates::built_in().map_err(|_| UNCHECKED);
    let language = section.language;
    let manner = match section.format {
        HookFormat::CloudEvents => {
            let secrets: Result<Vec<_>, _> = secrets
                .iter()
                .map(|one| WebhookSecret::parse(one.expose()))
                .collect();
            Manner::Webhook(StandardWebhook {
                secrets: secrets.map_err(|_| UNCHECKED)?,
                source: source.to_owned(),
            })
        }
        HookFormat::DingTalk => Manner::DingTalk(DingTalk {
            templates: templates()?,
            language,
            secret: secrets
                .first()
                .map(|one| Zeroizing::new(one.expose().to_owned())),
        }),
        HookFormat::Slack => Manner::Slack(Slack {
            templates: templates()?,
            language,
        }),
    };
    let kinds = section
        .kinds
        .clone()
        .unwrap_or_else(|| EventKind::ALL.to_vec());
    let tls = https::trust(section.ca.as_deref())?;
    Ok(Hook::new(section.name.clone(), kinds, manner, url, tls))
}
