//! Why a call was not permitted, in a text that `DecodeDiagnosticMessage` reads: Base64 of what it answers. The service
//! encrypts it; here nothing in it is secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    caller::PrincipalKind,
    refused::SandboxFault,
};

/// The policy that did not let a caller in.
const TRUST_POLICY: &str = "AssumeRolePolicy";

/// The fault of a caller whom the trust policy of a role does not let in.
pub fn not_trusted(asked: &SandboxRequest, role_arn: &str, is_denied: bool) -> SandboxFault {
    let caller = &asked.caller;
    let (principal_type, name) = match &caller.kind {
        PrincipalKind::Root => ("Account", caller.account_id.clone()),
        PrincipalKind::User(name) => ("SubUser", name.clone()),
        PrincipalKind::Session { role, session } => {
            ("AssumedRoleUser", format!("{role}:{session}"))
        }
        PrincipalKind::Anonymous => ("Federated", String::new()),
    };
    let matched = json!({
        "AttachedEntityType": "Role",
        "AttachedScope": "Account",
        "Effect": "Deny",
        "PolicyIdentifier": role_arn,
        "PolicyType": TRUST_POLICY,
        "PolicyVersion": "v1",
    });
    let message = json!({
        "AuthAction": "sts:AssumeRole",
        "AuthConditions": [{
            "ConditionKey": "acs:SourceIp",
            "ConditionValues": [asked.identity.source_ip],
        }],
        "AuthPrincipal": {
            "AuthPrincipalDisplayName": name,
            "AuthPrincipalOwnerId": caller.account_id,
            "AuthPrincipalType": principal_type,
        },
        "AuthResource": role_arn,
        "ExplicitDeny": is_denied,
        "MatchedPolicies": if is_denied { vec![matched] } else { Vec::new() },
        "NoPermissionPolicyType": TRUST_POLICY,
    });
    SandboxFault::no_permission().diagnosed(URL_SAFE_NO_PAD.encode(message.to_string()))
}

/// Reads a message about the caller's own account.
pub fn decode_diagnostic_message(asked: &SandboxRequest) -> Result<ResponseBody, SandboxFault> {
    const PARAMETER: &str = "EncodedDiagnosticMessage";
    let message: Option<Value> = URL_SAFE_NO_PAD
        .decode(asked.must(PARAMETER)?)
        .ok()
        .and_then(|message| serde_json::from_slice(&message).ok());
    let owner = message
        .as_ref()
        .and_then(|message| message.pointer("/AuthPrincipal/AuthPrincipalOwnerId"));
    if owner.and_then(Value::as_str) != Some(&asked.caller.account_id) {
        return Err(SandboxFault::incorrect(PARAMETER));
    }
    let message = message.unwrap_or_default();
    Ok(single_member("DecodedDiagnosticMessage", message))
}
