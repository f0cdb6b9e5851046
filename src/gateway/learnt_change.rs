//! Works out how a successful call changed the directory: one rule per action, the same for JSON and XML.

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{answer_tree::text_at, lookup::Caller};
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret, SecurityToken},
    lineage,
    operation::{
        Operation, Product,
        user_parameters::{NamedUser, named_user, new_user_name},
    },
    position::Position,
    request::parameters::Parameters,
};
use akgate_state::{
    directory::{
        KeyRecord,
        keys::{KeyCreator, NewKey},
        sessions::{Ancestor, NewSession, SessionParent, SessionRecord},
    },
    keys::directory_change::{DirectoryChange, UserRef},
};

/// An answer lacks a member that its action always returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer does not have `{0}`")]
pub struct MissingField(pub &'static str);

/// A call that upstream has answered.
pub struct AnsweredCall<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// The caller; `None` for a federated call.
    pub caller: Option<&'a Caller>,
    /// The position of the registry when the intent was written; a session counts as minted then.
    pub minted_at: Position,
    /// The call's id.
    pub request_id: uuid::Uuid,
    /// When it was received.
    pub received_at: OffsetDateTime,
}

/// What must be read to update the directory after an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearntFrom {
    /// Nothing: the directory does not store what it changes.
    Nothing,
    /// The request.
    Call,
    /// The answer, which contains the new credentials.
    Answer,
}

/// What must be read to update the directory after this operation.
#[must_use]
pub fn learnt_from(operation: &Operation) -> LearntFrom {
    match (operation.product(), operation.action()) {
        (Product::Ram | Product::Ims, "CreateAccessKey")
        | (Product::Sts, "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithOIDC") => {
            LearntFrom::Answer
        }
        (
            Product::Ram | Product::Ims,
            "UpdateAccessKey"
            | "DeleteAccessKey"
            | "RestoreAccessKeyFromRecycleBin"
            | "CreateUser"
            | "UpdateUser"
            | "DeleteUser",
        ) => LearntFrom::Call,
        _ => LearntFrom::Nothing,
    }
}

impl AnsweredCall<'_> {
    /// The change that a successful call made.
    ///
    /// # Errors
    /// [`MissingField`] if the answer or the request lacks a required field.
    pub fn directory_change(&self, tree: &Value) -> Result<Option<DirectoryChange>, MissingField> {
        let change = match self.operation.action() {
            "CreateAccessKey" => self.new_key(tree)?,
            "UpdateAccessKey" => {
                let status = match self.parameters.get("Status") {
                    Some(status) if status.eq_ignore_ascii_case("active") => KeyStatus::Active,
                    Some(status) if status.eq_ignore_ascii_case("inactive") => KeyStatus::Inactive,
                    Some(_) | None => return Err(MissingField("Status")),
                };
                DirectoryChange::KeyStatus(self.key_id()?, status)
            }
            "DeleteAccessKey" => DirectoryChange::KeyStatus(self.key_id()?, KeyStatus::Deleted),
            // Whatever its state after being restored, it is treated as active.
            "RestoreAccessKeyFromRecycleBin" => {
                DirectoryChange::KeyStatus(self.key_id()?, KeyStatus::Active)
            }
            "CreateUser" => {
                let UserRef::Name(name) = self.given_user()? else {
                    return Err(MissingField("UserName"));
                };
                let id = text_at(tree, &["User", "UserId"]).map(str::to_owned);
                DirectoryChange::NewUser(name, id)
            }
            "DeleteUser" => DirectoryChange::DeletedUser(self.given_user()?),
            "UpdateUser" => {
                let from = self.given_user()?;
                match new_user_name(self.operation, self.parameters) {
                    Some(to) if from != UserRef::Name(to.clone()) => {
                        DirectoryChange::RenamedUser(from, to)
                    }
                    Some(_) | None => return Ok(None),
                }
            }
            _ if self.operation.product() == &Product::Sts => self.new_session(tree)?,
            _ => return Ok(None),
        };
        Ok(Some(change))
    }

    fn key_id(&self) -> Result<AccessKeyId, MissingField> {
        let id = self.parameters.get("UserAccessKeyId").unwrap_or_default();
        AccessKeyId::parse(id).map_err(|_| MissingField("UserAccessKeyId"))
    }

    /// The RAM user that a call about users names: if it gives both a name and an id, the upstream has checked that
    /// they agree.
    fn given_user(&self) -> Result<UserRef, MissingField> {
        match named_user(self.operation, self.parameters) {
            Some(NamedUser::Name(name)) => Ok(UserRef::Name(name)),
            Some(NamedUser::Id(id)) => Ok(UserRef::Id(id)),
            None => Err(MissingField("UserName")),
        }
    }

    /// The RAM user whose key is meant: named, or the caller itself. `None` is the account.
    fn user_name(&self) -> Result<Option<String>, MissingField> {
        match (named_user(self.operation, self.parameters), self.caller) {
            (Some(NamedUser::Name(name)), _) => Ok(Some(name)),
            (None, Some(caller)) if caller.session.is_none() => Ok(caller.user_name.clone()),
            (Some(NamedUser::Id(_)) | None, _) => Err(MissingField("UserName")),
        }
    }

    fn new_key(&self, tree: &Value) -> Result<DirectoryChange, MissingField> {
        let member = |name| text_at(tree, &["AccessKey", name]);
        let id = member("AccessKeyId").ok_or(MissingField("AccessKey.AccessKeyId"))?;
        let secret = member("AccessKeySecret").ok_or(MissingField("AccessKey.AccessKeySecret"))?;
        let caller = self.caller.ok_or(MissingField("caller"))?;
        let status = match member("Status") {
            Some("Inactive") => KeyStatus::Inactive,
            Some(_) | None => KeyStatus::Active,
        };
        Ok(DirectoryChange::NewKey(NewKey {
            record: KeyRecord {
                access_key_id: AccessKeyId::parse(id)
                    .map_err(|_| MissingField("AccessKey.AccessKeyId"))?,
                account_id: caller.account_id.clone(),
                user_name: self.user_name()?,
                status,
                secret: AccessKeySecret::new(secret.to_owned()),
            },
            created_by: Some(KeyCreator {
                access_key_id: caller.access_key_id.clone(),
                origins: caller.origins(),
                request_id: self.request_id,
                at: self.received_at,
            }),
        }))
    }

    fn new_session(&self, tree: &Value) -> Result<DirectoryChange, MissingField> {
        let member =
            |name: &'static str| text_at(tree, &["Credentials", name]).ok_or(MissingField(name));
        let arn = text_at(tree, &["AssumedRoleUser", "Arn"])
            .ok_or(MissingField("AssumedRoleUser.Arn"))?;
        let (account_id, principal) =
            assumed_role(arn).ok_or(MissingField("AssumedRoleUser.Arn"))?;
        let expires_at = OffsetDateTime::parse(member("Expiration")?, &Rfc3339)
            .map_err(|_| MissingField("Credentials.Expiration"))?;
        let record = SessionRecord {
            access_key_id: AccessKeyId::parse(member("AccessKeyId")?)
                .ok()
                .filter(AccessKeyId::is_session)
                .ok_or(MissingField("Credentials.AccessKeyId"))?,
            account_id,
            principal,
            secret: AccessKeySecret::new(member("AccessKeySecret")?.to_owned()),
            token_sha256: SecurityToken::new(member("SecurityToken")?.to_owned()).digest(),
            expires_at,
        };
        Ok(DirectoryChange::NewSession(Box::new(NewSession {
            record,
            parent: self.caller.map(|caller| SessionParent {
                ancestor: Ancestor {
                    access_key_id: caller.access_key_id.clone(),
                    minted_at: self.minted_at,
                },
                account_id: caller.account_id.clone(),
            }),
            federated_by: lineage::provider_origin(|name| self.parameters.get(name)),
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
