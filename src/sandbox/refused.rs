//! Why the sandbox refuses a request: codes and messages of the published API.

use std::borrow::Cow;

use http::StatusCode;

/// A business fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxFault {
    /// HTTP status.
    pub status: StatusCode,
    /// `Code`.
    pub code: Cow<'static, str>,
    /// `Message`.
    pub message: Cow<'static, str>,
    /// `EncodedDiagnosticMessage`, if there is more to tell.
    pub diagnosis: Option<String>,
}

impl SandboxFault {
    fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            diagnosis: None,
        }
    }

    /// The same fault with what `DecodeDiagnosticMessage` reads.
    pub fn diagnosed(mut self, message: String) -> Self {
        self.diagnosis = Some(message);
        self
    }

    /// The request did not come through the gateway.
    pub fn stranger(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden.Identity", reason)
    }

    /// The sandbox has no such action.
    pub fn action_not_found(action: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidAction.NotFound",
            format!("Specified api is not found: the sandbox does not have \"{action}\"."),
        )
    }

    /// A parameter is missing.
    pub fn missing(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("MissingParameter.{name}"),
            format!("The parameter - \"{name}\" should not be null."),
        )
    }

    /// A parameter has a character that it may not have.
    pub fn invalid_chars(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("InvalidParameter.{name}.InvalidChars"),
            format!("The parameter - \"{name}\" contains invalid chars."),
        )
    }

    /// A parameter is too long or too short.
    pub fn length(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("InvalidParameter.{name}.Length"),
            format!("The parameter - \"{name}\" beyond the length limit."),
        )
    }

    /// A parameter is not one of its values.
    pub fn incorrect(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("InvalidParameter.{name}"),
            format!("The parameter - \"{name}\" is incorrect."),
        )
    }

    /// A number is not in its range.
    pub fn range(name: &str, range: &std::ops::RangeInclusive<i64>) -> Self {
        let (least, most) = (range.start(), range.end());
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("InvalidParameter.{name}.Range"),
            format!("The parameter - \"{name}\" MUST be in the range of {least} and {most}."),
        )
    }

    /// A parameter does not have its form.
    pub fn format(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("InvalidParameter.{name}.Format"),
            format!("The format of the parameter - \"{name}\" is incorrect."),
        )
    }

    /// A password that would be guessed.
    pub fn weak_password() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameter.Password.TooWeak",
            "The parameter - \"Password\" is not compliant with the password policy.",
        )
    }

    /// A code of an MFA device is not right.
    pub fn wrong_code() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "CheckAuthenticationCodeFail",
            "The parameter - \"AuthenticationCode\" is inccorrect.",
        )
    }

    /// A parameter of STS is not formed as it should be.
    pub fn wrongly_formed(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("InvalidParameter.{name}"),
            format!("The parameter {name} is wrongly formed."),
        )
    }

    /// A session may not be that long.
    pub fn duration(longest: i32) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameter.DurationSeconds",
            format!("The Min/Max value of DurationSeconds is 900/{longest} seconds."),
        )
    }

    /// The policy of a session is too long.
    pub fn policy_size(longest: usize) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameter.PolicySize",
            format!("The size of Policy must be smaller than {longest} bytes."),
        )
    }

    /// The policy of a session is no policy.
    pub fn policy_grammar() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameter.PolicyGrammar",
            "The parameter Policy has not passed grammar check.",
        )
    }

    /// What an identity provider has issued does not prove who calls.
    pub fn not_authenticated(
        parameter: &str,
        reason: &str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("AuthenticationFail.{parameter}.{reason}"),
            message,
        )
    }

    /// A trust policy is not valid.
    pub fn malformed_policy(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", reason)
    }

    /// The caller may not assume the role.
    pub fn no_permission() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "NoPermission",
            "You are not authorized to do this action. You should be authorized by RAM.",
        )
    }

    /// A role is linked to a service and should not be, or the other way round.
    pub fn other_kind_of_role(should_be_linked: bool) -> Self {
        let (code, message) = if should_be_linked {
            (
                "InvalidParameter.RoleName.NotServiceLinkedRole",
                "The role is not a service-linked role.",
            )
        } else {
            (
                "NotSupport.ServiceLinkedRole",
                "A service-linked role is deleted by DeleteServiceLinkedRole.",
            )
        };
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// There is no such thing.
    pub fn not_exist(what: &'static str) -> Self {
        let message = match what {
            "User" => "The user does not exist.",
            "User.AccessKey" => "The user access key does not exist.",
            "User.LoginProfile" => "The user login profile does not exist.",
            "User.Group" => "The user has not joined the group.",
            "User.Policy" => "The indicate policy attached to the user does not exist.",
            "Role" => "The role does not exist.",
            "Role.Policy" => "The indicate policy attached to the role does not exist.",
            "Group" => "The group does not exist.",
            "Group.Policy" => "The indicate policy attached to the group does not exist.",
            "Policy" => "The policy does not exist.",
            "Policy.Version" => "The policy version does not exist.",
            "User.MFADevice" => "The user has not bound any MFA device.",
            "VirtualMFADevice" => "The virtual mfa device does not exist.",
            "SAMLProvider" => "The SAML provider does not exist.",
            "OIDCProvider" => "The OIDC provider does not exist.",
            "Application" => "The application does not exist.",
            _ => "The entity does not exist.",
        };
        Self::new(
            StatusCode::NOT_FOUND,
            format!("EntityNotExist.{what}"),
            message,
        )
    }

    /// There is one already.
    pub fn already_exists(what: &'static str) -> Self {
        let message = match what {
            "User" => "The user does already EXIST.",
            "User.Group" => "The user has already joined the group.",
            "User.LoginProfile" => "The user login profile does already EXIST.",
            "User.Policy" => "The user has already been attached this policy.",
            "Role" => "The role does already EXIST.",
            "Role.Policy" => "The role has already been attached this policy.",
            "Group" => "The group does already EXIST.",
            "Group.Policy" => "The group has already been attached this policy.",
            "Policy" => "The policy does already EXIST.",
            "User.MFADevice" => "The user has already bound a MFA device.",
            "VirtualMFADevice" => "The virtual mfa device does already EXIST.",
            "VirtualMFADevice.User" => "The virtual mfa device does already been bound to a user.",
            "AccountAlias" => "The account alias does already exist.",
            "SAMLProvider" => "The SAML provider does already EXIST.",
            "OIDCProvider" => "The OIDC provider does already EXIST.",
            _ => "The entity does already EXIST.",
        };
        Self::new(
            StatusCode::CONFLICT,
            format!("EntityAlreadyExists.{what}"),
            message,
        )
    }

    /// Something hangs on it.
    pub fn delete_conflict(what: &'static str) -> Self {
        let message = match what {
            "User.AccessKey" => "The user CAN NOT has any access key while deleting the user.",
            "User.Group" => "The user CAN NOT be in any group while deleting the user.",
            "User.LoginProfile" => {
                "The user CAN NOT has any login profile while deleting the user."
            }
            "User.Policy" => "The user CAN NOT has any attached policy while deleting the user.",
            "User.MFADevice" => "The user CAN NOT has any mfa device while deleting the user.",
            "VirtualMFADevice.User" => {
                "The virtual mfa device CAN NOT been bound to any user while deleting it."
            }
            "Role.Policy" => "The role CAN NOT has any attached policy while deleting the role.",
            "Group.User" => "The group CAN NOT has any user member while deleting the group.",
            "Group.Policy" => {
                "The entity CAN NOT has any attached policy while deleting the group."
            }
            "Policy.User" => {
                "The policy CAN NOT been attached to any user while deleting the policy."
            }
            "Policy.Group" => {
                "The policy CAN NOT been attached to any group while deleting the policy."
            }
            "Policy.Role" => {
                "The policy CAN NOT been attached to any role while deleting the policy."
            }
            "Policy.Version" => "The policy CAN NOT has any version except the default version.",
            "Policy.Version.Default" => "The default policy version CAN NOT been deleted directly.",
            _ => "The entity is in use.",
        };
        Self::new(
            StatusCode::CONFLICT,
            format!("DeleteConflict.{what}"),
            message,
        )
    }

    /// There are as many as there may be.
    pub fn too_many(what: &'static str) -> Self {
        let message = match what {
            "User.AccessKey" => {
                "The access key count of the user access keys beyond the current limits."
            }
            "Policy.Version" => "The count of policy version beyond the current limits.",
            _ => "The count beyond the current limits.",
        };
        Self::new(
            StatusCode::CONFLICT,
            format!("LimitExceeded.{what}"),
            message,
        )
    }

    /// The database does not answer.
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        )
    }
}

impl From<sqlx::Error> for SandboxFault {
    /// What a constraint forbids is a fault of the caller, anything else one of the database.
    fn from(fault: sqlx::Error) -> Self {
        let constraint = match &fault {
            sqlx::Error::Database(fault) => fault.constraint(),
            _ => None,
        };
        match constraint {
            Some("sandbox_accounts_alias_key") => Self::already_exists("AccountAlias"),
            Some("sandbox_users_name_key") => Self::already_exists("User"),
            Some("sandbox_roles_name_key") => Self::already_exists("Role"),
            Some("sandbox_groups_name_key") => Self::already_exists("Group"),
            Some("sandbox_policies_name_key") => Self::already_exists("Policy"),
            Some("sandbox_login_profiles_pkey") => Self::already_exists("User.LoginProfile"),
            Some("sandbox_access_keys_user_fkey") => Self::delete_conflict("User.AccessKey"),
            Some("sandbox_login_profiles_user_fkey") => Self::delete_conflict("User.LoginProfile"),
            Some("sandbox_group_members_user_fkey") => Self::delete_conflict("User.Group"),
            Some("sandbox_group_members_group_fkey") => Self::delete_conflict("Group.User"),
            Some("sandbox_attachments_user_fkey") => Self::delete_conflict("User.Policy"),
            Some("sandbox_attachments_role_fkey") => Self::delete_conflict("Role.Policy"),
            Some("sandbox_attachments_group_fkey") => Self::delete_conflict("Group.Policy"),
            Some(
                "sandbox_users_account_fkey"
                | "sandbox_roles_account_fkey"
                | "sandbox_groups_account_fkey"
                | "sandbox_policies_account_fkey"
                | "sandbox_access_keys_account_fkey"
                | "sandbox_records_account_fkey",
            ) => Self::not_exist("Account"),
            Some(_) | None => {
                tracing::error!(%fault, "the sandbox met a fault of the database");
                Self::unavailable()
            }
        }
    }
}
