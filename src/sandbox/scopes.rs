//! The predefined scopes of OAuth applications.

use serde_json::{Value, json};

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    refused::SandboxFault,
};

/// The scopes by name, each with what it gives.
const SCOPES: [(&str, &str); 5] = [
    ("openid", "Reads the OpenID of the user"),
    ("aliuid", "Reads the account ID of the user"),
    ("profile", "Reads the name and the ID of the user"),
    ("/acs/ccc", "Calls the API of Cloud Call Center"),
    ("/acs/mts", "Calls the API of ApsaraVideo Media Processing"),
];

/// The scope that every application has.
const OPENID: &str = "openid";

pub fn list_predefined_scopes() -> ResponseBody {
    let scopes: Vec<Value> = SCOPES
        .iter()
        .map(|(name, description)| json!({ "Name": name, "Description": description }))
        .collect();
    single_member("PredefinedScopes", json!({ "PredefinedScope": scopes }))
}

/// `DelegatedScope`: the scopes that the parameter names with semicolons, and `openid`. Those that `required` names
/// have to be granted.
///
/// # Errors
/// A scope is not one of the predefined.
pub fn read_scopes(
    asked: &SandboxRequest,
    parameter: &str,
    required: &str,
) -> Result<Value, SandboxFault> {
    let named = |parameter: &str| -> Result<Vec<&str>, SandboxFault> {
        let text = asked.get(parameter).unwrap_or_default();
        let names: Vec<&str> = text
            .split([';', ' '])
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let is_known = |name: &&str| SCOPES.iter().any(|(known, _)| known == name);
        if names.iter().all(is_known) {
            Ok(names)
        } else {
            Err(SandboxFault::incorrect(parameter))
        }
    };
    let (wanted, required) = (named(parameter)?, named(required)?);
    let scopes: Vec<Value> = SCOPES
        .iter()
        .filter(|(name, _)| *name == OPENID || wanted.contains(name) || required.contains(name))
        .map(|(name, description)| {
            let is_required = *name == OPENID || required.contains(name);
            json!({ "Name": name, "Description": description, "Required": is_required })
        })
        .collect();
    Ok(json!({ "PredefinedScopes": { "PredefinedScope": scopes } }))
}
