//! Which RAM user a call means: by name in the form of RAM or of IMS, by id, by the id of a key, or the caller itself.

use sqlx::PgTransaction;

use super::{asked::SandboxRequest, caller::PrincipalKind, check, refused::SandboxFault};

/// A user's name in the form of RAM, or of IMS: `NAME@DOMAIN`.
pub fn parse_user_name<'a>(
    asked: &'a SandboxRequest,
    ram: &str,
    ims: &str,
) -> Result<Option<&'a str>, SandboxFault> {
    if !asked.is_ims() {
        return asked
            .get(ram)
            .map(|text| check::check_name(ram, text, "._-"))
            .transpose();
    }
    asked
        .get(ims)
        .map(|principal| parse_principal_name(asked, ims, principal))
        .transpose()
}

/// The part before the `@`, if the rest is a domain of the caller's account.
fn parse_principal_name<'a>(
    asked: &SandboxRequest,
    parameter: &str,
    principal: &'a str,
) -> Result<&'a str, SandboxFault> {
    let (user, domain) = principal
        .split_once('@')
        .ok_or_else(|| SandboxFault::incorrect(parameter))?;
    if !asked.domains.includes(&asked.caller.account_id, domain) {
        return Err(SandboxFault::incorrect(parameter));
    }
    check::check_name(parameter, user, "._-")
}

/// The name of the user that is meant; `None` where none is named.
fn requested_user_name(asked: &SandboxRequest) -> Result<Option<&str>, SandboxFault> {
    parse_user_name(asked, "UserName", "UserPrincipalName")
}

/// The name of the user that is meant.
pub fn require_user_name(asked: &SandboxRequest) -> Result<&str, SandboxFault> {
    let parameter = if asked.is_ims() {
        "UserPrincipalName"
    } else {
        "UserName"
    };
    requested_user_name(asked)?.ok_or_else(|| SandboxFault::missing(parameter))
}

/// The id of the user that is meant, who stays as long as the transaction: by name, and in IMS also by
/// UserId or by the id of one of the user's keys. What is given must agree.
pub async fn find_requested_user(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<i64, SandboxFault> {
    let by_id = asked.is_ims().then(|| asked.get("UserId")).flatten();
    let by_key = (asked.identity.action == "GetUser" && asked.is_ims())
        .then(|| asked.get("UserAccessKeyId"))
        .flatten();
    let by_name = if by_id.is_some() || by_key.is_some() {
        requested_user_name(asked)?
    } else {
        Some(require_user_name(asked)?)
    };
    find_user(tx, &asked.caller.account_id, by_name, by_id, by_key).await
}

/// The user named, or the caller where the caller is one; `None` is the account itself.
pub async fn find_user_or_caller(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Option<i64>, SandboxFault> {
    let name = match (requested_user_name(asked)?, &asked.caller.kind) {
        (Some(name), _) => name,
        (None, PrincipalKind::User(name)) => name,
        (None, PrincipalKind::Root) => return Ok(None),
        (None, PrincipalKind::Session { .. } | PrincipalKind::Anonymous) => {
            require_user_name(asked)?
        }
    };
    let id = find_user(tx, &asked.caller.account_id, Some(name), None, None).await?;
    Ok(Some(id))
}

/// The user of this id, or the caller where none is given. The account itself has to give one.
pub async fn find_id_or_caller(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<i64, SandboxFault> {
    let (name, id) = match (asked.get("UserId"), &asked.caller.kind) {
        (Some(id), _) => (None, Some(id)),
        (None, PrincipalKind::User(name)) => (Some(name.as_str()), None),
        (None, PrincipalKind::Root | PrincipalKind::Session { .. } | PrincipalKind::Anonymous) => {
            return Err(SandboxFault::missing("UserId"));
        }
    };
    find_user(tx, &asked.caller.account_id, name, id, None).await
}

/// The user of this name.
pub async fn find_user_by_name(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    name: &str,
) -> Result<i64, SandboxFault> {
    let name = check::check_name("UserName", name, "._-")?;
    find_user(tx, &asked.caller.account_id, Some(name), None, None).await
}

/// The user of this id.
pub async fn find_user_by_id(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    id: &str,
) -> Result<i64, SandboxFault> {
    find_user(tx, &asked.caller.account_id, None, Some(id), None).await
}

/// The user of this name in the form of IMS.
pub async fn find_user_by_principal_name(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    principal: &str,
) -> Result<i64, SandboxFault> {
    let name = parse_principal_name(asked, "UserPrincipalName", principal)?;
    find_user(tx, &asked.caller.account_id, Some(name), None, None).await
}

/// `UserPrincipalName` of the user of this id.
pub async fn principal_name_of(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    user_id: i64,
) -> Result<String, SandboxFault> {
    let name = sqlx::query_scalar!(
        "SELECT user_name
         FROM sandbox.users
         WHERE user_id = $1",
        user_id
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(asked.principal_name(&name))
}

async fn find_user(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    name: Option<&str>,
    id: Option<&str>,
    key: Option<&str>,
) -> Result<i64, SandboxFault> {
    sqlx::query_scalar!(
        "SELECT user_id
         FROM sandbox.users u
         WHERE account_id = $1
           AND ($2::text IS NULL OR user_name = $2)
           AND ($3::text IS NULL OR user_id::text = $3)
           AND ($4::text IS NULL OR EXISTS (
               SELECT 1
               FROM sandbox.access_keys k
               WHERE k.user_id = u.user_id
                 AND k.access_key_id = $4
           ))
         FOR UPDATE OF u",
        account_id,
        name,
        id,
        key
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User"))
}
