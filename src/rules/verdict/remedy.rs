//! Self-remediation (opt-in): a leaked AccessKey may disable or delete itself.

use crate::{
    access_key::AccessKeyId,
    operation::{Operation, Product},
};

/// Whether this call only takes the caller's own AccessKey out of service: `UpdateAccessKey` with
/// `Status=Inactive`, or `DeleteAccessKey`, of RAM or IMS, with the caller's own id in
/// `UserAccessKeyId`. `parameter` looks a signed parameter up by its exact name.
///
/// A session never does: it is not the key that would be disabled, and it may be another's.
/// Nothing is made of a missing or differently written parameter.
#[must_use]
pub fn is_self_remedy<'a>(
    operation: &Operation,
    caller: &AccessKeyId,
    parameter: impl Fn(&str) -> Option<&'a str>,
) -> bool {
    let of_keys = match operation.product() {
        Product::Ram | Product::Ims => true,
        Product::Sts | Product::ResourceManager | Product::Other(_) => false,
    };
    let takes_away = match operation.action() {
        "DeleteAccessKey" => true,
        "UpdateAccessKey" => parameter("Status") == Some("Inactive"),
        _ => false,
    };
    of_keys
        && takes_away
        && !caller.is_session()
        && parameter("UserAccessKeyId") == Some(caller.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Catalogue;

    const RAM: &str = "2015-05-01";
    const IMS: &str = "2019-08-15";
    const OWN: &str = "LTAI5tFakeKeyForTestsOnly01";

    fn remedies(version: &str, action: &str, caller: &str, given: &[(&str, &'static str)]) -> bool {
        let operation = Catalogue::built_in()
            .unwrap()
            .operation(version, action)
            .unwrap();
        let caller = AccessKeyId::parse(caller).unwrap();
        is_self_remedy(&operation, &caller, |name| {
            let found = given.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| *value)
        })
    }

    #[test]
    fn key_may_disable_and_delete_itself() {
        let off = [("UserAccessKeyId", OWN), ("Status", "Inactive")];
        for version in [RAM, IMS] {
            assert!(remedies(version, "UpdateAccessKey", OWN, &off));
            assert!(remedies(version, "DeleteAccessKey", OWN, &off[..1]));
        }
    }

    #[test]
    fn other_operations_are_no_self_remedy() {
        let own = ("UserAccessKeyId", OWN);
        let off = ("Status", "Inactive");
        let other = ("UserAccessKeyId", "LTAI5tFakeKeyForTestsOnly02");
        for (version, action, given) in [
            (RAM, "UpdateAccessKey", &[own, ("Status", "Active")][..]),
            (RAM, "UpdateAccessKey", &[own, ("Status", "inactive")]),
            (RAM, "UpdateAccessKey", &[own]),
            (RAM, "UpdateAccessKey", &[other, off]),
            (RAM, "UpdateAccessKey", &[off]),
            (RAM, "DeleteAccessKey", &[other]),
            (RAM, "DeleteAccessKey", &[]),
            (RAM, "deleteAccessKey", &[own]),
            (RAM, "CreateAccessKey", &[own, off]),
            (RAM, "DeleteUser", &[own, off]),
            (IMS, "DeleteAccessKeyInRecycleBin", &[own, off]),
            (IMS, "RestoreAccessKeyFromRecycleBin", &[own, off]),
            ("2015-04-01", "DeleteAccessKey", &[own]),
            ("2020-03-31", "DeleteAccessKey", &[own]),
        ] {
            assert!(!remedies(version, action, OWN, given), "{action} {given:?}");
        }
        let session = "STS.FakeSessionForTests";
        let of_session = [("UserAccessKeyId", session), off];
        assert!(!remedies(RAM, "UpdateAccessKey", session, &of_session));
    }
}
