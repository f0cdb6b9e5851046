//! The AccessKeys of a drill: made by counting, a few users in each account, every other account under `strict`.

use std::fmt::Write;

use akgate_client::signer::SigningCredentials;

/// How many keys an account has.
const KEYS_PER_ACCOUNT: usize = 20;

/// One key, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub usize);

impl Key {
    /// Its account.
    #[must_use]
    pub fn account(self) -> Account {
        Account(self.0 / KEYS_PER_ACCOUNT)
    }

    /// Its public half.
    #[must_use]
    pub fn id(self) -> String {
        format!("LTAI5tDrill{:07}", self.0)
    }

    /// What its calls are signed with.
    #[must_use]
    pub fn credentials(self) -> SigningCredentials {
        SigningCredentials {
            access_key_id: self.id(),
            access_key_secret: format!("FakeSecretOfDrill{:07}", self.0),
            security_token: None,
        }
    }
}

/// One account, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account(usize);

impl Account {
    /// Its id.
    #[must_use]
    pub fn id(self) -> String {
        format!("{:016}", 5_100_000_000_000_000 + self.0)
    }

    /// Whether its profile is `strict`: its leaked keys may not read either.
    #[must_use]
    pub fn is_strict(self) -> bool {
        self.0 % 2 == 1
    }
}

/// The strict accounts of the first `count` keys.
#[must_use]
pub fn strict_accounts(count: usize) -> Vec<Account> {
    let accounts = (0..count.div_ceil(KEYS_PER_ACCOUNT)).map(Account);
    accounts.filter(|account| account.is_strict()).collect()
}

/// The first `count` keys as `akgate keys import` takes them.
#[must_use]
pub fn csv(count: usize) -> String {
    let mut text = "account_id,user_name,access_key_id,access_key_secret,owner_email\n".to_owned();
    for key in (0..count).map(Key) {
        let credentials = key.credentials();
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{},user-{},{},{},owner@example.com",
            key.account().id(),
            key.0,
            credentials.access_key_id,
            credentials.access_key_secret
        );
    }
    text
}
