//! `[events]`: other programs that get events about restrictions.

use std::{fs, io, path::PathBuf};

use confique::Config;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{error::ConfigError, secret::ConfigSecret, text::ConfigText};
use akgate_hooks::WebhookSecret;
use akgate_net::https::is_safe_for_secrets;
use akgate_state::{directory::contacts::Language, outbox::events::EventKind};

/// The format of a hook's messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookFormatChoice {
    /// CloudEvents, signed as Standard Webhooks say.
    #[default]
    CloudEvents,
    /// A message of DingTalk's custom robot.
    DingTalk,
    /// A message of Slack's incoming webhook.
    Slack,
}

/// A receiver of events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookSection {
    /// The source's name, as recorded with every report.
    pub name: String,
    /// Its URL; a chat room's URL is a secret.
    #[serde(default)]
    pub url: Option<ConfigSecret>,
    /// A file that holds that address.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// The format of its messages.
    #[serde(default)]
    pub format: HookFormatChoice,
    /// The signing secrets, one or two; the newest first.
    #[serde(default)]
    pub secrets: Vec<ConfigSecret>,
    /// A file that holds them, a line for each.
    #[serde(default)]
    pub secrets_file: Option<PathBuf>,
    /// The kinds of events; all by default.
    #[serde(default)]
    pub kinds: Option<Vec<EventKind>>,
    /// The language of a chat's messages.
    #[serde(default = "default_language")]
    pub language: Language,
    /// A certificate authority of your own for that address, a PEM file.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

fn default_language() -> Language {
    Language::English
}

impl HookSection {
    /// Its secrets, from the file or as they are given.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn secrets(&self) -> io::Result<Vec<ConfigSecret>> {
        let Some(path) = &self.secrets_file else {
            return Ok(self.secrets.clone());
        };
        let text = Zeroizing::new(fs::read_to_string(path)?);
        let lines = text.lines().map(str::trim);
        let secrets = lines.filter(|line| !line.is_empty());
        Ok(secrets
            .map(|line| ConfigSecret::new(line.to_owned()))
            .collect())
    }

    fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let wrong = |what: &str| text.wrong("events.hooks", &format!("\"{}\": {what}", self.name));
        let url = text.require_secret(
            "events.hooks.url",
            self.url.as_ref(),
            self.url_file.as_ref(),
        )?;
        if !is_safe_for_secrets(url.expose().trim()) {
            return Err(wrong(
                "`url` must be \"https://…\", because events name leaked keys (http is allowed only for this machine)",
            ));
        }
        if self.kinds.as_ref().is_some_and(Vec::is_empty) {
            return Err(wrong("`kinds` is empty: omit it to send all kinds"));
        }
        let secrets = self
            .secrets()
            .map_err(|fault| wrong(&format!("`secrets_file`: {fault}")))?;
        match (self.format, secrets.as_slice()) {
            (HookFormatChoice::CloudEvents, [] | [_, _, _, ..]) => {
                return Err(wrong(
                    "`secrets` must hold one secret, or two during a rotation",
                ));
            }
            (HookFormatChoice::CloudEvents, secrets) => {
                for secret in secrets {
                    WebhookSecret::parse(secret.expose())
                        .map_err(|fault| wrong(&fault.to_string()))?;
                }
            }
            (HookFormatChoice::DingTalk, [] | [_]) | (HookFormatChoice::Slack, []) => {}
            (HookFormatChoice::DingTalk, _) => {
                return Err(wrong("`secrets` must hold one secret, the robot's SEC…"));
            }
            (HookFormatChoice::Slack, _) => {
                return Err(wrong("for Slack, the URL is the secret: omit `secrets`"));
            }
        }
        Ok(())
    }
}

/// `[events]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct EventsSection {
    /// The `source` of the CloudEvents; public.url by default.
    #[config(env = "AKGATE_EVENTS_SOURCE")]
    pub source: Option<String>,
    /// Programs that receive events about restrictions from the workers, each as [[events.hooks]]: name, url (or
    /// url_file); format = "cloudevents" (default; Standard Webhooks), "dingtalk" or "slack"; secrets = ["whsec_…"] (or
    /// secrets_file, one per line; two during a rotation; for dingtalk the robot's "SEC…"); kinds = ["imposed",
    /// "widened", "confirmed", "withdrawn", "lifted", "suspected"], all by default; language = "en" or "zh-CN", for
    /// chat messages; ca.
    #[config(default = [])]
    pub hooks: Vec<HookSection>,
}

impl EventsSection {
    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let names: Vec<&str> = self.hooks.iter().map(|one| one.name.as_str()).collect();
        text.require_names("events.hooks", &names)?;
        self.hooks.iter().try_for_each(|hook| hook.check(text))
    }
}
