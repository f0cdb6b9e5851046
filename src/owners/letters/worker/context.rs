//! What the worker stands on.

use std::{sync::Arc, time::Duration};

use lettre::message::Mailbox;

use super::outage_pause::OutagePause;
use crate::letters::{dkim::Dkim, facts::LetterSettings, letter::LetterTemplates, mailer::Mailer};
use akgate_net::metrics::Metrics;
use akgate_rules::restriction::LiftRule;
use akgate_state::{
    clock::Clock, database::Pool, directory::sealing::KeyRing, live::barrier::Barrier,
    randomness::Randomness,
};

/// Sends letters: its parts.
pub struct LetterWorker {
    /// The database.
    pub pool: Pool,
    /// Signs the links.
    pub ring: Arc<KeyRing>,
    /// The templates.
    pub templates: LetterTemplates,
    /// Takes the messages.
    pub mailer: Arc<dyn Mailer>,
    /// Who writes.
    pub from: Mailbox,
    /// Signs what is written.
    pub dkim: Option<Dkim>,
    /// What all letters tell.
    pub letter_settings: LetterSettings,
    /// Who lifts.
    pub lift: LiftRule,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of retries.
    pub randomness: Arc<Randomness>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the mail server takes letters.
    pub outage_pause: OutagePause,
    /// Where changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// How long one call of the database may take.
    pub timeout: Duration,
}
