//! Settings of an account: for passwords, for what RAM users may do, for sign-in. Each is a table of its members.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    record_kind::RecordKind,
    records::{RecordOwner, find_optional_record, upsert_record},
    refused::SandboxFault,
    sandbox::Sandbox,
};

/// The values of a member, and the one that it has before it is set.
enum Values {
    Flag(bool),
    Number(i64, RangeInclusive<i64>),
    /// One of these texts; any if none is listed.
    Text(&'static str, &'static [&'static str]),
    Texts,
}

/// A member: its name in RAM and in IMS where they differ, and the object that it is shown in.
struct Setting {
    names: &'static [&'static str],
    section: Option<&'static str>,
    values: Values,
}

const fn setting(names: &'static [&'static str], values: Values) -> Setting {
    Setting {
        names,
        section: None,
        values,
    }
}

const fn within(section: &'static str, name: &'static [&'static str], values: Values) -> Setting {
    Setting {
        names: name,
        section: Some(section),
        values,
    }
}

/// Settings that are read and set together.
pub struct SettingsGroup {
    kind: RecordKind,
    member: &'static str,
    settings: &'static [Setting],
}

/// `GetPasswordPolicy` and `SetPasswordPolicy`.
pub static PASSWORD_POLICY: SettingsGroup = SettingsGroup {
    kind: RecordKind::PasswordPolicy,
    member: "PasswordPolicy",
    settings: &[
        setting(&["HardExpiry", "HardExpire"], Values::Flag(false)),
        setting(&["InitialPasswordAge"], Values::Number(0, 0..=90)),
        setting(&["InterceptRiskPasswordOnApi"], Values::Flag(false)),
        setting(&["MaxLoginAttemps"], Values::Number(5, 0..=32)),
        setting(&["MaxPasswordAge"], Values::Number(0, 0..=1095)),
        setting(
            &["MinimumPasswordDifferentCharacter"],
            Values::Number(0, 0..=8),
        ),
        setting(&["MinimumPasswordLength"], Values::Number(8, 8..=32)),
        setting(&["PasswordNotContainUserName"], Values::Flag(false)),
        setting(&["PasswordReusePrevention"], Values::Number(0, 0..=24)),
        setting(&["RequireLowercaseCharacters"], Values::Flag(false)),
        setting(&["RequireNumbers"], Values::Flag(false)),
        setting(&["RequireSymbols"], Values::Flag(false)),
        setting(&["RequireUppercaseCharacters"], Values::Flag(false)),
    ],
};

const ACCESS_KEYS: &str = "AccessKeyPreference";
const LOGIN: &str = "LoginProfilePreference";

/// `GetSecurityPreference` and `SetSecurityPreference`.
pub static SECURITY_PREFERENCE: SettingsGroup = SettingsGroup {
    kind: RecordKind::SecurityPreference,
    member: "SecurityPreference",
    settings: &[
        within(
            ACCESS_KEYS,
            &["AllowUserToManageAccessKeys"],
            Values::Flag(false),
        ),
        within(
            ACCESS_KEYS,
            &["AllowUserToManageServiceCredentials"],
            Values::Flag(false),
        ),
        within(LOGIN, &["AllowUserToChangePassword"], Values::Flag(true)),
        within(LOGIN, &["AllowUserToLoginWithPasskey"], Values::Flag(true)),
        within(LOGIN, &["EnableSaveMFATicket"], Values::Flag(false)),
        within(LOGIN, &["LoginNetworkMasks"], Values::Text("", &[])),
        within(LOGIN, &["LoginSessionDuration"], Values::Number(6, 1..=24)),
        within(
            LOGIN,
            &["MFAOperationForLogin"],
            Values::Text("independent", &["mandatory", "independent", "adaptive"]),
        ),
        within(
            LOGIN,
            &["OperationForRiskLogin"],
            Values::Text("autonomous", &["autonomous", "enforceVerify"]),
        ),
        within(
            "MFAPreference",
            &["AllowUserToManageMFADevices"],
            Values::Flag(true),
        ),
        within(
            "MaxIdleDays",
            &["MaxIdleDaysForAccessKeys"],
            Values::Number(730, 30..=730),
        ),
        within(
            "MaxIdleDays",
            &["MaxIdleDaysForUsers"],
            Values::Number(730, 30..=730),
        ),
        within(
            "PersonalInfoPreference",
            &["AllowUserToManagePersonalDingTalk"],
            Values::Flag(true),
        ),
        within(
            "PublicKeyPreference",
            &["AllowUserToManagePublicKeys"],
            Values::Flag(false),
        ),
        within(
            "VerificationPreference",
            &["VerificationTypes"],
            Values::Texts,
        ),
    ],
};

/// `GetUserSsoSettings` and `SetUserSsoSettings`.
pub static USER_SSO: SettingsGroup = SettingsGroup {
    kind: RecordKind::UserSso,
    member: "UserSsoSettings",
    settings: &[
        setting(
            &["AuthnSignAlgo"],
            Values::Text("rsa-sha256", &["rsa-sha1", "rsa-sha256"]),
        ),
        setting(&["AuxiliaryDomain"], Values::Text("", &[])),
        setting(&["MetadataDocument"], Values::Text("", &[])),
        setting(&["SsoEnabled"], Values::Flag(false)),
        setting(&["SsoLoginWithDomain"], Values::Flag(true)),
    ],
};

impl Setting {
    fn default_value(&self) -> Value {
        match &self.values {
            Values::Flag(default) => json!(default),
            Values::Number(default, _) => json!(default),
            Values::Text(default, _) => json!(default),
            Values::Texts => json!([]),
        }
    }

    /// The value that a request gives, if it gives one. A text can be set to the empty one.
    fn read(&self, asked: &SandboxRequest) -> Result<Option<Value>, SandboxFault> {
        for name in self.names {
            let read = match &self.values {
                Values::Flag(_) => check::optional_flag(asked, name)?.map(Value::from),
                Values::Number(_, range) => {
                    check::optional_number(asked, name, range)?.map(Value::from)
                }
                Values::Text(_, allowed) => match asked.parameters.get(name) {
                    Some(text) if !allowed.is_empty() && !allowed.contains(&text) => {
                        return Err(SandboxFault::incorrect(name));
                    }
                    text => text.map(Value::from),
                },
                Values::Texts => asked
                    .get(name)
                    .map(|_| asked.texts(name))
                    .transpose()?
                    .map(Value::from),
            };
            if read.is_some() {
                return Ok(read);
            }
        }
        Ok(None)
    }

    fn value_in(&self, stored: &Map<String, Value>) -> Value {
        let set = stored.get(self.stored_name()).cloned();
        set.unwrap_or_else(|| self.default_value())
    }

    fn stored_name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

impl SettingsGroup {
    fn shown(&self, stored: &Map<String, Value>) -> ResponseBody {
        let mut shown = Map::new();
        for setting in self.settings {
            let value = setting.value_in(stored);
            let members = match setting.section {
                None => Some(&mut shown),
                Some(section) => shown
                    .entry(section)
                    .or_insert_with(|| json!({}))
                    .as_object_mut(),
            };
            if let Some(members) = members {
                for name in setting.names {
                    members.insert((*name).to_owned(), value.clone());
                }
            }
        }
        single_member(self.member, Value::Object(shown))
    }
}

async fn find_stored(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    group: &SettingsGroup,
) -> Result<Map<String, Value>, SandboxFault> {
    let stored = find_optional_record(tx, asked.records(group.kind), "").await?;
    Ok(stored.map(|record| record.body()).unwrap_or_default())
}

/// Every member of a group under the name of RAM, with the value in force.
pub async fn find_settings(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    group: &SettingsGroup,
) -> Result<Map<String, Value>, SandboxFault> {
    let stored = find_stored(tx, asked, group).await?;
    let in_force = |setting: &Setting| {
        let name = setting.stored_name().to_owned();
        (name, setting.value_in(&stored))
    };
    Ok(group.settings.iter().map(in_force).collect())
}

pub async fn get_settings(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    group: &SettingsGroup,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    Ok(group.shown(&find_stored(&mut tx, asked, group).await?))
}

/// Sets what is given; the rest stays as it is.
pub async fn set_settings(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    group: &SettingsGroup,
) -> Result<ResponseBody, SandboxFault> {
    let set = asked.records(group.kind);
    let mut tx = sandbox.pool.begin().await?;
    let mut body = find_stored(&mut tx, asked, group).await?;
    for setting in group.settings {
        if let Some(value) = setting.read(asked)? {
            body.insert(setting.stored_name().to_owned(), value);
        }
    }
    let owner = RecordOwner::default();
    let record = upsert_record(&mut tx, set, "", owner, body, sandbox.clock.now()).await?;
    tx.commit().await?;
    Ok(group.shown(&record.body()))
}
