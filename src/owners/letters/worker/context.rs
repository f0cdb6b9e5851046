//! What the worker depends on.

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
    /// Sends the messages.
    pub mailer: Arc<dyn Mailer>,
    /// The sender.
    pub from: Mailbox,
    /// Signs the messages (DKIM).
    pub dkim: Option<Dkim>,
    /// What the configuration says about letters.
    pub letter_settings: LetterSettings,
    /// Who may lift a restriction.
    pub lift: LiftRule,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of retries.
    pub randomness: Arc<Randomness>,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// The pause while the mail server is down.
    pub outage_pause: OutagePause,
    /// Where changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// How long one call of the database may take.
    pub timeout: Duration,
}
