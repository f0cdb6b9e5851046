//! The summary of an account, and how far it follows the practices that keep it safe.

use serde_json::json;

use super::{
    account_census::count_account,
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    refused::SandboxFault,
    sandbox::Sandbox,
};

pub async fn get_account_summary(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let census = count_account(sandbox, asked).await?;
    let summary = json!({
        "Users": census.users,
        "Groups": census.groups,
        "Roles": census.roles,
        "Policies": census.policies,
        "MFADevices": census.mfa_devices,
        "MFADevicesInUse": census.users_with_mfa,
        "AccessKeysPerUserQuota": 2,
        "AccountAccessKeysPerAccountQuota": 2,
        "AttachedPoliciesPerGroupQuota": 5,
        "AttachedPoliciesPerRoleQuota": 5,
        "AttachedPoliciesPerUserQuota": 5,
        "AttachedSystemPoliciesPerGroupQuota": 20,
        "AttachedSystemPoliciesPerRoleQuota": 20,
        "AttachedSystemPoliciesPerUserQuota": 20,
        "AuthorizedClientPerUserQuota": 20,
        "ConditionsPerAKPolicyQuota": 8,
        "GroupsPerUserQuota": 50,
        "GroupsQuota": 50,
        "IPItemsPerAKPolicyQuota": 50,
        "PoliciesQuota": 1500,
        "PolicySizeQuota": 6144,
        "RolesQuota": 1000,
        "ServiceCredentialsPerUserPerServiceQuota": 2,
        "UsersQuota": 1000,
        "VersionsPerPolicyQuota": 5,
        "VirtualMFADevicesQuota": 1000,
    });
    Ok(single_member("SummaryMap", summary))
}

pub async fn get_security_practice_report(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let census = count_account(sandbox, asked).await?;
    let practices = [
        census.root_keys == 0,
        census.old_keys == 0,
        census.unused_keys == 0,
        census.users > 0,
        census.users_with_mfa == census.users_with_login,
    ];
    let followed = practices.iter().filter(|follows| **follows).count();
    let report = json!({
        "Score": followed * 100 / practices.len(),
        "AccountSecurityPracticeUserInfo": {
            "BindMfa": false,
            "OldAkNum": census.old_keys,
            "RootWithAccessKey": census.root_keys,
            "SubUser": census.users,
            "SubUserBindMfa": census.users_with_mfa,
            "SubUserPwdLevel": "mid",
            "SubUserWithOldAccessKey": census.users_with_old_key,
            "SubUserWithUnusedAccessKey": census.users_with_unused_key,
            "UnusedAkNum": census.unused_keys,
        },
    });
    Ok(single_member("AccountSecurityPracticeInfo", report))
}
