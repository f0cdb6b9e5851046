//! An account whose key has leaked, and a worker with a mailer that a test directs.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use akgate_api::{keys::KeyStatus, letters::LetterView};
use akgate_owners::letters::{
    facts::LetterSettings,
    letter::LetterTemplates,
    mailer::Mailer,
    worker::{LetterWorker, OutagePause},
};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    ladder::EscalationLadder,
    leak::LeakPlace,
    restriction::LiftRule,
    verdict::{Mode, Profile},
};
use akgate_state::{
    clock::Clock,
    directory::{
        KeyRecord,
        contacts::{Contact, Language, upsert_contacts},
        keys::NewKey,
        sealing::KeyRing,
    },
    keys::lifecycle::commit_key,
    leaks::record::{LeakReport, RestrictionInForce},
    live::barrier::Barrier,
    outbox::{
        list::{LetterCriteria, list_letters},
        queue::SendFault,
    },
    randomness::Randomness,
};
use futures_core::future::BoxFuture;
use lettre::Message;
use mail_parser::MessageParser;
use rand::{SeedableRng, rngs::StdRng};
use sqlx::PgPool;
use time::{OffsetDateTime, macros::datetime};
use tokio::sync::Notify;

use crate::harness::decide;

pub const NOW: OffsetDateTime = datetime!(2026-11-24 12:00:00 UTC);
pub const ACCOUNT: &str = "5123456789012345";
pub const KEY: &str = "LTAI5tFakeKeyForTestsOnly01";
pub const SECRET: &str = "FakeSecretOfAliceNobodyUses0a1";

pub fn ring() -> KeyRing {
    let key = |byte: u8| hex::encode([byte; 32]);
    KeyRing::parse(&format!("seal 1 {}\nindex {}", key(1), key(2))).unwrap()
}

pub fn key_id() -> AccessKeyId {
    AccessKeyId::parse(KEY).unwrap()
}

/// A clock that a test moves.
pub struct TestClock(Mutex<OffsetDateTime>);

impl TestClock {
    pub fn advance(&self, by: time::Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }
}

/// What a message said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub to: String,
    pub message_id: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Sent {
    pub fn link(&self) -> Option<&str> {
        self.text
            .split_whitespace()
            .find(|word| word.contains("/confirm/") || word.contains("/withdraw/"))
    }
}

/// What the mailer does with one message.
#[derive(Debug, Clone)]
pub enum Answer {
    Take,
    Fail(SendFault),
    Panic,
}

/// Remembers what it is handed, and answers as a test wants.
#[derive(Default)]
pub struct TestMailer {
    pub handed: Mutex<Vec<Sent>>,
    pub answers: Mutex<VecDeque<Answer>>,
    pub news: Notify,
}

impl TestMailer {
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub fn handed(&self) -> Vec<Sent> {
        self.handed.lock().unwrap().clone()
    }
}

impl Mailer for TestMailer {
    fn send<'s>(&'s self, _: &'s str, message: Message) -> BoxFuture<'s, Result<(), SendFault>> {
        Box::pin(async move {
            self.handed
                .lock()
                .unwrap()
                .push(parse(&message.formatted()));
            self.news.notify_one();
            // Another letter's turn, as with a real server.
            tokio::task::yield_now().await;
            let answer = self.answers.lock().unwrap().pop_front();
            match answer.unwrap_or(Answer::Take) {
                Answer::Take => Ok(()),
                Answer::Fail(fault) => Err(fault),
                Answer::Panic => panic!("a mailer that panics, on purpose"),
            }
        })
    }
}

pub fn parse(bytes: &[u8]) -> Sent {
    let message = MessageParser::default().parse(bytes).unwrap();
    Sent {
        to: message
            .to()
            .and_then(|to| to.first()?.address())
            .unwrap()
            .to_owned(),
        message_id: message.message_id().unwrap().to_owned(),
        subject: message.subject().unwrap().to_owned(),
        text: message.body_text(0).unwrap().into_owned(),
        html: message.body_html(0).unwrap().into_owned(),
    }
}

/// A worker on a database.
pub struct Stage {
    pub pool: PgPool,
    pub clock: Arc<TestClock>,
    pub mailer: Arc<TestMailer>,
    pub mode: Mode,
    pub enforce_from: Option<OffsetDateTime>,
    pub lift: LiftRule,
}

impl Stage {
    /// Keeps a key of alice's and so many contacts, and reports the key as leaked.
    pub async fn with_leak(pool: &PgPool, contacts: usize) -> (Self, RestrictionInForce) {
        let emails: Vec<String> = (0..contacts)
            .map(|n| format!("owner{n:02}@example.com"))
            .collect();
        let ranked: Vec<(&str, i32)> = emails.iter().map(|email| (email.as_str(), 1)).collect();
        Self::with_leak_to(pool, &ranked).await
    }

    /// The same with these contacts, each of a rank.
    pub async fn with_leak_to(
        pool: &PgPool,
        contacts: &[(&str, i32)],
    ) -> (Self, RestrictionInForce) {
        let stage = Self {
            pool: pool.clone(),
            clock: Arc::new(TestClock(Mutex::new(NOW))),
            mailer: Arc::default(),
            mode: Mode::Enforce,
            enforce_from: None,
            lift: LiftRule::Operator,
        };
        let key = NewKey {
            record: KeyRecord {
                access_key_id: key_id(),
                account_id: ACCOUNT.into(),
                user_name: Some("alice".into()),
                status: KeyStatus::Active,
                secret: AccessKeySecret::new(SECRET.into()),
            },
            created_by: None,
        };
        commit_key(pool, &ring(), &key, NOW, &mut StdRng::seed_from_u64(1))
            .await
            .unwrap();
        let ranked = contacts.iter().any(|(_, rank)| *rank > 1);
        // Known well before the leak.
        let known = NOW - time::Duration::days(30);
        let contacts: Vec<Contact> = contacts
            .iter()
            .enumerate()
            .map(|(n, (email, rank))| Contact {
                email: (*email).to_owned(),
                language: match ranked {
                    true => Language::English,
                    false => Language::ALL[n % 2],
                },
                rank: *rank,
            })
            .collect();
        let contacts: Vec<(&str, &Contact)> = contacts.iter().map(|one| (ACCOUNT, one)).collect();
        let mut tx = pool.begin().await.unwrap();
        upsert_contacts(&mut tx, &contacts, known).await.unwrap();
        tx.commit().await.unwrap();
        let address = format!("https://github.com/example/app/blob/main/{KEY}.env?q={SECRET}#L3");
        let report = LeakReport {
            access_key_id: Some(key_id()),
            secret: Some(AccessKeySecret::new(SECRET.into())),
            reference: Some("1".into()),
            place: LeakPlace::new(Some(&address), None, None),
            first_seen: Some(NOW - time::Duration::hours(4)),
        };
        let recorded = decide(pool, &ring(), "github", report, NOW).await;
        (stage, recorded)
    }

    pub fn worker(&self) -> LetterWorker {
        LetterWorker {
            pool: self.pool.clone(),
            ring: Arc::new(ring()),
            templates: LetterTemplates::load(None).unwrap(),
            mailer: Arc::clone(&self.mailer) as Arc<dyn Mailer>,
            from: "Cloud security <security@cloud.example>".parse().unwrap(),
            dkim: None,
            letter_settings: LetterSettings {
                public_url: "https://akgate.example".into(),
                support: "help@cloud.example".into(),
                hotline: None,
                ticket_url: None,
                profile: Profile::Mutations,
                mode: self.mode,
                enforce_from: self.enforce_from,
                ladder: EscalationLadder::default(),
                descendants: akgate_rules::lineage::DescendantPolicy::default(),
            },
            lift: self.lift,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            randomness: Arc::new(Randomness::new(StdRng::seed_from_u64(2))),
            metrics: Arc::default(),
            outage_pause: OutagePause::default(),
            barrier: Arc::new(Barrier::new(
                self.pool.clone(),
                self.pool.clone(),
                Arc::clone(&self.clock) as Arc<dyn Clock>,
                Duration::from_secs(10),
            )),
            timeout: Duration::from_secs(10),
        }
    }

    pub async fn run_once(&self) -> usize {
        Arc::new(self.worker()).run_once().await.unwrap()
    }

    pub async fn letters(&self) -> Vec<LetterView> {
        let wanted = LetterCriteria {
            limit: 100,
            ..LetterCriteria::default()
        };
        list_letters(&self.pool, &wanted).await.unwrap()
    }
}
