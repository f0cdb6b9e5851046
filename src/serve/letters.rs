//! The worker's part of the configuration: the mail server, the sender and the templates.

use std::{fs, sync::Arc, time::Duration};

use lettre::message::Mailbox;
use zeroize::Zeroizing;

use super::error::ServeError;
use crate::{
    app::LetterWorkerSettings,
    config::{ConfigSecret, ConfigSections, EncryptionChoice, TransportChoice},
};
use akgate_owners::letters::{
    dkim::Dkim,
    facts::LetterSettings,
    mailer::{Encryption, FolderMailer, Mailer, SmtpMailer, SmtpSettings},
};

/// Makes the worker's settings.
pub(super) fn letter_settings(
    sections: &ConfigSections,
) -> Result<LetterWorkerSettings, ServeError> {
    let (mail, policy) = (&sections.mail, &sections.policy);
    let from_text = mail
        .from
        .as_deref()
        .ok_or(ServeError::Unchecked("mail.from"))?;
    let from: Mailbox = from_text
        .parse()
        .map_err(|_| ServeError::Unchecked("mail.from"))?;
    let dkim = match mail
        .dkim_selector
        .as_deref()
        .zip(mail.dkim_key_file.as_deref())
    {
        Some((selector, key)) => Some(Dkim::load(from.email.domain(), selector, key)?),
        None => None,
    };
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
    Ok(LetterWorkerSettings {
        mailer,
        from,
        dkim,
        templates: mail.templates.clone(),
        letter_settings: LetterSettings {
            public_url: public.trim_end_matches('/').to_owned(),
            support: mail.support.clone().unwrap_or_else(|| from_text.to_owned()),
            hotline: mail.hotline.clone(),
            ticket_url: mail.ticket_url.clone(),
            profile: policy.profile,
            mode: policy.mode,
            enforce_from: policy.enforce_from.map(|instant| instant.0),
            ladder: policy.escalation.ladder(),
            descendants: policy.descendants,
        },
        lift: policy.lift,
    })
}

/// Makes the mail server's settings.
pub(crate) fn smtp_settings(sections: &ConfigSections) -> Result<SmtpSettings, ServeError> {
    let mail = &sections.mail;
    let password = ConfigSecret::resolve(mail.password.as_ref(), mail.password_file.as_deref())?;
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
