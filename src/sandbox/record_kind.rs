//! The kinds of records, and whose they are.

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Rules for passwords.
    PasswordPolicy,
    /// What RAM users may do for themselves.
    SecurityPreference,
    /// Console sign-in by an identity provider.
    UserSso,
    /// The network policy of one AccessKey, or with an empty name of all.
    AccessKeyPolicy,
    /// The second factors of a RAM user: phone and email.
    VerificationInfo,
    /// A virtual MFA device, named by its serial number.
    MfaDevice,
    /// A passkey of a RAM user.
    Passkey,
    /// A credential of a RAM user for one service.
    ServiceCredential,
    /// A SAML identity provider.
    SamlProvider,
    /// An OIDC identity provider.
    OidcProvider,
    /// An OAuth application.
    Application,
    /// A secret of an application.
    AppSecret,
    /// An application of this account, or of another one, that the account lets in.
    ProvisionedApplication,
    /// The newest report on credentials.
    CredentialReport,
    /// The newest report on governance.
    GovernanceReport,
}

impl RecordKind {
    /// The kind in the database and in codes of faults.
    pub fn code(self) -> &'static str {
        match self {
            Self::PasswordPolicy => "PasswordPolicy",
            Self::SecurityPreference => "SecurityPreference",
            Self::UserSso => "UserSsoSettings",
            Self::AccessKeyPolicy => "AccessKeyPolicy",
            Self::VerificationInfo => "User.VerificationInfo",
            Self::MfaDevice => "VirtualMFADevice",
            Self::Passkey => "User.Passkey",
            Self::ServiceCredential => "User.ServiceCredential",
            Self::SamlProvider => "SAMLProvider",
            Self::OidcProvider => "OIDCProvider",
            Self::Application => "Application",
            Self::AppSecret => "Application.AppSecret",
            Self::ProvisionedApplication => "ApplicationProvisionInfo",
            Self::CredentialReport => "CredentialReport",
            Self::GovernanceReport => "GovernanceReport",
        }
    }
}

/// Whose records are meant: an account and a kind.
#[derive(Clone, Copy)]
pub struct RecordSet<'a> {
    /// The account.
    pub account_id: &'a str,
    /// What they are.
    pub kind: RecordKind,
}
