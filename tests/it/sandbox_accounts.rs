//! The sandbox's accounts: the users' recycle bin, devices, settings, names, applications.

use serde_json::{Value, json};

use crate::{harness::ACCOUNT, sandbox_wide::Cloud};

const IMS: &str = "2019-08-15";

fn principal(name: &str) -> String {
    format!("{name}@{ACCOUNT}.onaliyun.com")
}

fn text(tree: &Value, path: &str) -> String {
    tree.pointer(path)
        .and_then(Value::as_str)
        .unwrap()
        .to_owned()
}

async fn refused_by_ims(cloud: &Cloud, action: &str, parameters: &[(&str, &str)]) -> String {
    cloud.ask(IMS, action, parameters).await.unwrap_err()
}

#[tokio::test]
async fn deleted_user_can_be_restored_from_the_recycle_bin() {
    let cloud = Cloud::new().await;
    let name = principal("alice");
    let user = ("UserPrincipalName", name.as_str());
    let id = text(&cloud.ims("CreateUser", &[user]).await, "/User/UserId");
    let of = ("UserId", id.as_str());
    let key = cloud.ims("CreateAccessKey", &[user]).await;
    let key = text(&key, "/AccessKey/AccessKeyId");
    let key = ("UserAccessKeyId", key.as_str());
    assert_eq!(
        refused_by_ims(&cloud, "GetUserInRecycleBin", &[of]).await,
        "404 EntityNotExist.User"
    );
    cloud.ims("DeleteAccessKey", &[user, key]).await;
    let in_bin = cloud.ims("GetAccessKeyInfoInRecycleBin", &[key]).await;
    assert_eq!(in_bin["AccessKey"]["UserRecycled"], false);
    cloud.ims("DeleteUser", &[user]).await;
    let in_bin = cloud.ims("GetAccessKeyInfoInRecycleBin", &[key]).await;
    assert_eq!(in_bin["AccessKey"]["UserRecycled"], true);
    assert_eq!(in_bin["AccessKey"]["UserPrincipalName"], name);
    let by_key = cloud.ims("GetUserInRecycleBin", &[key]).await;
    assert_eq!(by_key["User"]["UserId"], id);
    let listed = cloud
        .ims("ListUsersInRecycleBin", &[("Filter", "lic")])
        .await;
    assert_eq!(text(&listed, "/Users/User/0/UserId"), id);
    cloud.ims("RestoreUserFromRecycleBin", &[of]).await;
    let got = cloud.ims("GetUser", &[of]).await;
    assert_eq!(got["User"]["UserPrincipalName"], name);
    cloud
        .ims("RestoreAccessKeyFromRecycleBin", &[of, key])
        .await;
    cloud.ims("DeleteAccessKey", &[user, key]).await;
    cloud.ims("DeleteUser", &[user]).await;
    cloud.ims("CreateUser", &[user]).await;
    assert_eq!(
        refused_by_ims(&cloud, "RestoreUserFromRecycleBin", &[of]).await,
        "409 EntityAlreadyExists.User",
        "the name is another user's by now"
    );
    cloud.ims("DeleteUserInRecycleBin", &[of]).await;
    assert_eq!(
        refused_by_ims(&cloud, "GetAccessKeyInfoInRecycleBin", &[key]).await,
        "404 EntityNotExist.User.AccessKey",
        "a user's keys end with it"
    );
}

#[tokio::test]
async fn mfa_device_belongs_to_one_user_and_keeps_it() {
    let cloud = Cloud::new().await;
    let (alice, bob) = (("UserName", "alice"), ("UserName", "bob"));
    for user in [alice, bob] {
        cloud.ram("CreateUser", &[user]).await;
    }
    assert_eq!(
        cloud.refused("GetUserMFAInfo", &[alice]).await,
        "404 EntityNotExist.User.MFADevice"
    );
    let mut serials = Vec::new();
    for name in ["one", "two"] {
        let name = [("VirtualMFADeviceName", name)];
        let made = cloud.ram("CreateVirtualMFADevice", &name).await;
        assert_eq!(text(&made, "/VirtualMFADevice/Base32StringSeed").len(), 64);
        serials.push(text(&made, "/VirtualMFADevice/SerialNumber"));
        assert_eq!(
            cloud.refused("CreateVirtualMFADevice", &name).await,
            "409 EntityAlreadyExists.VirtualMFADevice"
        );
    }
    let codes = [
        ("AuthenticationCode1", "111111"),
        ("AuthenticationCode2", "222222"),
    ];
    let bind = |serial: usize, user| {
        [
            user,
            ("SerialNumber", serials[serial].as_str()),
            codes[0],
            codes[1],
        ]
    };
    for (code, wanted) in [
        ("22222", "400 InvalidParameter.AuthenticationCode.Format"),
        ("111111", "403 CheckAuthenticationCodeFail"),
    ] {
        let mut wrong = bind(0, alice);
        wrong[3].1 = code;
        assert_eq!(cloud.refused("BindMFADevice", &wrong).await, wanted);
    }
    cloud.ram("BindMFADevice", &bind(0, alice)).await;
    for (parameters, wanted) in [
        (
            bind(0, bob),
            "409 EntityAlreadyExists.VirtualMFADevice.User",
        ),
        (bind(1, alice), "409 EntityAlreadyExists.User.MFADevice"),
    ] {
        assert_eq!(cloud.refused("BindMFADevice", &parameters).await, wanted);
    }
    let serial = ("SerialNumber", serials[0].as_str());
    assert_eq!(
        cloud.refused("DeleteVirtualMFADevice", &[serial]).await,
        "409 DeleteConflict.VirtualMFADevice.User"
    );
    assert_eq!(
        cloud.refused("DeleteUser", &[alice]).await,
        "409 DeleteConflict.User.MFADevice"
    );
    let listed = cloud.ram("ListVirtualMFADevices", &[]).await;
    let devices = &listed["VirtualMFADevices"]["VirtualMFADevice"];
    assert_eq!(devices[0]["User"]["UserName"], "alice");
    assert_eq!(devices[1], json!({ "SerialNumber": serials[1] }));
    cloud.ram("UnbindMFADevice", &[alice]).await;
    cloud.ram("DeleteVirtualMFADevice", &[serial]).await;
    cloud.ram("DeleteUser", &[alice]).await;
}

#[tokio::test]
async fn settings_are_kept_under_the_names_of_both_products() {
    let cloud = Cloud::new().await;
    let set = [
        ("MinimumPasswordLength", "12"),
        ("HardExpiry", "True"),
        ("RequireSymbols", "true"),
    ];
    cloud.ram("SetPasswordPolicy", &set).await;
    let got = cloud.ims("GetPasswordPolicy", &[]).await;
    assert_eq!(got["PasswordPolicy"]["HardExpire"], true);
    assert_eq!(got["PasswordPolicy"]["MinimumPasswordLength"], 12);
    assert_eq!(got["PasswordPolicy"]["MaxLoginAttemps"], 5);
    for (name, value, wanted) in [
        (
            "MinimumPasswordLength",
            "7",
            "400 InvalidParameter.MinimumPasswordLength.Range",
        ),
        ("HardExpiry", "maybe", "400 InvalidParameter.HardExpiry"),
    ] {
        assert_eq!(
            cloud.refused("SetPasswordPolicy", &[(name, value)]).await,
            wanted
        );
    }
    let user = ("UserName", "alice");
    cloud.ram("CreateUser", &[user]).await;
    for (password, is_allowed) in [
        ("Short-1", false),
        ("NoSymbolInHere12", false),
        ("Fake-Password-1", true),
    ] {
        let asked = [user, ("Password", password)];
        let made = cloud.ask("2015-05-01", "CreateLoginProfile", &asked).await;
        assert_eq!(made.is_ok(), is_allowed, "{password}");
    }
    let masks = [
        ("LoginNetworkMasks", "192.0.2.0/24"),
        ("LoginSessionDuration", "8"),
    ];
    cloud.ram("SetSecurityPreference", &masks).await;
    let reset = [
        ("LoginNetworkMasks", ""),
        ("MFAOperationForLogin", "adaptive"),
    ];
    let set = cloud.ims("SetSecurityPreference", &reset).await;
    let login = &set["SecurityPreference"]["LoginProfilePreference"];
    assert_eq!(login["LoginNetworkMasks"], "");
    assert_eq!(login["LoginSessionDuration"], 8);
    assert_eq!(login["MFAOperationForLogin"], "adaptive");
    let wrong = [("MFAOperationForLogin", "sometimes")];
    assert_eq!(
        refused_by_ims(&cloud, "SetSecurityPreference", &wrong).await,
        "400 InvalidParameter.MFAOperationForLogin"
    );
}

#[tokio::test]
async fn alias_and_default_domain_name_the_users() {
    let cloud = Cloud::new().await;
    for wrong in ["ab", "-abc", "ABC"] {
        assert_eq!(
            cloud
                .refused("SetAccountAlias", &[("AccountAlias", wrong)])
                .await,
            "400 InvalidParameter.AccountAlias.Format"
        );
    }
    cloud
        .ram("SetAccountAlias", &[("AccountAlias", "acme")])
        .await;
    let under_alias = ("UserPrincipalName", "alice@acme.onaliyun.com");
    let made = cloud.ims("CreateUser", &[under_alias]).await;
    assert_eq!(made["User"]["UserPrincipalName"], principal("alice"));
    let domain = ("DefaultDomainName", "acme.onaliyun.com");
    cloud.ims("SetDefaultDomain", &[domain]).await;
    let got = cloud
        .ims("GetUser", &[("UserPrincipalName", &principal("alice"))])
        .await;
    assert_eq!(got["User"]["UserPrincipalName"], under_alias.1);
    assert_eq!(
        refused_by_ims(
            &cloud,
            "SetDefaultDomain",
            &[("DefaultDomainName", "other.onaliyun.com")]
        )
        .await,
        "404 EntityNotExist.Domain"
    );
    cloud.ram("ClearAccountAlias", &[]).await;
    let got = cloud.ims("GetDefaultDomain", &[]).await;
    assert_eq!(got["DefaultDomainName"], format!("{ACCOUNT}.onaliyun.com"));
    assert_eq!(
        refused_by_ims(&cloud, "GetUser", &[under_alias]).await,
        "400 InvalidParameter.UserPrincipalName"
    );
}

#[tokio::test]
async fn secret_of_an_application_is_shown_by_its_own_calls_alone() {
    let cloud = Cloud::new().await;
    let asked = [
        ("DisplayName", "ours"),
        ("AppType", "WebApp"),
        ("PredefinedScopes", "profile"),
    ];
    let made = cloud.ims("CreateApplication", &asked).await;
    let id = text(&made, "/Application/AppId");
    let app = ("AppId", id.as_str());
    let secret = cloud.ims("CreateAppSecret", &[app]).await;
    let value = text(&secret, "/AppSecret/AppSecretValue");
    let secret = text(&secret, "/AppSecret/AppSecretId");
    let secret = ("AppSecretId", secret.as_str());
    let got = cloud.ims("GetAppSecret", &[app, secret]).await;
    assert_eq!(got["AppSecret"]["AppSecretValue"], value.as_str());
    for action in ["ListAppSecretIds", "GetApplication", "ListApplications"] {
        let shown = cloud.ims(action, &[app]).await.to_string();
        assert!(!shown.contains(&value), "{action}: {shown}");
    }
    let other = cloud.ims("CreateApplication", &asked).await;
    let other = text(&other, "/Application/AppId");
    assert_eq!(
        refused_by_ims(&cloud, "GetAppSecret", &[("AppId", &other), secret]).await,
        "404 EntityNotExist.Application.AppSecret"
    );
    cloud
        .ims("ProvisionApplication", &[app, ("Scopes", "profile")])
        .await;
    assert_eq!(
        refused_by_ims(&cloud, "GetExternalApplication", &[app]).await,
        "404 EntityNotExist.ApplicationProvisionInfo",
        "it is the account's own"
    );
    cloud.ims("DeleteApplication", &[app]).await;
    for action in ["GetApplicationProvisionInfo", "ListAppSecretIds"] {
        let gone = refused_by_ims(&cloud, action, &[app]).await;
        assert!(gone.starts_with("404 EntityNotExist."), "{action}: {gone}");
    }
}

#[tokio::test]
async fn answers_have_the_members_of_their_model_and_no_other() {
    let cloud = Cloud::new().await;
    let trust = json!({ "Version": "1", "Statement": [{ "Effect": "Allow" }] }).to_string();
    let role = [
        ("RoleName", "role"),
        ("AssumeRolePolicyDocument", trust.as_str()),
    ];
    let made = cloud.ram("CreateRole", &role).await;
    assert_eq!(made["Role"].get("UpdateDate"), None);
    let got = cloud.ram("GetRole", &role[..1]).await;
    assert_eq!(got["Role"]["AllowConsoleLogin"], true);
    assert_eq!(
        got["Role"]["RolePrincipalName"],
        format!("role@role.{ACCOUNT}.onaliyunservice.com")
    );
    let name = principal("alice");
    let user = ("UserPrincipalName", name.as_str());
    let tag = ("Tag", "[{\"Key\":\"team\",\"Value\":\"red\"}]");
    let made = cloud.ims("CreateUser", &[user, tag]).await;
    assert_eq!(made["User"]["ProvisionType"], "Manual");
    assert_eq!(made["User"].get("UserName"), None);
    let listed = cloud.ims("ListUsers", &[("Status", "Active"), tag]).await;
    let listed = &listed["Users"]["User"][0];
    assert_eq!(listed["Status"], "Active");
    assert_eq!(listed["Tags"]["Tag"][0]["TagValue"], "red");
    let none = cloud.ims("ListUsers", &[("Status", "Inactive")]).await;
    assert_eq!(none["Users"]["User"], json!([]));
    let got = cloud.ims("GetUser", &[user]).await;
    assert_eq!(got["User"]["UserName"], "alice");
    let got = cloud.ram("GetUser", &[("UserName", "alice")]).await;
    for absent in ["Tags", "Status", "ProvisionType", "UserPrincipalName"] {
        assert_eq!(got["User"].get(absent), None, "{absent}");
    }
}
