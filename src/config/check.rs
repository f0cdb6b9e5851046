//! What no single value can tell: what belongs together, what excludes each other, what a role needs.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    AdminSection, Config, ConfigError, ConfigSecret, ConfigSections, CredentialsChoice,
    EventsSection, HookFormatChoice, ProcessRole, SignedSource, SourcesSection, TransportChoice,
    upstreams::UpstreamView,
};
use akgate_hooks::WebhookSecret;
use akgate_state::{audit::is_valid_name, database, directory::sealing::KeyRing};

/// Checks a configuration, with its text at hand to point into.
pub(super) struct ConfigChecker<'f> {
    file: Option<&'f Path>,
    text: String,
}

impl<'f> ConfigChecker<'f> {
    pub fn new(file: Option<&'f Path>, text: String) -> Self {
        Self { file, text }
    }

    pub fn check(
        &self,
        sections: ConfigSections,
        roles: &[ProcessRole],
    ) -> Result<Config, ConfigError> {
        let has = |role| roles.contains(&role);
        let database_url = self.must_secret(
            "database.url",
            sections.database.url.as_ref(),
            sections.database.url_file.as_ref(),
        )?;
        if !database::is_database_url(database_url.expose()) {
            return Err(self.wrong(
                "database.url",
                "write a URL: \"postgresql://USER:PASSWORD@HOST/DATABASE\"",
            ));
        }
        let key_ring = self.must_secret(
            "directory.key_ring",
            sections.directory.key_ring.as_ref(),
            sections.directory.key_ring_file.as_ref(),
        )?;
        KeyRing::parse(key_ring.expose()).map_err(|fault| {
            let key = match sections.directory.key_ring_file {
                Some(_) => "directory.key_ring_file",
                None => "directory.key_ring",
            };
            self.wrong(key, &fault.to_string())
        })?;
        self.ranges(&sections)?;
        for (name, certificate, key) in [
            (
                "gateway",
                &sections.gateway.tls_cert,
                &sections.gateway.tls_key,
            ),
            (
                "public",
                &sections.public.tls_cert,
                &sections.public.tls_key,
            ),
            ("admin", &sections.admin.tls_cert, &sections.admin.tls_key),
        ] {
            self.both_or_none(name, certificate.as_ref(), key.as_ref())?;
        }
        if has(ProcessRole::Admin) {
            self.people(&sections.admin)?;
        }
        if has(ProcessRole::Gateway) {
            self.gateway(&sections)?;
        }
        if has(ProcessRole::Public) || has(ProcessRole::Worker) {
            self.public_url(&sections)?;
        }
        if has(ProcessRole::Public) {
            self.sources(&sections.sources)?;
        }
        if has(ProcessRole::Worker) {
            self.mail(&sections)?;
            self.hooks(&sections.events)?;
        }
        Ok(Config {
            roles: roles.to_vec(),
            sections,
            database_url,
            key_ring,
        })
    }

    fn ranges(&self, sections: &ConfigSections) -> Result<(), ConfigError> {
        if !(10..=1000).contains(&sections.registry.poll_milliseconds) {
            return Err(self.wrong("registry.poll_milliseconds", "must be 10 to 1000"));
        }
        if sections.directory.negative_seconds > 5 {
            return Err(self.wrong("directory.negative_seconds", "must be at most 5"));
        }
        let reminders = &sections.policy.escalation.reminders_hours;
        if !reminders.is_sorted() || reminders.first() == Some(&0) {
            let key = "policy.escalation.reminders_hours";
            return Err(self.wrong(key, "must be increasing numbers of at least 1"));
        }
        let positive = [
            ("directory.lookups", sections.directory.lookups > 0),
            ("directory.cached_keys", sections.directory.cached_keys > 0),
            (
                "gateway.max_concurrent",
                sections.gateway.max_concurrent > 0,
            ),
            (
                "gateway.head_timeout_seconds",
                sections.gateway.head_timeout_seconds > 0,
            ),
            (
                "gateway.body_timeout_seconds",
                sections.gateway.body_timeout_seconds > 0,
            ),
            (
                "admin.requests_expire_hours",
                sections.admin.requests_expire_hours > 0,
            ),
            (
                "sources.timeout_seconds",
                sections.sources.timeout_seconds > 0,
            ),
            (
                "sources.body_timeout_seconds",
                sections.sources.body_timeout_seconds > 0,
            ),
            (
                "sources.room_bytes",
                sections.sources.room_bytes >= sections.sources.body_limit_bytes,
            ),
            (
                "database.timeout_seconds",
                sections.database.timeout_seconds > 0,
            ),
            (
                "database.max_connections",
                sections.database.max_connections > 1,
            ),
            (
                "freshness.nonces_per_key",
                sections.freshness.nonces_per_key > 0,
            ),
        ];
        match positive.into_iter().find(|(_, good)| !good) {
            Some((key, _)) => Err(self.wrong(key, "must be larger")),
            None => Ok(()),
        }
    }

    /// How people are known to the admin API.
    fn people(&self, admin: &AdminSection) -> Result<(), ConfigError> {
        if admin.client_ca.is_some() && admin.tls_cert.is_none() {
            return Err(self.wrong(
                "admin.client_ca",
                "client certificates need TLS: set admin.tls_cert and admin.tls_key",
            ));
        }
        if admin.client_crl.is_some() && admin.client_ca.is_none() {
            return Err(self.wrong(
                "admin.client_crl",
                "also set admin.client_ca, the authority that issues the list",
            ));
        }
        let oidc = &admin.oidc;
        let Some(issuer) = &oidc.issuer else {
            return match oidc.client_id {
                Some(_) => Err(self.missing(
                    "admin.oidc.issuer",
                    "set it to the provider's issuer identifier: \"https://login.example.com\"",
                )),
                None => Ok(()),
            };
        };
        if !is_safe_for_secrets(issuer) {
            return Err(self.wrong(
                "admin.oidc.issuer",
                "must be \"https://HOST\", because this server decides who an operator is (http is allowed only for this machine)",
            ));
        }
        if oidc.client_id.as_ref().is_none_or(String::is_empty) {
            return Err(self.missing(
                "admin.oidc.client_id",
                "set it to the id under which akgate is registered at the provider",
            ));
        }
        if !oidc.scopes.iter().any(|scope| scope == "openid") {
            return Err(self.wrong("admin.oidc.scopes", "must include \"openid\""));
        }
        if !(1..=24).contains(&oidc.token_hours) {
            return Err(self.wrong("admin.oidc.token_hours", "must be 1 to 24"));
        }
        match (&oidc.client_secret, &oidc.client_secret_file) {
            (None, None) => Ok(()),
            (given, file) => self
                .must_secret("admin.oidc.client_secret", given.as_ref(), file.as_ref())
                .map(drop),
        }
    }

    fn gateway(&self, sections: &ConfigSections) -> Result<(), ConfigError> {
        let known = ["AssumeRoleWithSAML", "AssumeRoleWithOIDC"];
        if let Some(other) = sections
            .gateway
            .anonymous
            .iter()
            .find(|action| !known.contains(&action.as_str()))
        {
            let message = format!(
                "\"{other}\" needs an AccessKey; only AssumeRoleWithSAML and AssumeRoleWithOIDC can be called without one"
            );
            return Err(self.wrong("gateway.anonymous", &message));
        }
        let upstreams = &sections.upstreams;
        let catalogued = [
            ("upstreams.ram", upstreams.ram.view()),
            ("upstreams.ims", upstreams.ims.view()),
            ("upstreams.sts", upstreams.sts.view()),
            (
                "upstreams.resourcemanager",
                upstreams.resourcemanager.view(),
            ),
        ];
        let served = catalogued.iter().filter(|(_, one)| one.url.is_some());
        if served.count() == 0 && upstreams.other.is_empty() {
            return Err(self.missing(
                "upstreams.ram.url",
                "a gateway needs an upstream: set it to a URL, or to \"sandbox\"",
            ));
        }
        for (name, one) in catalogued {
            self.upstream(name, one)?;
        }
        for other in &upstreams.other {
            if other.actions.is_empty() {
                return Err(self.wrong(
                    "upstreams.other",
                    "`actions` must list the actions to serve",
                ));
            }
            self.upstream("upstreams.other", other.view())?;
        }
        Ok(())
    }

    fn upstream(&self, name: &str, one: UpstreamView<'_>) -> Result<(), ConfigError> {
        let Some(url) = one.url else {
            return Ok(());
        };
        let (url_key, credentials_key) = (format!("{name}.url"), format!("{name}.credentials"));
        if url == "sandbox" {
            return match one.credentials {
                CredentialsChoice::Drop => Ok(()),
                CredentialsChoice::Keep => Err(self.wrong(
                    &credentials_key,
                    "the sandbox uses the identity header, not the caller's credentials: set it to \"drop\"",
                )),
            };
        }
        let parsed: Option<http::Uri> = url.parse().ok();
        let good = parsed.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some()
                && uri.path() == "/"
                && uri.query().is_none()
        });
        if !good {
            return Err(self.wrong(
                &url_key,
                "must be \"http://HOST:PORT\" or \"https://HOST:PORT\" without a path, or \"sandbox\"",
            ));
        }
        if one.credentials == CredentialsChoice::Keep {
            return Ok(());
        }
        let key_name = format!("{name}.identity_key");
        let key = self.must_secret(&key_name, one.identity_key, one.identity_key_file)?;
        if hex::decode(key.expose()).is_ok_and(|bytes| bytes.len() == 32) {
            Ok(())
        } else {
            Err(self.wrong(
                &key_name,
                "must be 64 hexadecimal digits: `openssl rand -hex 32`",
            ))
        }
    }

    fn public_url(&self, sections: &ConfigSections) -> Result<(), ConfigError> {
        let key = "public.url";
        let Some(url) = &sections.public.url else {
            return Err(self.missing(
                key,
                "letters link to it: set it to the URL by which owners reach the public listener, \"https://akgate.example.com\"",
            ));
        };
        let uri: http::Uri = url
            .parse()
            .map_err(|_| self.wrong(key, "must be \"https://HOST\""))?;
        let loopback = uri.host().is_some_and(is_loopback);
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if loopback => Ok(()),
            _ => Err(self.wrong(
                key,
                "must be \"https://HOST\", because the links in letters are secrets (http is allowed only for this machine)",
            )),
        }
    }

    fn sources(&self, sources: &SourcesSection) -> Result<(), ConfigError> {
        let names = sources.signed.iter().map(|one| one.name.as_str());
        let names = names.chain(sources.revocation.iter().map(|one| one.name.as_str()));
        let names: Vec<&str> = names.collect();
        self.names("sources.signed", &names)?;
        if names.contains(&"public") {
            return Err(self.wrong(
                "sources.signed",
                "\"public\" is reserved for reports at POST /report",
            ));
        }
        for one in &sources.signed {
            self.signed_source(one)?;
        }
        for one in &sources.revocation {
            let key = "sources.revocation.token";
            if one.token.is_none() && one.token_file.is_none() {
                let message = format!("\"{}\": set `token`, or `token_file`", one.name);
                return Err(self.wrong("sources.revocation", &message));
            }
            let token = self.must_secret(key, one.token.as_ref(), one.token_file.as_ref())?;
            if token.expose().len() < 20 {
                return Err(self.wrong(
                    "sources.revocation",
                    "a token must have at least 20 characters: `openssl rand -hex 32`",
                ));
            }
        }
        Ok(())
    }

    /// Names that stand in records: plain, and each once.
    fn names(&self, key: &str, names: &[&str]) -> Result<(), ConfigError> {
        let mut seen = HashSet::new();
        for name in names {
            if !is_valid_name(name) {
                let message = format!(
                    "the name \"{name}\" must be 1 to 64 letters, digits, dots, hyphens and underscores"
                );
                return Err(self.wrong(key, &message));
            }
            if !seen.insert(name) {
                return Err(self.wrong(key, &format!("the name \"{name}\" is used twice")));
            }
        }
        Ok(())
    }

    fn hooks(&self, events: &EventsSection) -> Result<(), ConfigError> {
        let key = "events.hooks";
        let names: Vec<&str> = events.hooks.iter().map(|one| one.name.as_str()).collect();
        self.names(key, &names)?;
        for one in &events.hooks {
            let wrong = |what: &str| self.wrong(key, &format!("\"{}\": {what}", one.name));
            let url =
                self.must_secret("events.hooks.url", one.url.as_ref(), one.url_file.as_ref())?;
            if !is_safe_for_secrets(url.expose().trim()) {
                return Err(wrong(
                    "`url` must be \"https://…\", because events name leaked keys (http is allowed only for this machine)",
                ));
            }
            if one.kinds.as_ref().is_some_and(Vec::is_empty) {
                return Err(wrong("`kinds` is empty: omit it to send all kinds"));
            }
            let secrets = one
                .secrets()
                .map_err(|fault| wrong(&format!("`secrets_file`: {fault}")))?;
            match (one.format, secrets.as_slice()) {
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
        }
        Ok(())
    }

    fn signed_source(&self, one: &SignedSource) -> Result<(), ConfigError> {
        let key = "sources.signed";
        let wrong = |what: &str| self.wrong(key, &format!("\"{}\": {what}", one.name));
        let view = one.view();
        for (name, header) in [
            ("id_header", view.id_header),
            ("signature_header", view.signature_header),
        ] {
            let named = header.is_some_and(|header| header.parse::<http::HeaderName>().is_ok());
            if !named {
                return Err(wrong(&format!(
                    "`{name}` must be the name of a header; or set `preset`"
                )));
            }
        }
        if !view.keys_url.is_some_and(is_safe_for_secrets) {
            return Err(wrong(
                "`keys_url` must be \"https://…\", because its keys sign leak reports (http is allowed only for this machine)",
            ));
        }
        if one.keys_token.is_some() || one.keys_token_file.is_some() {
            let key = "sources.signed.keys_token";
            self.must_secret(key, one.keys_token.as_ref(), one.keys_token_file.as_ref())?;
        }
        Ok(())
    }

    fn mail(&self, sections: &ConfigSections) -> Result<(), ConfigError> {
        let mail = &sections.mail;
        let Some(from) = &mail.from else {
            return Err(self.missing(
                "mail.from",
                "set it to a sender like \"akgate <akgate@example.com>\"",
            ));
        };
        if from.parse::<lettre::message::Mailbox>().is_err() {
            return Err(self.wrong("mail.from", "must be \"NAME <USER@HOST>\""));
        }
        match (&mail.dkim_selector, &mail.dkim_key_file) {
            (Some(_), None) => {
                return Err(
                    self.missing("mail.dkim_key_file", "set it to the key that signs letters")
                );
            }
            (None, Some(_)) => {
                return Err(self.missing(
                    "mail.dkim_selector",
                    "set it to the selector of the public key in the DNS",
                ));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        match mail.transport {
            TransportChoice::Folder if mail.folder.is_none() => {
                Err(self.missing("mail.folder", "set it to the folder to write letters to"))
            }
            TransportChoice::Folder => Ok(()),
            TransportChoice::Smtp if mail.host.is_none() => Err(self.missing(
                "mail.host",
                "set it to the mail server's name, or set transport = \"folder\"",
            )),
            TransportChoice::Smtp if mail.username.is_some() => self
                .must_secret(
                    "mail.password",
                    mail.password.as_ref(),
                    mail.password_file.as_ref(),
                )
                .map(drop),
            TransportChoice::Smtp => Ok(()),
        }
    }

    fn both_or_none(
        &self,
        section: &str,
        certificate: Option<&PathBuf>,
        key: Option<&PathBuf>,
    ) -> Result<(), ConfigError> {
        match (certificate, key) {
            (Some(_), None) => Err(self.wrong(
                &format!("{section}.tls_cert"),
                "also set tls_key, the private key",
            )),
            (None, Some(_)) => Err(self.wrong(
                &format!("{section}.tls_key"),
                "also set tls_cert, the certificate",
            )),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    /// A secret that is given as itself or by a file, and must be given.
    fn must_secret(
        &self,
        key: &str,
        given: Option<&ConfigSecret>,
        file: Option<&PathBuf>,
    ) -> Result<ConfigSecret, ConfigError> {
        let file_key = format!("{key}_file");
        match (given, file) {
            (Some(_), Some(_)) => Err(self.wrong(
                &file_key,
                &format!("`{key}` is set too: remove one of the two"),
            )),
            (Some(secret), None) => Ok(secret.clone()),
            (None, Some(path)) => ConfigSecret::read(path)
                .map_err(|fault| self.wrong(&file_key, &format!("{}: {fault}", path.display()))),
            (None, None) => Err(self.missing(
                key,
                &format!(
                    "set it, or set `{file_key}` to a file that contains it, or {}",
                    environment_variable(key)
                ),
            )),
        }
    }

    /// A value is wrong.
    fn wrong(&self, key: &str, what: &str) -> ConfigError {
        let message = format!("`{key}`: {what}");
        let variable = environment_variable(key);
        if std::env::var_os(&variable).is_some() {
            return ConfigError::of(format!("environment variable {variable}: {what}"));
        }
        match (self.file, self.locate(key)) {
            (Some(path), Some((place, length))) => ConfigError::at(path, place, length, &message),
            _ => ConfigError::of(message),
        }
    }

    /// A value is missing: shown at its section, where there is one.
    fn missing(&self, key: &str, what: &str) -> ConfigError {
        let message = format!("`{key}` is missing: {what}");
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        match (self.file, self.locate_header(section)) {
            (Some(path), Some((place, length))) => ConfigError::at(path, place, length, &message),
            (Some(path), None) => ConfigError::of(format!("{}: {message}", path.display())),
            (None, _) => ConfigError::of(message),
        }
    }

    /// Where a key stands: line, column, the line's text, and the length of the value.
    fn locate(&self, key: &str) -> Option<((usize, usize, &str), usize)> {
        let document = DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let (last, sections) =
            key.split('.')
                .collect::<Vec<_>>()
                .split_last()
                .map(|(last, sections)| {
                    (
                        (*last).to_owned(),
                        sections
                            .iter()
                            .map(|one| (*one).to_owned())
                            .collect::<Vec<_>>(),
                    )
                })?;
        for section in &sections {
            table = table.get(section.as_str())?.get_ref().as_table()?;
        }
        let span = table.get(last.as_str())?.span();
        let place = self.place(span.start)?;
        // A value over several lines is marked to the end of its first.
        let length = span.len().min(place.2.len().saturating_sub(place.1 - 1));
        Some((place, length))
    }

    fn locate_header(&self, section: &str) -> Option<((usize, usize, &str), usize)> {
        let header = format!("[{section}]");
        self.text
            .lines()
            .enumerate()
            .find(|(_, line)| line.trim_start().starts_with(&header))
            .map(|(at, line)| ((at + 1, 1, line), header.len()))
    }

    fn place(&self, offset: usize) -> Option<(usize, usize, &str)> {
        let before = self.text.get(..offset)?;
        let line = before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        Some((line + 1, column, self.text.lines().nth(line)?))
    }
}

/// Whether secrets may go to this address: https, or http on this machine.
fn is_safe_for_secrets(url: &str) -> bool {
    let uri = url.parse::<http::Uri>();
    uri.is_ok_and(|uri| match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => uri.host().is_some_and(is_loopback),
        _ => false,
    })
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// The environment variable of a key.
fn environment_variable(key: &str) -> String {
    format!("AKGATE_{}", key.replace('.', "_").to_ascii_uppercase())
}
