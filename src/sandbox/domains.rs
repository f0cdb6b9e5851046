//! What an account's users are called after their `@`: its id, its alias, or its default domain.

use sqlx::PgPool;

use super::refused::SandboxFault;

/// The names of an account.
#[derive(Debug, Clone, Default)]
pub struct AccountDomains {
    /// `AccountAlias`.
    pub alias: Option<String>,
    /// `DefaultDomainName`, if one is set.
    pub default: Option<String>,
}

impl AccountDomains {
    /// Reads the names of an account; an unknown account has none.
    pub async fn find(pool: &PgPool, account_id: &str) -> Result<Self, SandboxFault> {
        let names = sqlx::query_as!(
            Self,
            "SELECT alias, default_domain AS \"default\"
             FROM sandbox.accounts
             WHERE account_id = $1",
            account_id
        )
        .fetch_optional(pool)
        .await?;
        Ok(names.unwrap_or_default())
    }

    /// The domain that the account's users are shown under.
    pub fn default_of(&self, account_id: &str) -> String {
        self.default
            .clone()
            .unwrap_or_else(|| onaliyun_domain(account_id))
    }

    /// Whether users of the account may be named under this domain.
    pub fn includes(&self, account_id: &str, domain: &str) -> bool {
        domain == onaliyun_domain(account_id)
            || self.alias.as_deref().map(onaliyun_domain).as_deref() == Some(domain)
    }
}

fn onaliyun_domain(name: &str) -> String {
    format!("{name}.onaliyun.com")
}
