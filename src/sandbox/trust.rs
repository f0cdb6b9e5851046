//! Evaluates the trust policy of a role.

use serde_json::Value;

/// Who wants to assume a role, and under which circumstances.
pub struct TrustRequest<'a> {
    /// The member of `Principal` that means it: `RAM` or `Federated`.
    pub member: &'static str,
    /// The ARNs by which a policy may mean it.
    pub arns: &'a [String],
    /// The condition keys that are known, with their values.
    pub context: &'a [(&'static str, Vec<String>)],
}

/// What a trust policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustVerdict {
    /// A statement lets it in, and none denies it.
    Allowed,
    /// No statement lets it in.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

/// What a trust policy says to a request: a statement that denies counts before any that allows. A condition that is
/// not understood keeps a statement from allowing, and not from denying.
pub fn evaluate_trust(trust: &Value, request: &TrustRequest<'_>) -> TrustVerdict {
    let says = |effect: &str, unclear: bool| {
        trust
            .get("Statement")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some(effect))
            .filter(|statement| names_principal(statement, request))
            .any(|statement| conditions_hold(statement, request).unwrap_or(unclear))
    };
    if says("Deny", true) {
        TrustVerdict::Denied
    } else if says("Allow", false) {
        TrustVerdict::Allowed
    } else {
        TrustVerdict::NotAllowed
    }
}

fn names_principal(statement: &Value, request: &TrustRequest<'_>) -> bool {
    let action = string_or_list(statement.get("Action"))
        .any(|action| matches!(action, "sts:AssumeRole" | "sts:*" | "*"));
    let principal = statement
        .get("Principal")
        .and_then(|one| one.get(request.member));
    action
        && string_or_list(principal)
            .any(|arn| arn == "*" || request.arns.iter().any(|own| own.eq_ignore_ascii_case(arn)))
}

/// Whether every condition of a statement holds; `None` if one is not understood.
fn conditions_hold(statement: &Value, request: &TrustRequest<'_>) -> Option<bool> {
    let Some(operators) = statement.get("Condition") else {
        return Some(true);
    };
    let mut holds = true;
    for (operator, keys) in operators.as_object()? {
        if operator != "StringEquals" {
            return None;
        }
        for (key, wanted) in keys.as_object()? {
            let given = request.context.iter().find(|(name, _)| name == key);
            holds &= given.is_some_and(|(_, values)| {
                string_or_list(Some(wanted)).any(|one| values.iter().any(|value| value == one))
            });
        }
    }
    Some(holds)
}

/// One text, or a list of them: policies have both.
fn string_or_list(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str);
    let many = value.and_then(Value::as_array).into_iter().flatten();
    one.into_iter().chain(many.filter_map(Value::as_str))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(statements: &Value) -> TrustVerdict {
        let request = TrustRequest {
            member: "Federated",
            arns: &["acs:ram::1:oidc-provider/ci".to_owned()],
            context: &[("oidc:aud", vec!["ours".to_owned(), "theirs".to_owned()])],
        };
        evaluate_trust(
            &json!({ "Version": "1", "Statement": statements }),
            &request,
        )
    }

    fn statement(effect: &str, condition: Option<Value>) -> Value {
        let mut statement = json!({
            "Effect": effect,
            "Action": "sts:AssumeRole",
            "Principal": { "Federated": ["acs:ram::1:oidc-provider/ci"] },
        });
        if let (Some(members), Some(condition)) = (statement.as_object_mut(), condition) {
            members.insert("Condition".to_owned(), condition);
        }
        statement
    }

    #[test]
    fn condition_decides_and_one_that_is_not_understood_never_frees() {
        let equals = |value: &str| Some(json!({ "StringEquals": { "oidc:aud": [value] } }));
        let unknown = || Some(json!({ "IpAddress": { "acs:SourceIp": "192.0.2.1" } }));
        let absent = || Some(json!({ "StringEquals": { "oidc:sub": "x" } }));
        for (statements, wanted) in [
            (json!([statement("Allow", None)]), TrustVerdict::Allowed),
            (
                json!([statement("Allow", equals("ours"))]),
                TrustVerdict::Allowed,
            ),
            (
                json!([statement("Allow", equals("other"))]),
                TrustVerdict::NotAllowed,
            ),
            (
                json!([statement("Allow", absent())]),
                TrustVerdict::NotAllowed,
            ),
            (
                json!([statement("Allow", unknown())]),
                TrustVerdict::NotAllowed,
            ),
            (
                json!([statement("Allow", None), statement("Deny", unknown())]),
                TrustVerdict::Denied,
            ),
            (
                json!([statement("Allow", None), statement("Deny", equals("other"))]),
                TrustVerdict::Allowed,
            ),
        ] {
            assert_eq!(verdict(&statements), wanted, "{statements}");
        }
    }
}
