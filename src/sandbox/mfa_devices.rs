//! Virtual MFA devices. The sandbox has no console to log in to: the seed of a device is shown once and kept nowhere,
//! and codes are looked at for their form.

use serde_json::{Map, Value, json};
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    record_kind::{RecordKind, RecordSet},
    records::{
        Record, RecordOwner, delete_record, find_record, insert_record, list_records, update_record,
    },
    refused::SandboxFault,
    sandbox::Sandbox,
    user_lookup,
};

/// The type of every device.
const VIRTUAL: &str = "VMFA";

/// A picture of one black pixel: nobody has to scan it.
const QR_CODE_PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";

fn devices(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::MfaDevice)
}

pub async fn create_mfa_device(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let name = asked.must("VirtualMFADeviceName")?;
    let name = check::check_name("VirtualMFADeviceName", name, "._-")?;
    let serial = format!("acs:ram::{}:mfa/{name}", asked.caller.account_id);
    let mut tx = sandbox.pool.begin().await?;
    let owner = RecordOwner::default();
    let now = sandbox.clock.now();
    insert_record(&mut tx, devices(asked), &serial, owner, Map::new(), now).await?;
    tx.commit().await?;
    let shown = json!({
        "SerialNumber": serial,
        "Base32StringSeed": sandbox.random_base32(64),
        "QRCodePNG": QR_CODE_PNG,
    });
    Ok(single_member("VirtualMFADevice", shown))
}

pub async fn delete_mfa_device(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let device = find_record(&mut tx, devices(asked), asked.must("SerialNumber")?).await?;
    if device.user_id.is_some() {
        return Err(SandboxFault::delete_conflict("VirtualMFADevice.User"));
    }
    delete_record(&mut tx, &device).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

/// Two codes that follow each other, six digits each.
fn check_codes(asked: &SandboxRequest) -> Result<(), SandboxFault> {
    let code = |name| {
        let code = asked.must(name)?;
        let is_formed = code.len() == 6 && code.chars().all(|c| c.is_ascii_digit());
        is_formed
            .then_some(code)
            .ok_or_else(|| SandboxFault::format("AuthenticationCode"))
    };
    if code("AuthenticationCode1")? == code("AuthenticationCode2")? {
        return Err(SandboxFault::wrong_code());
    }
    Ok(())
}

async fn find_device_of(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    user_id: i64,
) -> Result<Option<Record>, SandboxFault> {
    let (owner, page) = (RecordOwner::user(user_id), PageRequest::whole());
    let found = list_records(&mut **tx, devices(asked), owner, &page).await?;
    Ok(found.into_iter().next())
}

pub async fn bind_mfa_device(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    check_codes(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_requested_user(&mut tx, asked).await?;
    let device = find_record(&mut tx, devices(asked), asked.must("SerialNumber")?).await?;
    if device.user_id.is_some() {
        return Err(SandboxFault::already_exists("VirtualMFADevice.User"));
    }
    if find_device_of(&mut tx, asked, user).await?.is_some() {
        return Err(SandboxFault::already_exists("User.MFADevice"));
    }
    let now = sandbox.clock.now();
    let activated = check::format_date(now);
    let body = Map::from_iter([("ActivateDate".to_owned(), activated.into())]);
    update_record(&mut tx, &device, Some(user), body, now).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

/// Takes the device from a user; the device stays, or as `DisableVirtualMFA` does it is deleted.
pub async fn unbind_mfa_device(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_requested_user(&mut tx, asked).await?;
    let device = find_device_of(&mut tx, asked, user)
        .await?
        .ok_or_else(|| SandboxFault::not_exist("User.MFADevice"))?;
    if asked.identity.action == "DisableVirtualMFA" {
        delete_record(&mut tx, &device).await?;
    } else {
        update_record(&mut tx, &device, None, Map::new(), sandbox.clock.now()).await?;
    }
    tx.commit().await?;
    Ok(single_member(
        "MFADevice",
        json!({ "SerialNumber": device.name }),
    ))
}

pub async fn get_user_mfa_info(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_requested_user(&mut tx, asked).await?;
    let device = find_device_of(&mut tx, asked, user).await?;
    match device {
        Some(device) => {
            let shown = json!({ "SerialNumber": device.name, "Type": VIRTUAL });
            let mut answer = single_member("MFADevice", shown);
            answer.insert("IsMFAEnable".to_owned(), true.into());
            Ok(answer)
        }
        None if asked.is_ims() => Ok(single_member("IsMFAEnable", false.into())),
        None => Err(SandboxFault::not_exist("User.MFADevice")),
    }
}

/// The account itself has no device: there is no call that gives it one.
pub fn get_account_mfa_info() -> ResponseBody {
    single_member("IsMFAEnable", false.into())
}

pub async fn list_mfa_devices(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = if asked.is_ims() {
        PageRequest::asked(asked, 100)?
    } else {
        PageRequest::whole()
    };
    let owner = RecordOwner::default();
    let devices = list_records(&sandbox.pool, devices(asked), owner, &page).await?;
    let owners: Vec<i64> = devices.iter().filter_map(|device| device.user_id).collect();
    let users = sqlx::query!(
        "SELECT user_id, user_name, display_name
         FROM sandbox.users
         WHERE user_id = ANY($1)",
        &owners
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let shown = devices.into_iter().map(|device| {
        let user = users
            .iter()
            .find(|user| Some(user.user_id) == device.user_id);
        let mut shown = json!({ "SerialNumber": device.name });
        if let (Some(user), Value::Object(members)) = (user, &mut shown) {
            members.extend(device.body());
            let user = json!({
                "UserId": user.user_id.to_string(),
                "UserPrincipalName": asked.principal_name(&user.user_name),
                "UserName": user.user_name,
                "DisplayName": user.display_name,
            });
            members.insert("User".to_owned(), user);
        }
        (device.record_id, shown)
    });
    Ok(page.write(("VirtualMFADevices", "VirtualMFADevice"), shown))
}
