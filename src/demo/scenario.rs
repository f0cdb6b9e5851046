//! The scenario: two leaked keys, shown by calls and their answers.

use std::{
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use http::Method;
use serde_json::{Value, json};

use super::{
    letters,
    report::{DemoReport, Endpoints, StepResult},
    seed::{Fixtures, trust_policy},
};
use akgate_client::signer::{ApiCall, ApiReply, ClientFault, SigningClient, SigningCredentials};
use akgate_state::clock::Clock;

const RAM_VERSION: &str = "2015-05-01";
const STS_VERSION: &str = "2015-04-01";
const REFUSED_SUMMARY: &str = "403 Forbidden: There is a risk of leakage of this AccessKey.";

/// How long a letter may take to be written.
const LETTER_TIMEOUT: Duration = Duration::from_secs(15);

/// Why the scenario ends early.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioFault {
    /// The output cannot be written to.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// A server does not answer.
    #[error(transparent)]
    Client(#[from] ClientFault),
    /// A request cannot be written.
    #[error("cannot write a request: {0}")]
    Request(#[from] http::Error),
    /// An answer lacks a member that the next step needs.
    #[error("the response lacks `{0}`: the demo cannot continue")]
    Lacking(&'static str),
}

/// Runs the scenario.
pub struct Scenario<'s, W> {
    /// The endpoints and accounts.
    pub endpoints: &'s Endpoints,
    /// The keys.
    pub fixtures: &'s Fixtures,
    /// The output.
    pub report: &'s mut DemoReport<W>,
    /// The source of the current time.
    pub clock: &'s dyn Clock,
    caller: SigningClient,
    failed: usize,
}

impl<'s, W: Write> Scenario<'s, W> {
    /// A scenario that has not begun.
    pub fn new(
        endpoints: &'s Endpoints,
        fixtures: &'s Fixtures,
        report: &'s mut DemoReport<W>,
        clock: &'s dyn Clock,
    ) -> Self {
        Self {
            endpoints,
            fixtures,
            report,
            clock,
            caller: SigningClient::default(),
            failed: 0,
        }
    }

    /// Runs the scenario; returns how many steps did not go as expected.
    ///
    /// # Errors
    /// [`ScenarioFault`] if it cannot be run to its end.
    pub async fn run(mut self) -> Result<usize, ScenarioFault> {
        self.rotated().await?;
        self.still_active().await?;
        Ok(self.failed)
    }

    /// A leaked key that its owner rotates.
    async fn rotated(&mut self) -> Result<(), ScenarioFault> {
        let (alice, root) = (self.fixtures.alice.clone(), self.fixtures.root.clone());
        self.report.part("alice's AccessKey, before it leaks")?;
        self.create_user("CreateUser with a clean key", &alice, "200")
            .await?;
        let role = self.create_role(&root).await?;
        let session = self.assume_role("AssumeRole mints a session", &alice, &role);
        let session = session.await?;

        self.report.part("It is found in a public repository")?;
        let restriction = self
            .report_leak(
                &alice,
                "github",
                "https://github.com/example/app/blob/main/.env",
            )
            .await?;
        self.create_user("CreateUser with the leaked key", &alice, REFUSED_SUMMARY)
            .await?;
        self.list_users("ListUsers with the leaked key", &alice)
            .await?;
        self.create_user(
            "CreateUser with a session minted before",
            &session,
            REFUSED_SUMMARY,
        )
        .await?;
        let link = self
            .letter(
                "The owner gets a letter",
                &self.fixtures.english_owner.clone(),
            )
            .await?;
        self.lift(
            "The operator lifts before the owner confirms",
            &restriction,
            false,
            "409 The clean-up has not been confirmed.",
        )
        .await?;

        self.report.part("The owner cleans up")?;
        self.confirm(&link).await?;
        let new = self.create_access_key(&root).await?;
        self.set_status(
            "The root key disables the old key",
            &root,
            &alice,
            "Inactive",
        )
        .await?;
        self.lift("The operator lifts", &restriction, false, "200")
            .await?;
        self.create_user("CreateUser with alice's new key", &new, "200")
            .await?;

        self.report.part("The old key comes back")?;
        self.set_status(
            "The root key enables the old key again",
            &root,
            &alice,
            "Active",
        )
        .await?;
        self.create_user("CreateUser with the old key", &alice, REFUSED_SUMMARY)
            .await
    }

    /// A leaked key that has to stay in use.
    async fn still_active(&mut self) -> Result<(), ScenarioFault> {
        let zhang = self.fixtures.zhang.clone();
        self.report
            .part("zhang's AccessKey leaks and must stay in use")?;
        let role = self.create_role(&zhang).await?;
        let before = self
            .assume_role("AssumeRole mints a session", &zhang, &role)
            .await?;
        let restriction = self
            .report_leak(
                &zhang,
                "gitlab",
                "https://gitlab.com/example/app/-/snippets/1",
            )
            .await?;
        self.create_user("CreateUser with the leaked key", &zhang, REFUSED_SUMMARY)
            .await?;
        let link = self
            .letter(
                "The owner gets a letter in Chinese",
                &self.fixtures.chinese_owner.clone(),
            )
            .await?;
        self.confirm(&link).await?;
        self.lift(
            "The operator lifts while the key is active",
            &restriction,
            false,
            "409 The leaked access key is still active.",
        )
        .await?;
        let approval = self.lift(
            "The operator accepts the active key",
            &restriction,
            true,
            "202",
        );
        let approval = approval.await?;
        self.approve(&approval).await?;
        self.create_user("CreateUser with the same key", &zhang, "200")
            .await?;
        self.create_user(
            "CreateUser with the session from before",
            &before,
            REFUSED_SUMMARY,
        )
        .await?;
        let after = self
            .assume_role("AssumeRole mints another session", &zhang, &role)
            .await?;
        self.create_user("CreateUser with the session from after", &after, "200")
            .await
    }

    async fn create_user(
        &mut self,
        step: &str,
        key: &SigningCredentials,
        expected: &str,
    ) -> Result<(), ScenarioFault> {
        let name = format!("user-{}", uuid::Uuid::new_v4().simple());
        let parameters = [("UserName", name.as_str())];
        self.call(step, key, RAM_VERSION, "CreateUser", &parameters, expected)
            .await?;
        Ok(())
    }

    async fn list_users(
        &mut self,
        step: &str,
        key: &SigningCredentials,
    ) -> Result<(), ScenarioFault> {
        self.call(step, key, RAM_VERSION, "ListUsers", &[], "200")
            .await?;
        Ok(())
    }

    async fn create_role(&mut self, key: &SigningCredentials) -> Result<String, ScenarioFault> {
        let account_id = self.fixtures.account_of(key);
        let trust = trust_policy(account_id);
        let parameters = [
            ("RoleName", "deployer"),
            ("AssumeRolePolicyDocument", trust.as_str()),
        ];
        let reply = self
            .call(
                "CreateRole",
                key,
                RAM_VERSION,
                "CreateRole",
                &parameters,
                "200",
            )
            .await?;
        let arn = reply
            .text(&["Role", "Arn"])
            .ok_or(ScenarioFault::Lacking("Role.Arn"))?;
        Ok(arn.to_owned())
    }

    async fn assume_role(
        &mut self,
        step: &str,
        key: &SigningCredentials,
        role: &str,
    ) -> Result<SigningCredentials, ScenarioFault> {
        let parameters = [("RoleArn", role), ("RoleSessionName", "demo")];
        let reply = self
            .call(step, key, STS_VERSION, "AssumeRole", &parameters, "200")
            .await?;
        reply.session().ok_or(ScenarioFault::Lacking("Credentials"))
    }

    async fn create_access_key(
        &mut self,
        root: &SigningCredentials,
    ) -> Result<SigningCredentials, ScenarioFault> {
        let parameters = [("UserName", "alice")];
        let step = "The root key creates a new key for alice";
        let reply = self
            .call(
                step,
                root,
                RAM_VERSION,
                "CreateAccessKey",
                &parameters,
                "200",
            )
            .await?;
        let member = |name: &'static str| {
            let text = reply.text(&["AccessKey", name]);
            text.map(str::to_owned).ok_or(ScenarioFault::Lacking(name))
        };
        Ok(SigningCredentials {
            access_key_id: member("AccessKeyId")?,
            access_key_secret: member("AccessKeySecret")?,
            security_token: None,
        })
    }

    async fn set_status(
        &mut self,
        step: &str,
        root: &SigningCredentials,
        key: &SigningCredentials,
        status: &str,
    ) -> Result<(), ScenarioFault> {
        let parameters = [
            ("UserName", "alice"),
            ("UserAccessKeyId", key.access_key_id.as_str()),
            ("Status", status),
        ];
        self.call(
            step,
            root,
            RAM_VERSION,
            "UpdateAccessKey",
            &parameters,
            "200",
        )
        .await?;
        Ok(())
    }

    async fn report_leak(
        &mut self,
        key: &SigningCredentials,
        source: &str,
        url: &str,
    ) -> Result<String, ScenarioFault> {
        let body = json!({
            "access_key_id": key.access_key_id,
            "access_key_secret": key.access_key_secret,
            "source": source,
            "reference": format!("demo-{}", uuid::Uuid::new_v4()),
            "url": url,
        });
        let path = "/admin/v1/leak-reports";
        let reply = self
            .admin("The leak is reported", path, &body, "201")
            .await?;
        let id = reply.text(&["restriction_id"]);
        id.map(str::to_owned)
            .ok_or(ScenarioFault::Lacking("restriction_id"))
    }

    async fn lift(
        &mut self,
        step: &str,
        restriction: &str,
        accept_active_key: bool,
        expected: &str,
    ) -> Result<ApiReply, ScenarioFault> {
        let body = json!({
            "resolution": if accept_active_key { "AcceptedRisk" } else { "Rotated" },
            "reason": "demo: the owner has cleaned up",
            "accept_active_key": accept_active_key,
        });
        let path = format!("/admin/v1/restrictions/{restriction}:lift");
        self.admin(step, &path, &body, expected).await
    }

    async fn approve(&mut self, approval: &ApiReply) -> Result<(), ScenarioFault> {
        let id = approval.text(&["approval_id"]);
        let id = id.ok_or(ScenarioFault::Lacking("approval_id"))?;
        let path = format!("/admin/v1/approvals/{id}:approve");
        let own = "The same operator approves that";
        self.admin(own, &path, &json!({}), "403 Your role does not allow this.")
            .await?;
        let token = self.endpoints.approver_token.clone();
        self.post("Another operator does", &path, &token, &json!({}), "200")
            .await?;
        Ok(())
    }

    async fn letter(&mut self, step: &str, owner: &str) -> Result<String, ScenarioFault> {
        let began = Instant::now();
        let folder = Path::new(&self.endpoints.letters_dir);
        let letter = letters::await_letter(folder, owner, LETTER_TIMEOUT).await?;
        let got = letter
            .as_ref()
            .map_or_else(|| "no letter".to_owned(), |_| "a letter".to_owned());
        self.done(step, "a letter", got, began)?;
        let letter = letter.ok_or(ScenarioFault::Lacking("a letter"))?;
        self.report.letter(&letter.text)?;
        letter
            .link
            .ok_or(ScenarioFault::Lacking("the link in the letter"))
    }

    async fn confirm(&mut self, link: &str) -> Result<(), ScenarioFault> {
        let began = Instant::now();
        let reply = self.caller.plain(Method::GET, link, None, None).await?;
        self.done("The owner opens the link", "200", reply.summary(), began)?;
        let began = Instant::now();
        let reply = self.caller.submit_form(link, "done=Rotated").await?;
        self.done("The owner confirms", "200", reply.summary(), began)
    }

    async fn call(
        &mut self,
        step: &str,
        key: &SigningCredentials,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
        expected: &str,
    ) -> Result<ApiReply, ScenarioFault> {
        let api = ApiCall {
            version,
            action,
            parameters,
        };
        let began = Instant::now();
        let now = self.clock.now();
        let gateway = &self.endpoints.gateway_url;
        let reply = self.caller.call(gateway, key, api, now).await?;
        self.done(step, expected, reply.summary(), began)?;
        Ok(reply)
    }

    async fn admin(
        &mut self,
        step: &str,
        path: &str,
        body: &Value,
        expected: &str,
    ) -> Result<ApiReply, ScenarioFault> {
        let token = self.endpoints.operator_token.clone();
        self.post(step, path, &token, body, expected).await
    }

    async fn post(
        &mut self,
        step: &str,
        path: &str,
        token: &str,
        body: &Value,
        expected: &str,
    ) -> Result<ApiReply, ScenarioFault> {
        let url = format!("{}{path}", self.endpoints.admin_url);
        let began = Instant::now();
        let reply = self
            .caller
            .plain(Method::POST, &url, Some(token), Some(body))
            .await?;
        self.done(step, expected, reply.summary(), began)?;
        Ok(reply)
    }

    fn done(
        &mut self,
        step: &str,
        expected: &str,
        got: String,
        began: Instant,
    ) -> Result<(), ScenarioFault> {
        let step = StepResult::new(step, expected, got, began.elapsed());
        self.failed += usize::from(!step.ok);
        self.report.step(&step)?;
        Ok(())
    }
}
