//! The accounts and keys of the demo: new in every run, so that the demo works with a kept state too.

use std::sync::Arc;

use akgate_state::database::Pool;
use rand::{Rng, RngExt};
use serde_json::json;
use time::OffsetDateTime;

use super::report::{DemoAccount, DemoKey};
use akgate_api::keys::KeyStatus;
use akgate_client::signer::SigningCredentials;
use akgate_rules::access_key::{AccessKeyId, AccessKeySecret, InvalidAccessKeyId};
use akgate_sandbox::seed as sandbox;
use akgate_state::{
    directory::{
        KeyRecord, StateFault,
        contacts::{self, Language},
        keys::NewKey,
        sealing::KeyRing,
    },
    keys::lifecycle,
    randomness::Randomness,
};

/// The keys and owners of the demo.
#[derive(Debug, Clone)]
pub struct Fixtures {
    /// The root key of the English account.
    pub root: SigningCredentials,
    /// A RAM user of that account, whose key leaks and is rotated.
    pub alice: SigningCredentials,
    /// Another RAM user, whose key does not leak.
    pub bob: SigningCredentials,
    /// A RAM user of the Chinese account, whose key leaks and stays in use.
    pub zhang: SigningCredentials,
    /// The English owner's address.
    pub english_owner: String,
    /// The Chinese owner's address.
    pub chinese_owner: String,
    english: String,
    chinese: String,
}

impl Fixtures {
    /// The account of a key.
    #[must_use]
    pub fn account_of(&self, key: &SigningCredentials) -> &str {
        if key.access_key_id == self.zhang.access_key_id {
            &self.chinese
        } else {
            &self.english
        }
    }

    /// The accounts, for the output.
    #[must_use]
    pub fn accounts(&self) -> Vec<DemoAccount> {
        let key = |key: &SigningCredentials, user_name: Option<&str>| DemoKey {
            access_key_id: key.access_key_id.clone(),
            access_key_secret: key.access_key_secret.clone(),
            user_name: user_name.map(str::to_owned),
            state: "clean",
        };
        vec![
            DemoAccount {
                account_id: self.english.clone(),
                owner_email: self.english_owner.clone(),
                language: Language::English.to_string(),
                access_keys: vec![
                    key(&self.root, None),
                    key(&self.alice, Some("alice")),
                    key(&self.bob, Some("bob")),
                ],
            },
            DemoAccount {
                account_id: self.chinese.clone(),
                owner_email: self.chinese_owner.clone(),
                language: Language::Chinese.to_string(),
                access_keys: vec![key(&self.zhang, Some("zhang"))],
            },
        ]
    }
}

/// Why the accounts and keys cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum SeedFault {
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
    /// A generated id is not valid.
    #[error(transparent)]
    Id(#[from] InvalidAccessKeyId),
}

/// Creates the accounts, their owners, users and keys, in the sandbox and in the directory.
///
/// # Errors
/// [`SeedFault`].
pub async fn seed_accounts(
    pool: &Pool,
    ring: &Arc<KeyRing>,
    randomness: &Randomness,
    now: OffsetDateTime,
) -> Result<Fixtures, SeedFault> {
    let mut rng = randomness.rng();
    let run = random_alphanumeric(&mut rng, 6);
    let (english, chinese) = (
        random_account_id(&mut rng, '5'),
        random_account_id(&mut rng, '6'),
    );
    let english_owner = format!("owner-{run}@example.com");
    let chinese_owner = format!("zhuren-{run}@example.com");
    for (account_id, owner, language) in [
        (&english, &english_owner, Language::English),
        (&chinese, &chinese_owner, Language::Chinese),
    ] {
        sandbox::seed_account(pool, account_id, now).await?;
        contacts::commit_contact(pool, account_id, owner, language, now).await?;
    }
    let mut made = Vec::new();
    for (account_id, user_name) in [
        (&english, None),
        (&english, Some("alice")),
        (&english, Some("bob")),
        (&chinese, Some("zhang")),
    ] {
        if let Some(name) = user_name {
            sandbox::seed_user(pool, account_id, name, now).await?;
        }
        let role = user_name.unwrap_or("root");
        let id = format!("LTAI5tDemo{role}{}", random_alphanumeric(&mut rng, 24));
        let id = AccessKeyId::parse(&id.chars().take(24).collect::<String>())?;
        let secret = format!("Demo{}", random_alphanumeric(&mut rng, 26));
        sandbox::seed_access_key(pool, account_id, user_name, &id, now).await?;
        let key = NewKey {
            record: KeyRecord {
                access_key_id: id.clone(),
                account_id: account_id.clone(),
                user_name: user_name.map(str::to_owned),
                status: KeyStatus::Active,
                secret: AccessKeySecret::new(secret.clone()),
            },
            created_by: None,
        };
        lifecycle::commit_key(pool, ring, &key, now, &mut rng).await?;
        made.push(SigningCredentials {
            access_key_id: id.as_str().to_owned(),
            access_key_secret: secret,
            security_token: None,
        });
    }
    let [root, alice, bob, zhang] = made
        .try_into()
        .map_err(|_| StateFault::Corrupt("the fixtures of the demo"))?;
    Ok(Fixtures {
        root,
        alice,
        bob,
        zhang,
        english_owner,
        chinese_owner,
        english,
        chinese,
    })
}

/// A trust policy that lets an account's users in.
#[must_use]
pub fn trust_policy(account_id: &str) -> String {
    json!({
        "Version": "1",
        "Statement": [{
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": { "RAM": [format!("acs:ram::{account_id}:root")] },
        }],
    })
    .to_string()
}

fn random_alphanumeric(rng: &mut impl Rng, count: usize) -> String {
    rng.sample_iter(rand::distr::Alphanumeric)
        .take(count)
        .map(char::from)
        .collect::<String>()
}

/// A 16-digit account id.
fn random_account_id(rng: &mut impl Rng, first: char) -> String {
    let rest = (0..15).map(|_| char::from(rng.random_range(b'0'..=b'9')));
    std::iter::once(first).chain(rest).collect()
}
