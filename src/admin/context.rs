//! What the endpoints share: the database, the node of this process, and the settings of the API.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{http::problem::Problem, oidc::sign_in::SignInService};
use akgate_api::receipts::{Receipt, Wait};
use akgate_rules::{
    lineage::DescendantPolicy,
    operation::{Blocklist, Catalogue, DataError, EffectList},
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

/// What the endpoints depend on.
#[derive(Clone)]
pub struct AdminApi {
    /// The database.
    pub pool: Pool,
    /// Turns a leaked secret into a keyed digest as soon as it arrives.
    pub ring: Arc<KeyRing>,
    /// Generates tokens and ids.
    pub randomness: Arc<Randomness>,
    /// Applies a change on this node before the answer; `None` if this process has no gateway.
    pub feed: Option<Arc<Feed>>,
    /// Where changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// This process among the nodes.
    pub node_id: Uuid,
    /// The latest time that this node has seen; it never steps back.
    pub latest: Arc<LatestTime>,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: AdminSettings,
    /// The catalogue of operations, and the operations that the profile `strict` refuses.
    pub rules: Arc<PolicyRules>,
    /// How long a request may take in the database.
    pub timeout: Duration,
}

/// The settings of the admin API.
#[derive(Clone)]
pub struct AdminSettings {
    /// Which changes need an approval.
    pub four_eyes: FourEyes,
    /// What becomes of what a leaked key made.
    pub descendants: DescendantPolicy,
    /// The policy in this node's configuration.
    pub policy: Policy,
    /// The profile of accounts that have none of their own.
    pub profile: Profile,
    /// Effects of operations of other products, beside those that come with the build.
    pub effects: EffectList,
    /// Requests per second that one source address may send, with bursts of ten times as many.
    pub requests_per_second: NonZeroU32,
    /// Whether operators identify themselves with a client certificate.
    pub certificates: bool,
    /// Sign-in with an OpenID Connect provider, if one is configured.
    pub sign_in: Option<Arc<SignInService>>,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            four_eyes: FourEyes::default(),
            descendants: DescendantPolicy::default(),
            policy: Policy::default(),
            profile: Profile::default(),
            effects: EffectList::default(),
            requests_per_second: NonZeroU32::MIN.saturating_add(99),
            certificates: false,
            sign_in: None,
        }
    }
}

/// The catalogue of operations, and the operations that the profile `strict` refuses.
pub struct PolicyRules {
    pub(crate) catalogue: Catalogue,
    pub(crate) strict: Blocklist,
}

impl PolicyRules {
    /// The built-in ones, and these effects.
    ///
    /// # Errors
    /// [`DataError`] if the embedded data is wrong; the tests check it.
    pub fn with_effects(effects: EffectList) -> Result<Self, DataError> {
        Ok(Self {
            catalogue: Catalogue::built_in()?.with_effects(effects),
            strict: Blocklist::strict()?,
        })
    }
}

impl AdminApi {
    /// Runs a query on one connection, within the timeout of a request.
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

    /// Runs a database call, within the timeout of a request.
    pub(crate) async fn query<T, E: From<StateFault>>(
        &self,
        query: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        with_timeout(self.timeout, query).await
    }

    /// Makes this node enforce a committed change.
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
