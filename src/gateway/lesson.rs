//! What a successful answer teaches the directory: one rule per action, one form for JSON and XML.

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{answer::text, enforce::Minted, lookup::Credentials};
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret, SecurityToken},
    operation::{Operation, Product},
    request::parameters::Parameters,
};
use akgate_state::directory::{
    KeyRecord,
    keys::NewKey,
    sessions::{Ancestor, NewSession, Parent, SessionRecord},
};

/// What the directory is to learn.
#[derive(Debug, Clone)]
pub enum Lesson {
    /// A pair was made.
    NewKey(NewKey),
    /// A pair was enabled, disabled, deleted or brought back.
    Status(AccessKeyId, KeyStatus),
    /// A session was handed out.
    NewSession(Box<NewSession>),
    /// A RAM user was made: its name, and its id where the answer has it.
    NewUser(String, Option<String>),
    /// A RAM user has another name.
    Renamed(UserRef, String),
    /// A RAM user was deleted, and with it its keys.
    DeletedUser(UserRef),
}

/// How a call names a RAM user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// By `UserName`, or the part of `UserPrincipalName` before the `@`.
    Name(String),
    /// By `UserId`, as IMS allows.
    Id(String),
}

/// An answer does not have what its action promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer does not have `{0}`")]
pub struct Lacking(pub &'static str);

/// A call that upstream has answered.
pub struct Answered<'a> {
    /// What was asked for.
    pub operation: &'a Operation,
    /// With which parameters.
    pub parameters: &'a Parameters,
    /// By whom; `None` for a federated call.
    pub caller: Option<&'a Credentials>,
    /// The intent.
    pub minted: Minted,
    /// The call's id.
    pub request_id: uuid::Uuid,
    /// When it was received.
    pub received_at: OffsetDateTime,
}

/// Whether this action's answers teach anything.
#[must_use]
pub fn is_taught_by(operation: &Operation) -> bool {
    match operation.product() {
        Product::Ram | Product::Ims => matches!(
            operation.action(),
            "CreateAccessKey"
                | "UpdateAccessKey"
                | "DeleteAccessKey"
                | "RestoreAccessKeyFromRecycleBin"
                | "CreateUser"
                | "UpdateUser"
                | "DeleteUser"
        ),
        Product::Sts => matches!(
            operation.action(),
            "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithOIDC"
        ),
        Product::ResourceManager | Product::Other(_) => false,
    }
}

impl Answered<'_> {
    /// Reads the lesson from a successful answer.
    ///
    /// # Errors
    /// [`Lacking`] where the answer, or the call, does not say what must be known.
    pub fn lesson(&self, tree: &Value) -> Result<Option<Lesson>, Lacking> {
        let lesson = match self.operation.action() {
            "CreateAccessKey" => self.new_key(tree)?,
            "UpdateAccessKey" => {
                let status = match self.parameters.get("Status") {
                    Some(status) if status.eq_ignore_ascii_case("active") => KeyStatus::Active,
                    Some(status) if status.eq_ignore_ascii_case("inactive") => KeyStatus::Inactive,
                    Some(_) | None => return Err(Lacking("Status")),
                };
                Lesson::Status(self.key_id()?, status)
            }
            "DeleteAccessKey" => Lesson::Status(self.key_id()?, KeyStatus::Deleted),
            // Whatever state it comes back in, it is watched as if it worked.
            "RestoreAccessKeyFromRecycleBin" => Lesson::Status(self.key_id()?, KeyStatus::Active),
            "CreateUser" => {
                let name = self.named("UserName", "UserPrincipalName");
                let id = text(tree, &["User", "UserId"]).map(str::to_owned);
                Lesson::NewUser(name.ok_or(Lacking("UserName"))?, id)
            }
            "DeleteUser" => Lesson::DeletedUser(self.given_user()?),
            "UpdateUser" => {
                let from = self.given_user()?;
                match self.named("NewUserName", "NewUserPrincipalName") {
                    Some(to) if from != UserRef::Name(to.clone()) => Lesson::Renamed(from, to),
                    Some(_) | None => return Ok(None),
                }
            }
            _ if self.operation.product() == &Product::Sts => self.new_session(tree)?,
            _ => return Ok(None),
        };
        Ok(Some(lesson))
    }

    fn key_id(&self) -> Result<AccessKeyId, Lacking> {
        let id = self.parameters.get("UserAccessKeyId").unwrap_or_default();
        AccessKeyId::parse(id).map_err(|_| Lacking("UserAccessKeyId"))
    }

    /// The RAM user that a call about users names: where it gives a name and an id, upstream has seen to
    /// it that they agree.
    fn given_user(&self) -> Result<UserRef, Lacking> {
        if let Some(name) = self.named("UserName", "UserPrincipalName") {
            return Ok(UserRef::Name(name));
        }
        self.parameters
            .get("UserId")
            .filter(|text| !text.is_empty())
            .map(|id| UserRef::Id(id.to_owned()))
            .ok_or(Lacking("UserName"))
    }

    /// The RAM user whose key is meant: named, or the caller itself. `None` is the account.
    fn user_name(&self) -> Result<Option<String>, Lacking> {
        if let Some(name) = self.named("UserName", "UserPrincipalName") {
            return Ok(Some(name));
        }
        match self.caller {
            Some(caller) if caller.session.is_none() => Ok(caller.user_name.clone()),
            Some(_) | None => Err(Lacking("UserName")),
        }
    }

    /// A name in the form of RAM, or that of IMS: `NAME@ACCOUNT.onaliyun.com`.
    fn named(&self, ram: &str, ims: &str) -> Option<String> {
        let given = |name| self.parameters.get(name).filter(|text| !text.is_empty());
        let of_ims = || given(ims).map(|name| name.split('@').next().unwrap_or_default());
        given(ram).or_else(of_ims).map(str::to_owned)
    }

    fn new_key(&self, tree: &Value) -> Result<Lesson, Lacking> {
        let member = |name| text(tree, &["AccessKey", name]);
        let id = member("AccessKeyId").ok_or(Lacking("AccessKey.AccessKeyId"))?;
        let secret = member("AccessKeySecret").ok_or(Lacking("AccessKey.AccessKeySecret"))?;
        let caller = self.caller.ok_or(Lacking("caller"))?;
        let status = match member("Status") {
            Some("Inactive") => KeyStatus::Inactive,
            Some(_) | None => KeyStatus::Active,
        };
        Ok(Lesson::NewKey(NewKey {
            record: KeyRecord {
                access_key_id: AccessKeyId::parse(id)
                    .map_err(|_| Lacking("AccessKey.AccessKeyId"))?,
                account_id: caller.account_id.clone(),
                user_name: self.user_name()?,
                status,
                secret: AccessKeySecret::new(secret.to_owned()),
            },
            made_by: Some(caller.access_key_id.clone()),
        }))
    }

    fn new_session(&self, tree: &Value) -> Result<Lesson, Lacking> {
        let member = |name: &'static str| text(tree, &["Credentials", name]).ok_or(Lacking(name));
        let arn = text(tree, &["AssumedRoleUser", "Arn"]).ok_or(Lacking("AssumedRoleUser.Arn"))?;
        let (account_id, principal) = assumed_role(arn).ok_or(Lacking("AssumedRoleUser.Arn"))?;
        let expires_at = OffsetDateTime::parse(member("Expiration")?, &Rfc3339)
            .map_err(|_| Lacking("Credentials.Expiration"))?;
        let record = SessionRecord {
            access_key_id: AccessKeyId::parse(member("AccessKeyId")?)
                .ok()
                .filter(AccessKeyId::is_session)
                .ok_or(Lacking("Credentials.AccessKeyId"))?,
            account_id,
            principal,
            secret: AccessKeySecret::new(member("AccessKeySecret")?.to_owned()),
            token_sha256: SecurityToken::new(member("SecurityToken")?.to_owned()).digest(),
            expires_at,
        };
        Ok(Lesson::NewSession(Box::new(NewSession {
            record,
            parent: self.caller.map(|caller| Parent {
                ancestor: Ancestor {
                    access_key_id: caller.access_key_id.clone(),
                    minted_at: self.minted.position,
                },
                account_id: caller.account_id.clone(),
            }),
            minted_at: self.received_at,
            request_id: self.request_id,
        })))
    }
}

/// `acs:ram::ACCOUNT:role/NAME/SESSION`, as `AssumeRole` answers, to the account and the ARN that the session
/// acts under: `acs:ram::ACCOUNT:assumed-role/NAME/SESSION`.
fn assumed_role(arn: &str) -> Option<(String, String)> {
    let (account_id, resource) = arn.strip_prefix("acs:ram::")?.split_once(':')?;
    let role = resource
        .strip_prefix("assumed-role/")
        .or_else(|| resource.strip_prefix("role/"))?;
    Some((
        account_id.to_owned(),
        format!("acs:ram::{account_id}:assumed-role/{role}"),
    ))
}
