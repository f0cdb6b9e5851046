//! `AssumeRoleWithOIDC`: a session for a token of an OIDC provider. The sandbox fetches no keys: it reads a token and
//! checks its claims, and does not verify its signature.

use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::{
    answer::ResponseBody,
    asked::SandboxRequest,
    check,
    diagnosis::not_trusted,
    minting::{check_session_text, find_assumable_role, mint_session},
    oidc_providers::{CLIENT_IDS, oidc_provider_arn},
    record_kind::{RecordKind, RecordSet},
    records::{Record, find_record},
    refused::SandboxFault,
    sandbox::Sandbox,
    trust::{TrustRequest, TrustVerdict, evaluate_trust},
};

/// The claims of a token.
struct TokenClaims(Map<String, Value>);

impl TokenClaims {
    /// Reads a JSON Web Token.
    fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (payload, _signature) = (parts.nth(1)?, parts.next()?);
        let payload = payload.replace('-', "+").replace('_', "/");
        let payload = check::decode_base64("OIDCToken", &payload).ok()?;
        serde_json::from_slice(&payload).ok().map(Self)
    }

    fn text(&self, claim: &str) -> &str {
        self.0
            .get(claim)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The clients that it was issued to: one text, or a list of them.
    fn audience(&self) -> Vec<String> {
        let texts = match self.0.get("aud") {
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        texts.into_iter().map(str::to_owned).collect()
    }

    fn time(&self, claim: &str) -> Option<OffsetDateTime> {
        let seconds = self.0.get(claim).and_then(Value::as_i64)?;
        OffsetDateTime::from_unix_timestamp(seconds).ok()
    }
}

fn invalid(message: &'static str) -> SandboxFault {
    SandboxFault::not_authenticated("OIDCToken", "Invalid", message)
}

/// Checks the claims against the provider; returns when the token was issued and when it expires.
fn check_claims(
    claims: &TokenClaims,
    provider: &Record,
    now: OffsetDateTime,
) -> Result<(OffsetDateTime, OffsetDateTime), SandboxFault> {
    let audience = claims.audience();
    let is_client = CLIENT_IDS
        .items(provider)
        .any(|client| audience.iter().any(|one| one == client));
    let (Some(issued), Some(expires)) = (claims.time("iat"), claims.time("exp")) else {
        return Err(invalid("The token does not have iat and exp."));
    };
    if claims.text("iss") != provider.text("IssuerUrl") {
        return Err(invalid("The token is of another issuer."));
    }
    if !is_client {
        return Err(invalid("The token was issued to another client."));
    }
    if claims.text("sub").is_empty() {
        return Err(invalid("The token does not have sub."));
    }
    let hours = provider.member("IssuanceLimitTime").and_then(Value::as_i64);
    if expires <= now || issued + Duration::hours(hours.unwrap_or_default()) <= now {
        let message = "The token has expired, or was issued too long ago.";
        return Err(SandboxFault::not_authenticated(
            "OIDCToken",
            "Expired",
            message,
        ));
    }
    Ok((issued, expires))
}

pub async fn assume_role_with_oidc(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let session = check_session_text("RoleSessionName", asked.must("RoleSessionName")?)?;
    let (account_id, name) = asked
        .must("OIDCProviderArn")?
        .strip_prefix("acs:ram::")
        .and_then(|rest| rest.split_once(":oidc-provider/"))
        .ok_or_else(|| SandboxFault::wrongly_formed("OIDCProviderArn"))?;
    let token = asked.must("OIDCToken")?;
    let set = RecordSet {
        account_id,
        kind: RecordKind::OidcProvider,
    };
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_record(&mut tx, set, name).await?;
    let claims = TokenClaims::read(token).ok_or_else(|| invalid("This is no JSON Web Token."))?;
    let (issued, expires) = check_claims(&claims, &provider, sandbox.clock.now())?;
    let role = find_assumable_role(sandbox, asked).await?;
    let request = TrustRequest {
        member: "Federated",
        arns: &[oidc_provider_arn(account_id, name)],
        context: &[
            ("oidc:iss", vec![claims.text("iss").to_owned()]),
            ("oidc:aud", claims.audience()),
            ("oidc:sub", vec![claims.text("sub").to_owned()]),
        ],
    };
    match evaluate_trust(&role.trust, &request) {
        TrustVerdict::Allowed => {}
        verdict => {
            let is_denied = verdict == TrustVerdict::Denied;
            return Err(not_trusted(asked, &role.arn(), is_denied));
        }
    }
    let mut answer = mint_session(sandbox, asked, &role, session, "")?;
    let told = json!({
        "Issuer": claims.text("iss"),
        "Subject": claims.text("sub"),
        "ClientIds": claims.audience().join(","),
        "IssuanceTime": check::format_date(issued),
        "ExpirationTime": check::format_date(expires),
        "VerificationInfo": "Success",
    });
    answer.insert("OIDCTokenInfo".to_owned(), told);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_read_without_its_signature() {
        // {"iss":"https://i/","aud":["a","b"],"sub":"s~?","iat":1,"exp":2}
        let token = "e30.eyJpc3MiOiJodHRwczovL2kvIiwiYXVkIjpbImEiLCJiIl0sInN1YiI6InN-PyIsImlhdCI6MSwiZXhwIjoyfQ.x";
        let claims = TokenClaims::read(token).unwrap();
        assert_eq!(claims.audience(), ["a", "b"]);
        assert_eq!(
            (claims.text("iss"), claims.text("sub")),
            ("https://i/", "s~?")
        );
        assert_eq!(
            claims.time("exp"),
            OffsetDateTime::from_unix_timestamp(2).ok()
        );
        for broken in ["", "a.b", "e30.!!.x", "e30.W10.x"] {
            assert!(TokenClaims::read(broken).is_none(), "{broken}");
        }
    }
}
