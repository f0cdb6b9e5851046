//! Evaluates the trust policy of a role.

use serde_json::Value;

use super::caller::Caller;

/// Whether a trust policy lets a caller in: a statement that denies counts before any that allows.
pub fn allows_caller(trust: &Value, caller: &Caller) -> bool {
    let statements = || {
        trust
            .get("Statement")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|statement| names_caller(statement, caller))
    };
    let effect = |statement: &Value, wanted: &str| {
        statement.get("Effect").and_then(Value::as_str) == Some(wanted)
    };
    statements().any(|statement| effect(statement, "Allow"))
        && !statements().any(|statement| effect(statement, "Deny"))
}

fn names_caller(statement: &Value, caller: &Caller) -> bool {
    let trusted_as = caller.trusted_as();
    let action = string_or_list(statement.get("Action"))
        .any(|action| matches!(action, "sts:AssumeRole" | "sts:*" | "*"));
    let principal = statement.get("Principal").and_then(|one| one.get("RAM"));
    action
        && string_or_list(principal)
            .any(|arn| arn == "*" || trusted_as.iter().any(|own| own.eq_ignore_ascii_case(arn)))
}

/// One text, or a list of them: policies have both.
fn string_or_list(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str);
    let many = value.and_then(Value::as_array).into_iter().flatten();
    one.into_iter().chain(many.filter_map(Value::as_str))
}
