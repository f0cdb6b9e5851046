//! Sign-in: a person whom the provider identifies as an operator gets a token for some hours.

use std::net::IpAddr;

use akgate_state::database::Pool;
use rand::CryptoRng;
use time::{Duration, OffsetDateTime};

use super::{AuthorizationResponse, OidcFault, OidcProvider};
use akgate_api::operators::Role;
use akgate_state::directory::{StateFault, with_timeout};
use akgate_state::operators::{
    guesses::{GuessBudget, count_guess, guess_source, refund_guess},
    store::{self, IssuedToken},
};

/// Where people sign in, and for how long.
pub struct SignInService {
    /// The identity provider.
    pub provider: OidcProvider,
    /// How long a token lasts.
    pub lasts: Duration,
}

/// Why a sign-in fails.
#[derive(Debug, thiserror::Error)]
pub enum SignInFault {
    /// The provider did not identify the person.
    #[error(transparent)]
    Provider(#[from] OidcFault),
    /// No operator has this name.
    #[error("no operator is named {0}")]
    Nobody(String),
    /// Too many codes were refused: the provider was not asked.
    #[error("too many refused codes")]
    TooMany {
        /// When the next code is accepted.
        until: OffsetDateTime,
    },
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

/// A person who has signed in, and their token.
#[derive(Debug)]
pub struct SignedInOperator {
    /// The operator.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The token.
    pub made: IssuedToken,
}

impl SignInService {
    /// Redeems the code that a browser returned with, and creates a token for the operator whom the provider names.
    ///
    /// A code counts as a guess of its source address before the provider is asked, as a wrong token does, so that
    /// nobody can flood the provider. `timeout` limits each database call.
    ///
    /// # Errors
    /// [`SignInFault`]; there is no token then.
    pub async fn redeem(
        &self,
        (pool, timeout): (&Pool, std::time::Duration),
        returned: AuthorizationResponse<'_>,
        from: IpAddr,
        now: OffsetDateTime,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<SignedInOperator, SignInFault> {
        let budget = GuessBudget::of_source(&guess_source(from));
        if let Err(until) = with_timeout(timeout, count_guess(pool, &budget, now)).await? {
            return Err(SignInFault::TooMany { until });
        }
        let name = self.provider.operator_name(returned, now).await?;
        with_timeout(timeout, refund_guess(pool, &budget)).await?;
        let making = store::issue_sign_in_token(pool, &name, self.lasts, now, rng);
        match with_timeout(timeout, making).await? {
            Some((role, made)) => Ok(SignedInOperator { name, role, made }),
            None => Err(SignInFault::Nobody(name)),
        }
    }
}
