//! Signing in: who a provider says that somebody is, if an operator, gets a token for some hours.

use std::net::IpAddr;

use akgate_state::database::Pool;
use rand::CryptoRng;
use time::{Duration, OffsetDateTime};

use super::{OidcFault, Provider, Returned};
use akgate_state::directory::{StateFault, within};
use akgate_state::operators::{
    Role,
    guesses::{Budget, give_back, source, take},
    store::{self, MadeToken},
};

/// Where people sign in, and for how long.
pub struct SignIn {
    /// Says who somebody is.
    pub provider: Provider,
    /// How long a token lasts.
    pub lasts: Duration,
}

/// Why somebody gets no token.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefused {
    /// The provider does not say who it is.
    #[error(transparent)]
    Provider(#[from] OidcFault),
    /// No operator is called so.
    #[error("no operator is named {0}")]
    Nobody(String),
    /// Too many were refused: the provider was not asked.
    #[error("too many refused codes")]
    TooMany {
        /// When it is asked again.
        until: OffsetDateTime,
    },
    /// The database gives no answer.
    #[error(transparent)]
    State(#[from] StateFault),
}

/// Whoever has signed in, with a token.
#[derive(Debug)]
pub struct SignedIn {
    /// The operator.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The token.
    pub made: MadeToken,
}

impl SignIn {
    /// Redeems the code that a browser has come back with, and makes a token for whom the provider names.
    ///
    /// A code is counted as a guess of its source before the provider is asked, as wrong tokens are: nobody can have it
    /// asked at will. `timeout` is that of each look at the database.
    ///
    /// # Errors
    /// [`SignInRefused`]; there is no token then.
    pub async fn redeem(
        &self,
        (pool, timeout): (&Pool, std::time::Duration),
        returned: Returned<'_>,
        from: IpAddr,
        now: OffsetDateTime,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<SignedIn, SignInRefused> {
        let budget = Budget::of_source(&source(from));
        if let Err(until) = within(timeout, take(pool, &budget, now)).await? {
            return Err(SignInRefused::TooMany { until });
        }
        let name = self.provider.name(returned, now).await?;
        within(timeout, give_back(pool, &budget)).await?;
        let making = store::sign_in(pool, &name, self.lasts, now, rng);
        match within(timeout, making).await? {
            Some((role, made)) => Ok(SignedIn { name, role, made }),
            None => Err(SignInRefused::Nobody(name)),
        }
    }
}
