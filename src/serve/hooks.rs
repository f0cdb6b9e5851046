//! The hooks' part of the configuration: the receivers of events, and how akgate authenticates to each.

use std::sync::Arc;

use http::Uri;
use zeroize::Zeroizing;

use super::error::ServeError;
use crate::config::{ConfigSecret, ConfigSections, HookFormatChoice, HookSection};
use akgate_hooks::{
    ChatTemplates, DingTalk, Hook, HookFormat, Slack, StandardWebhook, WebhookSecret,
};
use akgate_net::https;
use akgate_state::outbox::events::EventKind;

const UNCHECKED_HOOKS: ServeError = ServeError::Unchecked("events.hooks");

/// Makes the hooks.
pub(super) fn build_hooks(sections: &ConfigSections) -> Result<Vec<Arc<Hook>>, ServeError> {
    let events = &sections.events;
    let source = events.source.as_deref().or(sections.public.url.as_deref());
    let source = source.unwrap_or("urn:akgate");
    let made = events
        .hooks
        .iter()
        .map(|one| build_hook(one, source).map(Arc::new));
    made.collect()
}

fn build_hook(section: &HookSection, source: &str) -> Result<Hook, ServeError> {
    let url = ConfigSecret::resolve(section.url.as_ref(), section.url_file.as_deref())?;
    let url: Uri = url
        .and_then(|url| url.expose().trim().parse().ok())
        .ok_or(UNCHECKED_HOOKS)?;
    let secrets = section.secrets()?;
    let templates = || ChatTemplates::built_in().map_err(|_| UNCHECKED_HOOKS);
    let language = section.language;
    let format = match section.format {
        HookFormatChoice::CloudEvents => {
            let secrets: Result<Vec<_>, _> = secrets
                .iter()
                .map(|one| WebhookSecret::parse(one.expose()))
                .collect();
            HookFormat::Webhook(StandardWebhook {
                secrets: secrets.map_err(|_| UNCHECKED_HOOKS)?,
                source: source.to_owned(),
            })
        }
        HookFormatChoice::DingTalk => HookFormat::DingTalk(DingTalk {
            templates: templates()?,
            language,
            secret: secrets
                .first()
                .map(|one| Zeroizing::new(one.expose().to_owned())),
        }),
        HookFormatChoice::Slack => HookFormat::Slack(Slack {
            templates: templates()?,
            language,
        }),
    };
    let kinds = section
        .kinds
        .clone()
        .unwrap_or_else(|| EventKind::ALL.to_vec());
    let tls = https::client_config(section.ca.as_deref())?;
    Ok(Hook::new(section.name.clone(), kinds, format, url, tls))
}
