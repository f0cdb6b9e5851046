//! What the endpoints share: the database, the node that they run in, how the API is set.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{http::problem::Problem, oidc::sign_in::SignInService};
use akgate_api::receipts::{Receipt, Wait};
use akgate_rules::{
    operation::{Blocklist, Catalogue, DataError},
    position::Position,
    verdict::{Policy, Profile},
};
use akgate_state::{
    approvals::FourEyes,
    clock::{Clock, LatestTime},
    database::{Connection, Pool},
    directory::{StateFault, sealing::KeyRing, with_timeout},
    live::{
        barrier::{AffectedKeys, Barrier},
        feed::Feed,
    },
    randomness::Randomness,
};

/// What the endpoints stand on.
#[derive(Clone)]
pub struct AdminApi {
    /// The database.
    pub pool: Pool,
    /// Digests leaked secrets at the border.
    pub ring: Arc<KeyRing>,
    /// Makes tokens.
    pub randomness: Arc<Randomness>,
    /// Enforces on this node before the answer; `None` where this process has no gateway.
    pub feed: Option<Arc<Feed>>,
    /// Where changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// This process among the nodes.
    pub node_id: Uuid,
    /// The latest time that was seen.
    pub latest: Arc<LatestTime>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How it is set.
    pub settings: AdminSettings,
    /// What every operation would change, and what the profiles refuse.
    pub rules: Arc<PolicyRules>,
    /// How long a request may take in the database.
    pub timeout: Duration,
}

/// How the admin API is set.
#[derive(Clone)]
pub struct AdminSettings {
    /// When it takes two operators.
    pub four_eyes: FourEyes,
    /// The policy that this node is configured to.
    pub policy: Policy,
    /// The profile of accounts that have none of their own.
    pub profile: Profile,
    /// How many requests a second one source may make, and ten times as many at once.
    pub requests_per_second: NonZeroU32,
    /// People show a certificate.
    pub certificates: bool,
    /// Where people sign in, if anywhere.
    pub sign_in: Option<Arc<SignInService>>,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            four_eyes: FourEyes::default(),
            policy: Policy::default(),
            profile: Profile::default(),
            requests_per_second: NonZeroU32::MIN.saturating_add(99),
            certificates: false,
            sign_in: None,
        }
    }
}

/// What every operation would change, and what the profiles refuse.
pub struct PolicyRules {
    pub(crate) catalogue: Catalogue,
    pub(crate) strict: Blocklist,
}

impl PolicyRules {
    /// Those that come with this build.
    ///
    /// # Errors
    /// [`DataError`] where the embedded data is wrong; the tests keep that from being released.
    pub fn built_in() -> Result<Self, DataError> {
        Ok(Self {
            catalogue: Catalogue::built_in()?,
            strict: Blocklist::strict()?,
        })
    }
}

impl AdminApi {
    /// Reads on one connection, in the time that a request has.
    pub(crate) async fn reading<T>(
        &self,
        read: impl AsyncFnOnce(&mut Connection) -> Result<T, StateFault>,
    ) -> Result<T, StateFault> {
        let reading = async {
            let mut db = self.pool.acquire().await?;
            read(&mut db).await
        };
        self.query(reading).await
    }

    /// Asks the database, in the time that a request has.
    pub(crate) async fn query<T, E: From<StateFault>>(
        &self,
        query: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        with_timeout(self.timeout, query).await
    }

    /// Makes this node enforce what was committed.
    pub(crate) async fn enforce(&self, committed: Position) {
        if let Some(feed) = &self.feed {
            feed.enforce(committed).await;
        }
    }

    /// Waits until every node refuses what a committed change refuses.
    pub(crate) async fn receipt(
        &self,
        committed: Position,
        concern: AffectedKeys,
        wait: Wait,
    ) -> Result<Receipt, Problem> {
        self.enforce(committed).await;
        Ok(self.barrier.wait(committed, &concern, wait).await?)
    }
}
