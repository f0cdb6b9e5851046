//! The actions of IMS 2019-08-15.

use std::future::ready;

use super::{
    account_reports, accounts,
    actions::Action,
    applications, credential_report, governance, key_policies, mfa_devices,
    oidc_providers::{self, CLIENT_IDS, FINGERPRINTS, add_to_provider, remove_from_provider},
    passkeys, provisions, recycle_bin, recycled_users, saml_providers, scopes, service_credentials,
    settings::{USER_SSO, get_settings, set_settings},
    shared_actions::find_shared_action,
    users, verification,
};

/// The action of this name.
pub fn find_ims_action(name: &str) -> Option<Action> {
    let action: Action = match name {
        "ListAccessKeysInRecycleBin" => {
            |sandbox, asked| Box::pin(recycle_bin::list_recycled_keys(sandbox, asked))
        }
        "RestoreAccessKeyFromRecycleBin" => {
            |sandbox, asked| Box::pin(recycle_bin::restore_recycled_key(sandbox, asked))
        }
        "DeleteAccessKeyInRecycleBin" => {
            |sandbox, asked| Box::pin(recycle_bin::delete_recycled_key(sandbox, asked))
        }
        "ListUserBasicInfos" => |sandbox, asked| {
            Box::pin(users::list_users(
                sandbox,
                asked,
                ("UserBasicInfos", "UserBasicInfo"),
            ))
        },
        "GetAccessKeyInfoInRecycleBin" => {
            |sandbox, asked| Box::pin(recycle_bin::get_recycled_key(sandbox, asked))
        }
        "GetUserInRecycleBin" => {
            |sandbox, asked| Box::pin(recycled_users::get_recycled_user(sandbox, asked))
        }
        "ListUsersInRecycleBin" => {
            |sandbox, asked| Box::pin(recycled_users::list_recycled_users(sandbox, asked))
        }
        "RestoreUserFromRecycleBin" => {
            |sandbox, asked| Box::pin(recycled_users::restore_recycled_user(sandbox, asked))
        }
        "DeleteUserInRecycleBin" => {
            |sandbox, asked| Box::pin(recycled_users::delete_recycled_user(sandbox, asked))
        }
        "GetAccessKeyPolicy" => {
            |sandbox, asked| Box::pin(key_policies::get_key_policy(sandbox, asked))
        }
        "SetAccessKeyPolicy" => {
            |sandbox, asked| Box::pin(key_policies::set_key_policy(sandbox, asked))
        }
        "GetAccessKeyPolicyForAccount" => {
            |sandbox, asked| Box::pin(key_policies::get_account_key_policy(sandbox, asked))
        }
        "SetAccessKeyPolicyForAccount" => {
            |sandbox, asked| Box::pin(key_policies::set_account_key_policy(sandbox, asked))
        }
        "UnbindMFADevice" | "DisableVirtualMFA" => {
            |sandbox, asked| Box::pin(mfa_devices::unbind_mfa_device(sandbox, asked))
        }
        "GetAccountMFAInfo" => |_, _| Box::pin(ready(Ok(mfa_devices::get_account_mfa_info()))),
        "GetUserSsoSettings" => |sandbox, asked| Box::pin(get_settings(sandbox, asked, &USER_SSO)),
        "SetUserSsoSettings" => |sandbox, asked| Box::pin(set_settings(sandbox, asked, &USER_SSO)),
        "GetDefaultDomain" => |_, asked| Box::pin(ready(Ok(accounts::get_default_domain(asked)))),
        "SetDefaultDomain" => {
            |sandbox, asked| Box::pin(accounts::set_default_domain(sandbox, asked))
        }
        "GetVerificationInfo" => {
            |sandbox, asked| Box::pin(verification::get_verification_info(sandbox, asked))
        }
        "SetVerificationInfo" => {
            |sandbox, asked| Box::pin(verification::set_verification_info(sandbox, asked))
        }
        "UnbindVerification" => {
            |sandbox, asked| Box::pin(verification::unbind_verification(sandbox, asked))
        }
        "ListPasskeys" => |sandbox, asked| Box::pin(passkeys::list_passkeys(sandbox, asked)),
        "UpdatePasskey" => |sandbox, asked| Box::pin(passkeys::update_passkey(sandbox, asked)),
        "DeletePasskey" => |sandbox, asked| Box::pin(passkeys::delete_passkey(sandbox, asked)),
        "GetAccountSummary" => {
            |sandbox, asked| Box::pin(account_reports::get_account_summary(sandbox, asked))
        }
        "GetAccountSecurityPracticeReport" => |sandbox, asked| {
            Box::pin(account_reports::get_security_practice_report(
                sandbox, asked,
            ))
        },
        "GenerateCredentialReport" => |sandbox, asked| {
            Box::pin(credential_report::generate_credential_report(
                sandbox, asked,
            ))
        },
        "GetCredentialReport" => {
            |sandbox, asked| Box::pin(credential_report::get_credential_report(sandbox, asked))
        }
        "GenerateGovernanceReport" => {
            |sandbox, asked| Box::pin(governance::generate_governance_report(sandbox, asked))
        }
        "GetGovernanceReportStatus" => {
            |sandbox, asked| Box::pin(governance::get_governance_report_status(sandbox, asked))
        }
        "GetGovernanceItemReport" => {
            |sandbox, asked| Box::pin(governance::get_governance_item_report(sandbox, asked))
        }
        "ListRecentGovernanceMetrics" => {
            |sandbox, asked| Box::pin(governance::list_governance_metrics(sandbox, asked))
        }
        _ => return find_provider_action(name),
    };
    Some(action)
}

/// The action of this name on identity providers, applications and service credentials.
fn find_provider_action(name: &str) -> Option<Action> {
    let action: Action = match name {
        "CreateSAMLProvider" => {
            |sandbox, asked| Box::pin(saml_providers::create_saml_provider(sandbox, asked))
        }
        "GetSAMLProvider" => {
            |sandbox, asked| Box::pin(saml_providers::get_saml_provider(sandbox, asked))
        }
        "ListSAMLProviders" => {
            |sandbox, asked| Box::pin(saml_providers::list_saml_providers(sandbox, asked))
        }
        "UpdateSAMLProvider" => {
            |sandbox, asked| Box::pin(saml_providers::update_saml_provider(sandbox, asked))
        }
        "DeleteSAMLProvider" => {
            |sandbox, asked| Box::pin(saml_providers::delete_saml_provider(sandbox, asked))
        }
        "CreateOIDCProvider" => {
            |sandbox, asked| Box::pin(oidc_providers::create_oidc_provider(sandbox, asked))
        }
        "GetOIDCProvider" => {
            |sandbox, asked| Box::pin(oidc_providers::get_oidc_provider(sandbox, asked))
        }
        "ListOIDCProviders" => {
            |sandbox, asked| Box::pin(oidc_providers::list_oidc_providers(sandbox, asked))
        }
        "UpdateOIDCProvider" => {
            |sandbox, asked| Box::pin(oidc_providers::update_oidc_provider(sandbox, asked))
        }
        "DeleteOIDCProvider" => {
            |sandbox, asked| Box::pin(oidc_providers::delete_oidc_provider(sandbox, asked))
        }
        "AddClientIdToOIDCProvider" => {
            |sandbox, asked| Box::pin(add_to_provider(sandbox, asked, CLIENT_IDS))
        }
        "RemoveClientIdFromOIDCProvider" => {
            |sandbox, asked| Box::pin(remove_from_provider(sandbox, asked, CLIENT_IDS))
        }
        "AddFingerprintToOIDCProvider" => {
            |sandbox, asked| Box::pin(add_to_provider(sandbox, asked, FINGERPRINTS))
        }
        "RemoveFingerprintFromOIDCProvider" => {
            |sandbox, asked| Box::pin(remove_from_provider(sandbox, asked, FINGERPRINTS))
        }
        "CreateApplication" => {
            |sandbox, asked| Box::pin(applications::create_application(sandbox, asked))
        }
        "GetApplication" => {
            |sandbox, asked| Box::pin(applications::get_application(sandbox, asked))
        }
        "ListApplications" => {
            |sandbox, asked| Box::pin(applications::list_applications(sandbox, asked))
        }
        "UpdateApplication" => {
            |sandbox, asked| Box::pin(applications::update_application(sandbox, asked))
        }
        "DeleteApplication" => {
            |sandbox, asked| Box::pin(applications::delete_application(sandbox, asked))
        }
        "CreateAppSecret" => {
            |sandbox, asked| Box::pin(applications::create_app_secret(sandbox, asked))
        }
        "GetAppSecret" => |sandbox, asked| Box::pin(applications::get_app_secret(sandbox, asked)),
        "ListAppSecretIds" => {
            |sandbox, asked| Box::pin(applications::list_app_secret_ids(sandbox, asked))
        }
        "DeleteAppSecret" => {
            |sandbox, asked| Box::pin(applications::delete_app_secret(sandbox, asked))
        }
        "ListPredefinedScopes" => |_, _| Box::pin(ready(Ok(scopes::list_predefined_scopes()))),
        "ProvisionApplication" => {
            |sandbox, asked| Box::pin(provisions::provision_application(sandbox, asked))
        }
        "ProvisionExternalApplication" => {
            |sandbox, asked| Box::pin(provisions::provision_external_application(sandbox, asked))
        }
        "DeprovisionApplication" => {
            |sandbox, asked| Box::pin(provisions::deprovision_application(sandbox, asked, false))
        }
        "DeprovisionExternalApplication" => {
            |sandbox, asked| Box::pin(provisions::deprovision_application(sandbox, asked, true))
        }
        "GetApplicationProvisionInfo" => |sandbox, asked| {
            Box::pin(provisions::get_provision(
                sandbox,
                asked,
                "ApplicationProvisionInfo",
            ))
        },
        "GetExternalApplication" => |sandbox, asked| {
            Box::pin(provisions::get_provision(
                sandbox,
                asked,
                "ExternalApplication",
            ))
        },
        "ListApplicationProvisionInfos" => |sandbox, asked| {
            Box::pin(provisions::list_provisions(
                sandbox,
                asked,
                ("ApplicationProvisionInfos", "ApplicationProvisionInfo"),
            ))
        },
        "ListExternalApplications" => |sandbox, asked| {
            Box::pin(provisions::list_provisions(
                sandbox,
                asked,
                ("ExternalApplications", "ExternalApplication"),
            ))
        },
        "CreateServiceCredential" => |sandbox, asked| {
            Box::pin(service_credentials::create_service_credential(
                sandbox, asked,
            ))
        },
        "GetServiceCredential" => {
            |sandbox, asked| Box::pin(service_credentials::get_service_credential(sandbox, asked))
        }
        "ListServiceCredentials" => |sandbox, asked| {
            Box::pin(service_credentials::list_service_credentials(
                sandbox, asked,
            ))
        },
        "UpdateServiceCredential" => |sandbox, asked| {
            Box::pin(service_credentials::update_service_credential(
                sandbox, asked,
            ))
        },
        "DeleteServiceCredential" => |sandbox, asked| {
            Box::pin(service_credentials::delete_service_credential(
                sandbox, asked,
            ))
        },
        _ => return find_shared_action(name),
    };
    Some(action)
}
