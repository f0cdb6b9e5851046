//! The sandbox: all actions of RAM, IMS and STS in this process, for demos and tests.
//!
//! It works like any other upstream: it requires the gateway's identity header, acts for the caller that the header
//! names, and keeps its state in its own schema. It is an IAM without authorisation: it evaluates no policies except
//! the trust policies of roles, and believes what a token or an assertion of an identity provider says. Shapes, limits
//! and codes are those of the published API.

#![forbid(unsafe_code)]

mod account_census;
mod account_reports;
mod accounts;
mod actions;
mod answer;
mod applications;
mod asked;
mod attachments;
mod caller;
mod check;
mod credential_report;
mod diagnosis;
mod domains;
mod governance;
mod groups;
mod ims_actions;
mod key_policies;
mod keys;
mod login_profiles;
mod mfa_devices;
mod minting;
mod oidc_providers;
mod oidc_sign_in;
mod owned_key;
mod page;
mod passkeys;
mod policies;
mod provisions;
mod ram_actions;
mod record_kind;
mod records;
mod recycle_bin;
mod recycled_users;
mod refused;
mod roles;
mod saml_providers;
mod saml_sign_in;
mod sandbox;
mod scopes;
pub mod seed;
mod service_credentials;
mod service_roles;
mod sessions;
mod settings;
mod shape;
mod shared_actions;
mod tagging;
mod tags;
mod trust;
mod user_lookup;
mod users;
mod verification;
mod versions;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

pub use self::sandbox::Sandbox;
use self::{
    actions::Action, answer::ResponseBody, asked::SandboxRequest, caller::PrincipalKind,
    domains::AccountDomains, ims_actions::find_ims_action, ram_actions::find_ram_action,
    refused::SandboxFault,
};
use akgate_rules::operation::Product;

/// How long an action may take.
const ACTION_TIMEOUT: Duration = Duration::from_secs(5);

impl Sandbox {
    /// Answers one printed request.
    pub async fn call(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let now = self.clock.now();
        let mut asked = match SandboxRequest::read(&request, &self.identity_key, now) {
            Ok(asked) => asked,
            Err(refused) => return answer::render_stranger_fault(&self.random_id(), &refused),
        };
        let done = timeout(ACTION_TIMEOUT, self.act(&mut asked)).await;
        match done.unwrap_or_else(|_| Err(SandboxFault::unavailable())) {
            Ok(tree) => answer::render_response(&asked, tree),
            Err(refused) => answer::render_fault(&asked, &refused),
        }
    }

    async fn act(&self, asked: &mut SandboxRequest) -> Result<ResponseBody, SandboxFault> {
        let name = &*asked.identity.action;
        let is_sign_in = matches!(name, "AssumeRoleWithSAML" | "AssumeRoleWithOIDC");
        if asked.caller.kind == PrincipalKind::Anonymous && !is_sign_in {
            return Err(SandboxFault::no_permission());
        }
        let action = match Product::from_code(&asked.identity.product) {
            Product::Ram => find_ram_action(name),
            Product::Ims => find_ims_action(name),
            Product::Sts => find_sts_action(name),
            Product::ResourceManager | Product::Other(_) => None,
        };
        let action = action.ok_or_else(|| SandboxFault::action_not_found(name))?;
        keys::record_use(self, asked).await?;
        asked.domains = AccountDomains::find(&self.pool, &asked.caller.account_id).await?;
        action(self, asked).await
    }
}

/// The action of STS of this name.
fn find_sts_action(name: &str) -> Option<Action> {
    let action: Action = match name {
        "AssumeRole" => |sandbox, asked| Box::pin(sessions::assume_role(sandbox, asked)),
        "AssumeRoleWithSAML" => {
            |sandbox, asked| Box::pin(saml_sign_in::assume_role_with_saml(sandbox, asked))
        }
        "AssumeRoleWithOIDC" => {
            |sandbox, asked| Box::pin(oidc_sign_in::assume_role_with_oidc(sandbox, asked))
        }
        "GetCallerIdentity" => {
            |sandbox, asked| Box::pin(sessions::get_caller_identity(sandbox, asked))
        }
        _ => return None,
    };
    Some(action)
}
