//! The moves that an attacker tries with a leaked AccessKey.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;

use crate::demo::{
    report::Endpoints,
    scenario::ScenarioFault,
    seed::{Fixtures, trust_policy},
};
use akgate_client::signer::{ApiCall, ApiReply, SigningClient, SigningCredentials, sign_request};
use akgate_state::clock::Clock;

pub(super) const RAM_VERSION: &str = "2015-05-01";
const IMS_VERSION: &str = "2019-08-15";
const STS_VERSION: &str = "2015-04-01";

akgate_rules::text_enum! {
    /// A move: one call, or one call that needs another before it.
    #[derive(PartialOrd, Ord)]
    pub enum AttackMove {
        CreateUser = "CreateUser",
        CreateUserByIms = "CreateUser of IMS",
        CreateAccessKey = "CreateAccessKey for another user",
        CreateAccessKeyForItself = "CreateAccessKey for itself",
        CreateLoginProfile = "CreateLoginProfile for another user",
        AttachPolicy = "AttachPolicyToUser AdministratorAccess",
        LeaveGroup = "RemoveUserFromGroup: out of the restricted group",
        CreatePolicy = "CreatePolicy",
        EnableItself = "UpdateAccessKey to re-enable itself",
        WithSession = "CreateUser with a session from before",
        WithChainedSession = "CreateUser with a chained session",
        WithNewSession = "AssumeRole, then CreateUser with the new session",
        SignedAhead = "CreateUser signed before the report",
        Replay = "replay of a CreateUser that had passed",
        HeaderOverSignature = "signed ListUsers, x-acs-action changed",
        ActionInTwoPlaces = "signed x-acs-action and another Action",
        ActionTwice = "Action twice, a read and a mutation",
        UnknownAction = "an unknown action",
        OtherVersion = "CreateUser under the version of STS",
        ForgedIdentity = "a read with a forged x-akgate-identity",
    }
}

/// What all callers of the attack share.
pub struct AttackState {
    pub(super) gateways: Vec<String>,
    pub(super) next: AtomicUsize,
    pub(super) caller: SigningClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) assets: AttackerAssets,
    pub(super) began: Instant,
    pub(super) over: AtomicBool,
}

impl AttackState {
    /// Calls with a signature made now.
    pub(super) async fn call(
        &self,
        key: &SigningCredentials,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<ApiReply, ScenarioFault> {
        let api = ApiCall {
            version,
            action,
            parameters,
        };
        let now = self.clock.now();
        Ok(self.caller.call(self.gateway(), key, api, now).await?)
    }

    /// Each call goes to the next node.
    fn gateway(&self) -> &str {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let at = next % self.gateways.len().max(1);
        self.gateways.get(at).map_or("", String::as_str)
    }

    pub(super) fn ms(&self) -> f64 {
        self.began.elapsed().as_secs_f64() * 1000.0
    }
}

impl AttackMove {
    /// Whether the handlers were reached with a change. A read that carries a trick may pass; whether the trick worked
    /// shows in the account.
    pub fn reached(self, reply: &ApiReply) -> bool {
        // A refusal by the gateway names the host that was asked; one by the sandbox, that of the service.
        let host = reply.text(&["HostId"]).unwrap_or_default();
        let by_handler = (200..300).contains(&reply.status) || host.ends_with(".aliyuncs.com");
        match self {
            Self::ForgedIdentity => false,
            _ => by_handler,
        }
    }

    /// Makes the move: returns when its last call was sent, if it has more than one, and the answer. `None` if the
    /// attacker lacks something for it.
    pub async fn play(
        self,
        field: &AttackState,
        name: &str,
    ) -> Result<Option<(Option<f64>, ApiReply)>, ScenarioFault> {
        let assets = &field.assets;
        let user = [("UserName", name)];
        let principal = format!("{name}@{}.onaliyun.com", assets.account_id);
        let key = &assets.key;
        let (version, action, parameters): (_, _, Vec<(&str, &str)>) = match self {
            Self::CreateUser => (RAM_VERSION, "CreateUser", user.to_vec()),
            Self::CreateUserByIms => (
                IMS_VERSION,
                "CreateUser",
                vec![("UserPrincipalName", &principal)],
            ),
            Self::CreateAccessKey => {
                let made = field
                    .call(key, RAM_VERSION, "CreateAccessKey", &[("UserName", "bob")])
                    .await?;
                assets.keep(&made);
                return Ok(Some((None, made)));
            }
            Self::CreateAccessKeyForItself => (RAM_VERSION, "CreateAccessKey", Vec::new()),
            Self::CreateLoginProfile => (
                RAM_VERSION,
                "CreateLoginProfile",
                vec![("UserName", "bob"), ("Password", "Fake-Password-1")],
            ),
            Self::AttachPolicy => (
                RAM_VERSION,
                "AttachPolicyToUser",
                vec![
                    ("UserName", "alice"),
                    ("PolicyType", "System"),
                    ("PolicyName", "AdministratorAccess"),
                ],
            ),
            Self::LeaveGroup => (
                RAM_VERSION,
                "RemoveUserFromGroup",
                vec![("UserName", "alice"), ("GroupName", "restricted")],
            ),
            Self::CreatePolicy => (
                RAM_VERSION,
                "CreatePolicy",
                vec![("PolicyName", name), ("PolicyDocument", ALLOW_ALL_POLICY)],
            ),
            Self::EnableItself => (
                RAM_VERSION,
                "UpdateAccessKey",
                vec![
                    ("UserName", "alice"),
                    ("UserAccessKeyId", &key.access_key_id),
                    ("Status", "Active"),
                ],
            ),
            Self::WithSession => {
                let reply = field
                    .call(&assets.session, RAM_VERSION, "CreateUser", &user)
                    .await?;
                return Ok(Some((None, reply)));
            }
            Self::WithChainedSession => {
                let reply = field
                    .call(&assets.chained, RAM_VERSION, "CreateUser", &user)
                    .await?;
                return Ok(Some((None, reply)));
            }
            Self::WithNewSession => {
                let role = [
                    ("RoleArn", assets.role.as_str()),
                    ("RoleSessionName", "mallory"),
                ];
                let minted = field.call(key, STS_VERSION, "AssumeRole", &role).await?;
                let Some(session) = minted.session() else {
                    return Ok(Some((None, minted)));
                };
                let sent = field.ms();
                let reply = field
                    .call(&session, RAM_VERSION, "CreateUser", &user)
                    .await?;
                return Ok(Some((Some(sent), reply)));
            }
            Self::SignedAhead => {
                let Some(request) = assets.signed_ahead() else {
                    return Ok(None);
                };
                return Ok(Some((None, field.caller.send(request).await?)));
            }
            Self::Replay => {
                let reply = field.caller.send(assets.passed.clone()).await?;
                return Ok(Some((None, reply)));
            }
            Self::HeaderOverSignature => {
                let mut request = sign_request(
                    field.gateway(),
                    key,
                    ApiCall {
                        version: RAM_VERSION,
                        action: "ListUsers",
                        parameters: &user,
                    },
                    field.clock.now(),
                )?;
                let action = HeaderValue::from_static("CreateUser");
                request.headers_mut().insert("x-acs-action", action);
                return Ok(Some((None, field.caller.send(request).await?)));
            }
            Self::ActionInTwoPlaces => (
                RAM_VERSION,
                "ListUsers",
                vec![("Action", "CreateUser"), ("UserName", name)],
            ),
            Self::ActionTwice => (
                RAM_VERSION,
                "ListUsers",
                vec![
                    ("Action", "ListUsers"),
                    ("Action", "CreateUser"),
                    ("UserName", name),
                ],
            ),
            Self::UnknownAction => (RAM_VERSION, "CreateUserV2", user.to_vec()),
            Self::OtherVersion => (STS_VERSION, "CreateUser", user.to_vec()),
            Self::ForgedIdentity => {
                let mut request = sign_request(
                    field.gateway(),
                    key,
                    ApiCall {
                        version: RAM_VERSION,
                        action: "ListUsers",
                        parameters: &[("MaxItems", "1")],
                    },
                    field.clock.now(),
                )?;
                for header in ["x-akgate-identity", "x_akgate_identity"] {
                    let forged = HeaderValue::from_static("e30.e30");
                    request.headers_mut().insert(header, forged);
                }
                return Ok(Some((None, field.caller.send(request).await?)));
            }
        };
        let reply = field.call(key, version, action, &parameters).await?;
        Ok(Some((None, reply)))
    }
}

const ALLOW_ALL_POLICY: &str =
    r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// What the attacker holds.
pub struct AttackerAssets {
    account_id: String,
    /// The leaked key.
    key: SigningCredentials,
    /// A session that it had minted.
    session: SigningCredentials,
    /// A session that this session had minted.
    chained: SigningCredentials,
    role: String,
    /// A call that had passed.
    passed: Request<Full<Bytes>>,
    ahead: Mutex<Vec<Request<Full<Bytes>>>>,
    made: Mutex<Option<SigningCredentials>>,
}

impl AttackerAssets {
    /// Prepares the attack: a group that restricts alice, a role that the account may assume, sessions of her key, a
    /// recorded call, and calls that are signed in advance.
    pub async fn gather(
        endpoints: &Endpoints,
        fixtures: &Fixtures,
        caller: &SigningClient,
        clock: &dyn Clock,
        ahead: usize,
    ) -> Result<Self, ScenarioFault> {
        let gateway = &endpoints.gateway_url;
        let account_id = fixtures.account_of(&fixtures.alice).to_owned();
        let ask = async |key: &SigningCredentials, version, action, parameters: &[(&str, &str)]| {
            let api = ApiCall {
                version,
                action,
                parameters,
            };
            caller.call(gateway, key, api, clock.now()).await
        };
        let group = ("GroupName", "restricted");
        ask(&fixtures.root, RAM_VERSION, "CreateGroup", &[group]).await?;
        ask(
            &fixtures.root,
            RAM_VERSION,
            "AddUserToGroup",
            &[group, ("UserName", "alice")],
        )
        .await?;
        let trust = trust_policy(&account_id);
        let role = [
            ("RoleName", "admin"),
            ("AssumeRolePolicyDocument", trust.as_str()),
        ];
        let role = ask(&fixtures.root, RAM_VERSION, "CreateRole", &role).await?;
        let role = role
            .text(&["Role", "Arn"])
            .ok_or(ScenarioFault::Lacking("Role.Arn"))?
            .to_owned();
        let assume = [("RoleArn", role.as_str()), ("RoleSessionName", "mallory")];
        let lacking = || ScenarioFault::Lacking("Credentials");
        let session = ask(&fixtures.alice, STS_VERSION, "AssumeRole", &assume).await?;
        let session = session.session().ok_or_else(lacking)?;
        let chained = ask(&session, STS_VERSION, "AssumeRole", &assume).await?;
        let chained = chained.session().ok_or_else(lacking)?;
        let create = |gateway: &str, name: &str| {
            let api = ApiCall {
                version: RAM_VERSION,
                action: "CreateUser",
                parameters: &[("UserName", name)],
            };
            sign_request(gateway, &fixtures.alice, api, clock.now())
        };
        let passed = create(gateway, "mallory-first")?;
        if caller.send(passed.clone()).await?.status != 200 {
            return Err(ScenarioFault::Lacking("a call that passes"));
        }
        let everywhere = endpoints.gateway_urls.iter().cycle();
        let ahead: Result<_, _> = everywhere
            .zip(0..ahead)
            .map(|(gateway, n)| create(gateway, &format!("mallory-ahead-{n}")))
            .collect();
        Ok(Self {
            account_id,
            key: fixtures.alice.clone(),
            session,
            chained,
            role,
            passed,
            ahead: Mutex::new(ahead?),
            made: Mutex::default(),
        })
    }

    fn signed_ahead(&self) -> Option<Request<Full<Bytes>>> {
        self.ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    /// Stores a created key.
    fn keep(&self, made: &ApiReply) {
        let member = |name| made.text(&["AccessKey", name]).map(str::to_owned);
        if let (Some(id), Some(secret)) = (member("AccessKeyId"), member("AccessKeySecret")) {
            *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(SigningCredentials {
                access_key_id: id,
                access_key_secret: secret,
                security_token: None,
            });
        }
    }

    /// A key that was created in time.
    pub fn made(&self) -> Option<SigningCredentials> {
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
