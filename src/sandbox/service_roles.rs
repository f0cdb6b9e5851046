//! Service-linked roles: a service assumes them, and their policy is the service's.

use serde_json::{Value, json};

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    refused::SandboxFault,
    roles::{NewRole, delete_role_row, insert_role},
    sandbox::Sandbox,
};

/// A service that has service-linked roles.
struct LinkedService {
    service_name: &'static str,
    role_prefix: &'static str,
    /// Whether an account may have several, told apart by their suffix.
    allows_many: bool,
    description: &'static str,
}

const SERVICES: [LinkedService; 3] = [
    LinkedService {
        service_name: "ess.aliyuncs.com",
        role_prefix: "AliyunServiceRoleForAutoScaling",
        allows_many: false,
        description: "Auto Scaling assumes this role to call other services.",
    },
    LinkedService {
        service_name: "alb.aliyuncs.com",
        role_prefix: "AliyunServiceRoleForAlb",
        allows_many: false,
        description: "Application Load Balancer assumes this role to call other services.",
    },
    LinkedService {
        service_name: "resourcemanager.aliyuncs.com",
        role_prefix: "AliyunServiceRoleForResourceDirectory",
        allows_many: true,
        description: "Resource Directory assumes this role to call other services.",
    },
];

fn find_service(asked: &SandboxRequest) -> Result<&'static LinkedService, SandboxFault> {
    let name = asked.must("ServiceName")?;
    SERVICES
        .iter()
        .find(|service| service.service_name == name)
        .ok_or_else(|| SandboxFault::incorrect("ServiceName"))
}

pub async fn create_service_linked_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let service = find_service(asked)?;
    let role_name = match asked.get("CustomSuffix") {
        None => service.role_prefix.to_owned(),
        Some(suffix) if service.allows_many => format!("{}-{suffix}", service.role_prefix),
        Some(_) => return Err(SandboxFault::incorrect("CustomSuffix")),
    };
    let description = check::optional_text(asked, "Description", 1024)?;
    let trust = json!({
        "Version": "1",
        "Statement": [{
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": { "Service": [service.service_name] },
        }],
    });
    let role = NewRole {
        role_name: &role_name,
        description: description.as_deref().unwrap_or(service.description),
        document: &trust.to_string(),
        max_session_duration: 3600,
        allow_console_login: false,
        service_name: Some(service.service_name),
    };
    insert_role(sandbox, asked, &role).await
}

/// Deletes the role at once; the service answers with a task that does it.
pub async fn delete_service_linked_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    delete_role_row(sandbox, asked, true).await?;
    let task = format!(
        "task/{}/{}",
        asked.must("RoleName")?,
        sandbox.random_text(32)
    );
    Ok(single_member("DeletionTaskId", Value::String(task)))
}

pub fn get_service_linked_role_template(
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let service = find_service(asked)?;
    let policy = service.role_prefix.replacen("Role", "RolePolicy", 1);
    let template = json!({
        "ServiceName": service.service_name,
        "RoleNamePrefix": service.role_prefix,
        "MultipleRolesAllowed": service.allows_many,
        "SystemPolicyName": policy,
        "RoleDescriptions": { "RoleDescription": [
            { "Language": "en", "Description": service.description },
        ] },
    });
    Ok(single_member("ServiceLinkedRoleTemplate", template))
}
