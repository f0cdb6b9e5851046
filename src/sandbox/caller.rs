//! Who calls: the account itself, one of its RAM users, a session of a role, or nobody that akgate knows.

use akgate_rules::identity::Identity;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account; empty for an anonymous call.
    pub account_id: String,
    /// The principal.
    pub kind: PrincipalKind,
    /// The ARN; empty for an anonymous call.
    pub arn: String,
}

/// The principal of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The account itself.
    Root,
    /// A RAM user.
    User(String),
    /// Nobody: the call is not signed, and proves by a token of an identity provider who makes it.
    Anonymous,
    /// A session of a role.
    Session {
        /// The role.
        role: String,
        /// The session.
        session: String,
    },
}

impl Caller {
    /// Reads the principal of an identity; `None` for one that is no principal of RAM.
    pub fn of(identity: &Identity) -> Option<Self> {
        let Some(arn) = identity.principal.as_deref() else {
            return identity.account.is_none().then(|| Self {
                account_id: String::new(),
                kind: PrincipalKind::Anonymous,
                arn: String::new(),
            });
        };
        let (account_id, resource) = arn.strip_prefix("acs:ram::")?.split_once(':')?;
        if identity.account.as_deref() != Some(account_id) {
            return None;
        }
        let kind = match resource.split_once('/') {
            None if resource == "root" => PrincipalKind::Root,
            Some(("user", name)) => PrincipalKind::User(name.to_owned()),
            Some(("assumed-role", rest)) => {
                let (role, session) = rest.split_once('/')?;
                PrincipalKind::Session {
                    role: role.to_owned(),
                    session: session.to_owned(),
                }
            }
            Some(_) | None => return None,
        };
        Some(Self {
            account_id: account_id.to_owned(),
            kind,
            arn: arn.to_owned(),
        })
    }

    /// The ARNs by which a trust policy may mean this caller: its account, and itself. A session is meant by
    /// its role.
    pub fn trusted_as(&self) -> Vec<String> {
        let account = &self.account_id;
        let own = match &self.kind {
            PrincipalKind::Anonymous => return Vec::new(),
            PrincipalKind::Root => None,
            PrincipalKind::User(name) => Some(format!("acs:ram::{account}:user/{name}")),
            PrincipalKind::Session { role, .. } => Some(format!("acs:ram::{account}:role/{role}")),
        };
        std::iter::once(format!("acs:ram::{account}:root"))
            .chain(own)
            .collect()
    }
}
