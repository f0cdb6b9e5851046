//! RAM roles, and whom their trust policies let in.

use serde_json::{Value, json};

use super::{
    Sandbox,
    answer::{Tree, tree},
    asked::Asked,
    caller::Caller,
    check,
    refused::Refused,
};

/// The longest policy document, in characters.
const LONGEST_DOCUMENT: usize = 6144;

pub async fn create(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let name = check::name("RoleName", asked.must("RoleName")?, ".-")?;
    let document = asked.must("AssumeRolePolicyDocument")?;
    if document.chars().count() > LONGEST_DOCUMENT {
        return Err(Refused::length("AssumeRolePolicyDocument"));
    }
    let trust = read_trust(document)?;
    let duration = match asked.get("MaxSessionDuration") {
        None => 3600,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (3600..=43200).contains(seconds))
            .ok_or_else(|| Refused::incorrect("MaxSessionDuration"))?,
    };
    let description = check::text(asked, "Description", 1024)?.unwrap_or_default();
    let now = sandbox.clock.now();
    let account_id = &asked.caller.account_id;
    let role_id = sqlx::query_scalar!(
        "INSERT INTO sandbox.roles (
             account_id,
             role_name,
             description,
             trust,
             trust_text,
             max_session_duration,
             created_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING role_id",
        account_id,
        name,
        description,
        trust,
        document,
        duration,
        now
    )
    .fetch_one(&sandbox.pool)
    .await?;
    let shown = json!({
        "RoleId": role_id.to_string(),
        "RoleName": name,
        "Arn": arn(account_id, name),
        "Description": description,
        "AssumeRolePolicyDocument": document,
        "MaxSessionDuration": duration,
        "CreateDate": check::date(now),
    });
    Ok(tree("Role", shown))
}

/// ARN of a role: the name in lower case, as the service writes it.
pub(super) fn arn(account_id: &str, role_name: &str) -> String {
    format!(
        "acs:ram::{account_id}:role/{}",
        role_name.to_ascii_lowercase()
    )
}

fn read_trust(document: &str) -> Result<Value, Refused> {
    let trust: Value = serde_json::from_str(document)
        .map_err(|_| Refused::malformed_policy("The trust policy is no JSON."))?;
    let has_statements = trust
        .get("Statement")
        .and_then(Value::as_array)
        .is_some_and(|statements| !statements.is_empty());
    if !has_statements || trust.get("Version") != Some(&json!("1")) {
        return Err(Refused::malformed_policy(
            "A trust policy has Version \"1\" and at least one Statement.",
        ));
    }
    Ok(trust)
}

/// Whether a trust policy lets a caller in: a statement that denies counts before any that allows.
pub(super) fn trusts(trust: &Value, caller: &Caller) -> bool {
    let statements = || {
        trust
            .get("Statement")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|statement| is_about(statement, caller))
    };
    let effect = |statement: &Value, wanted: &str| {
        statement.get("Effect").and_then(Value::as_str) == Some(wanted)
    };
    statements().any(|statement| effect(statement, "Allow"))
        && !statements().any(|statement| effect(statement, "Deny"))
}

fn is_about(statement: &Value, caller: &Caller) -> bool {
    let trusted_as = caller.trusted_as();
    let action = texts(statement.get("Action"))
        .any(|action| matches!(action, "sts:AssumeRole" | "sts:*" | "*"));
    let principal = statement.get("Principal").and_then(|one| one.get("RAM"));
    action
        && texts(principal)
            .any(|arn| arn == "*" || trusted_as.iter().any(|own| own.eq_ignore_ascii_case(arn)))
}

/// One text, or a list of them: policies have both.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str);
    let many = value.and_then(Value::as_array).into_iter().flatten();
    one.into_iter().chain(many.filter_map(Value::as_str))
}
