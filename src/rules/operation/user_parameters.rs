//! Which parameters of RAM and IMS name the user that a call is about.
//!
//! RAM 2015-05-01 names a user by `UserName`, IMS 2019-08-15 by `UserPrincipalName` (`NAME@DOMAIN`) or `UserId`. A parameter of
//! the other product is signed like any other and ignored by the upstream, so whoever learns from the call must ignore it
//! too: otherwise a caller makes akgate believe that a new access key is somebody else's.

use super::{Operation, Product};
use crate::{fault::Fault, request::parameters::Parameters};

/// Parameters that say whom or what a change of users and access keys is about, of either product.
const SUBJECTS: [&str; 7] = [
    "UserName",
    "UserPrincipalName",
    "UserId",
    "NewUserName",
    "NewUserPrincipalName",
    "UserAccessKeyId",
    "Status",
];

/// The RAM user that a parameter names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedUser {
    /// By name, without the domain.
    Name(String),
    /// By the id that the IAM gave.
    Id(String),
}

/// The changes of users and access keys that akgate learns from, and the subjects that each may name.
fn subjects_of(operation: &Operation) -> Option<&'static [&'static str]> {
    let (of_ram, of_ims): (&[&str], &[&str]) = match operation.action() {
        "CreateUser" => (&["UserName"], &["UserPrincipalName"]),
        "DeleteUser" => (&["UserName"], &["UserPrincipalName", "UserId"]),
        "UpdateUser" => (
            &["UserName", "NewUserName"],
            &["UserPrincipalName", "UserId", "NewUserPrincipalName"],
        ),
        "CreateAccessKey" | "CreateLoginProfile" => (&["UserName"], &["UserPrincipalName"]),
        "UpdateAccessKey" => (
            &["UserName", "UserAccessKeyId", "Status"],
            &["UserPrincipalName", "UserId", "UserAccessKeyId", "Status"],
        ),
        "DeleteAccessKey" | "RestoreAccessKeyFromRecycleBin" => (
            &["UserName", "UserAccessKeyId"],
            &["UserPrincipalName", "UserId", "UserAccessKeyId"],
        ),
        _ => return None,
    };
    match operation.product() {
        Product::Ram => Some(of_ram),
        Product::Ims => Some(of_ims),
        Product::Sts | Product::ResourceManager | Product::Other(_) => None,
    }
}

/// Refuses a change of users or access keys that names its subject by a parameter of the other product, by one that is
/// written otherwise (`username`), or by an empty name: it would be executed for one user and could be learnt for another.
///
/// # Errors
/// [`Fault::InvalidParameter`].
pub fn check_user_parameters(operation: &Operation, parameters: &Parameters) -> Result<(), Fault> {
    let Some(own) = subjects_of(operation) else {
        return Ok(());
    };
    for (name, value) in parameters.iter() {
        let is_subject = SUBJECTS.iter().any(|one| one.eq_ignore_ascii_case(name));
        if !is_subject {
            continue;
        }
        if !own.contains(&name) {
            return Err(Fault::parameter(
                name,
                "this operation does not take it; leave it out",
            ));
        }
        if name.ends_with("UserPrincipalName") && local_part(value).is_empty() {
            return Err(Fault::parameter(name, "it must be NAME@DOMAIN"));
        }
    }
    Ok(())
}

/// The user that a call is about, by the parameters of its own product alone; `None` where it names none.
#[must_use]
pub fn named_user(operation: &Operation, parameters: &Parameters) -> Option<NamedUser> {
    let name = own_name(operation, parameters, "UserName", "UserPrincipalName");
    let id = || {
        let id = parameters.get("UserId").filter(|id| !id.is_empty());
        id.filter(|_| operation.product() == &Product::Ims)
    };
    name.map(NamedUser::Name)
        .or_else(|| id().map(|id| NamedUser::Id(id.to_owned())))
}

/// The name that `UpdateUser` gives; `None` where it gives none.
#[must_use]
pub fn new_user_name(operation: &Operation, parameters: &Parameters) -> Option<String> {
    own_name(operation, parameters, "NewUserName", "NewUserPrincipalName")
}

fn own_name(
    operation: &Operation,
    parameters: &Parameters,
    of_ram: &str,
    of_ims: &str,
) -> Option<String> {
    let name = match operation.product() {
        Product::Ram => parameters.get(of_ram),
        Product::Ims => parameters.get(of_ims).map(local_part),
        Product::Sts | Product::ResourceManager | Product::Other(_) => None,
    };
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// `NAME` of `NAME@DOMAIN`.
fn local_part(principal_name: &str) -> &str {
    principal_name.split('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Catalogue;

    const RAM: &str = "2015-05-01";
    const IMS: &str = "2019-08-15";

    fn call(version: &str, action: &str, given: &[(&str, &str)]) -> (Operation, Parameters) {
        let pairs = given
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        (
            Catalogue::built_in()
                .unwrap()
                .operation(version, action)
                .unwrap(),
            Parameters::collect(pairs.collect()).unwrap(),
        )
    }

    #[test]
    fn user_is_named_by_the_parameters_of_the_product_alone() {
        for (version, given, named) in [
            (
                RAM,
                &[("UserName", "a")][..],
                Some(NamedUser::Name("a".into())),
            ),
            (
                RAM,
                &[("UserName", "a@b")],
                Some(NamedUser::Name("a@b".into())),
            ),
            (RAM, &[("UserPrincipalName", "b@x")], None),
            (RAM, &[("UserId", "7")], None),
            (
                IMS,
                &[("UserPrincipalName", "b@x")],
                Some(NamedUser::Name("b".into())),
            ),
            (
                IMS,
                &[("UserName", "a"), ("UserPrincipalName", "b@x")],
                Some(NamedUser::Name("b".into())),
            ),
            (IMS, &[("UserName", "a")], None),
            (
                IMS,
                &[("UserId", "7"), ("UserPrincipalName", "@x")],
                Some(NamedUser::Id("7".into())),
            ),
            (IMS, &[("UserPrincipalName", "@x")], None),
        ] {
            let (operation, parameters) = call(version, "DeleteUser", given);
            assert_eq!(
                named_user(&operation, &parameters),
                named,
                "{version} {given:?}"
            );
        }
    }

    #[test]
    fn subject_of_another_product_or_spelling_is_refused() {
        for (version, action, name, value, is_allowed) in [
            (RAM, "CreateAccessKey", "UserName", "a", true),
            (RAM, "CreateAccessKey", "UserPrincipalName", "a@x", false),
            (RAM, "CreateAccessKey", "userName", "a", false),
            (RAM, "CreateAccessKey", "UserId", "7", false),
            (RAM, "CreateUser", "NewUserName", "a", false),
            (RAM, "UpdateUser", "NewUserName", "a", true),
            (RAM, "UpdateAccessKey", "status", "Active", false),
            (RAM, "GetUser", "UserPrincipalName", "a@x", true),
            (IMS, "CreateAccessKey", "UserPrincipalName", "a@x", true),
            (IMS, "CreateAccessKey", "UserPrincipalName", "@x", false),
            (IMS, "CreateAccessKey", "UserName", "a", false),
            (IMS, "CreateAccessKey", "UserId", "7", false),
            (IMS, "DeleteUser", "UserId", "7", true),
            (IMS, "UpdateUser", "NewUserPrincipalName", "", false),
            (IMS, "UpdateUser", "NewUserName", "a", false),
            (IMS, "CreateUser", "DisplayName", "a", true),
        ] {
            let (operation, parameters) = call(version, action, &[(name, value)]);
            let checked = check_user_parameters(&operation, &parameters);
            assert_eq!(
                checked.is_ok(),
                is_allowed,
                "{version} {action} {name}={value}"
            );
        }
    }
}
