//! What descends from an access key, and how it is named: access keys and sessions by their ids, everything else as
//! `KIND:ACCOUNT/NAME` in lower case.
//!
//! A leaked key lives on in what it made: another key, a user whose keys come later, a role that others assume, an
//! identity provider that hands out sessions. Each of these is the origin of what comes through it.

use crate::operation::{Operation, Product};

crate::text_enum! {
    /// What becomes of what a leaked key made.
    #[derive(Default)]
    pub enum DescendantPolicy {
        /// Operators can look at it.
        List = "list",
        /// Owners are told of it as well, in letters and on the page; operators can restrict it.
        #[default]
        Suspect = "suspect",
        /// It is restricted with the key.
        Restrict = "restrict",
    }
}

/// The name of a RAM user.
#[must_use]
pub fn user_origin(account_id: &str, user_name: &str) -> String {
    object_name("user", account_id, user_name)
}

/// The name of the role that a session acts under, from its ARN: `acs:ram::ACCOUNT:assumed-role/ROLE/SESSION`.
#[must_use]
pub fn role_origin(principal: &str) -> Option<String> {
    let (account_id, resource) = principal.strip_prefix("acs:ram::")?.split_once(':')?;
    let role = resource.strip_prefix("assumed-role/")?;
    let role = role.rsplit_once('/').map_or(role, |(role, _)| role);
    Some(object_name("role", account_id, role))
}

/// The name of the identity provider that a federated call names by its ARN:
/// `acs:ram::ACCOUNT:saml-provider/NAME` or `acs:ram::ACCOUNT:oidc-provider/NAME`.
#[must_use]
pub fn provider_origin<'a>(parameter: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    [
        ("SAMLProviderArn", "saml", "saml-provider/"),
        ("OIDCProviderArn", "oidc", "oidc-provider/"),
    ]
    .into_iter()
    .find_map(|(given, kind, prefix)| {
        let arn = parameter(given)?;
        let (account_id, resource) = arn
            .get(.."acs:ram::".len())
            .filter(|start| start.eq_ignore_ascii_case("acs:ram::"))
            .and_then(|start| arn.get(start.len()..)?.split_once(':'))?;
        let (kept, name) = resource.split_at_checked(prefix.len())?;
        kept.eq_ignore_ascii_case(prefix)
            .then(|| object_name(kind, account_id, name))
    })
}

/// Whether a name is that of an identity provider.
#[must_use]
pub fn is_provider(name: &str) -> bool {
    name.starts_with("saml:") || name.starts_with("oidc:")
}

/// What a call makes that outlives it, by the parameters that name it; `None` for nothing, and for access keys and
/// sessions, whose ids only the answer tells.
#[must_use]
pub fn object_made_by<'a>(
    operation: &Operation,
    account_id: &str,
    parameter: impl Fn(&str) -> Option<&'a str>,
) -> Option<String> {
    let is_iam = matches!(
        operation.product(),
        Product::Ram | Product::Ims | Product::ResourceManager
    );
    if !is_iam {
        return None;
    }
    // Of its own product alone: a parameter of another one is ignored by the upstream.
    let user: &[&str] = match operation.product() {
        Product::Ims => &["UserPrincipalName"],
        _ => &["UserName"],
    };
    let (kind, names): (&str, &[&str]) = match operation.action() {
        "CreateUser" => ("user", user),
        "CreateRole" => ("role", &["RoleName"]),
        "CreateServiceLinkedRole" => ("service-role", &["ServiceName"]),
        "CreateGroup" => ("group", &["GroupName"]),
        "CreatePolicy" | "CreateControlPolicy" => ("policy", &["PolicyName"]),
        "CreateLoginProfile" => ("login", user),
        "CreateSAMLProvider" => ("saml", &["SAMLProviderName"]),
        "CreateOIDCProvider" => ("oidc", &["OIDCProviderName"]),
        "CreateApplication" => ("application", &["AppName"]),
        "CreateAppSecret" => ("application-secret", &["AppId"]),
        "CreateVirtualMFADevice" => ("mfa", &["VirtualMFADeviceName"]),
        "CreateResourceAccount" | "CreateCloudAccount" => {
            ("account", &["AccountNamePrefix", "PayerAccountId"])
        }
        _ => return None,
    };
    let given = |name: &&str| parameter(name).filter(|value| !value.is_empty());
    let name = names.iter().find_map(given)?;
    let is_user = matches!(kind, "user" | "login");
    let name = match is_user {
        true => name.split('@').next().unwrap_or_default(),
        false => name,
    };
    Some(object_name(kind, account_id, name))
}

/// The longest name that is kept, in characters: longer than any that the IAM allows.
const LONGEST_NAME: usize = 256;

fn object_name(kind: &str, account_id: &str, name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|one| !one.is_control())
        .take(LONGEST_NAME)
        .collect();
    format!("{kind}:{account_id}/{}", name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_providers_are_read_from_their_arns() {
        assert_eq!(
            role_origin("acs:ram::12:assumed-role/Deploy/ci"),
            Some("role:12/deploy".to_owned())
        );
        assert_eq!(role_origin("acs:ram::12:user/alice"), None);
        let provider = |name: &'static str, arn: &'static str| {
            provider_origin(|asked| (asked == name).then_some(arn))
        };
        assert_eq!(
            provider("SAMLProviderArn", "acs:ram::12:saml-provider/Okta"),
            Some("saml:12/okta".to_owned())
        );
        assert_eq!(
            provider("OIDCProviderArn", "ACS:ram::12:OIDC-provider/ci"),
            Some("oidc:12/ci".to_owned())
        );
        assert_eq!(provider("OIDCProviderArn", "acs:ram::12:role/ci"), None);
        assert_eq!(provider("OIDCProviderArn", "é"), None);
        assert!(is_provider("saml:12/okta") && !is_provider("role:12/okta"));
    }

    #[test]
    fn policies_have_their_names() {
        for policy in DescendantPolicy::ALL {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        assert_eq!(DescendantPolicy::default(), DescendantPolicy::Suspect);
    }
}
