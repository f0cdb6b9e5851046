//! The sandbox through the gateway: every action, its codes, its limits, in both forms.

use std::sync::Arc;

use akgate_client::signer::SigningCredentials;
use akgate_sandbox::Sandbox;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, Behind, Reply, TestNode, identity_key};

const RAM: &str = "2015-05-01";
const IMS: &str = "2019-08-15";
const STS: &str = "2015-04-01";

struct Cloud {
    node: TestNode,
    root: SigningCredentials,
}

impl Cloud {
    async fn new() -> Self {
        let node = TestNode::new(Behind::Sandbox).await;
        let root = node.key("LTAI5tFakeRoot", None).await;
        Self { node, root }
    }

    async fn ask(&self, version: &str, action: &str, parameters: &[(&str, &str)]) -> Reply {
        let reply = self
            .node
            .call(&self.root, version, action, parameters)
            .await;
        assert_eq!(
            reply.status.is_success(),
            reply.body.get("Code").is_none(),
            "Code stands on failures alone: {}",
            reply.text
        );
        reply
    }

    async fn ram(&self, action: &str, parameters: &[(&str, &str)]) -> Value {
        let reply = self.ask(RAM, action, parameters).await;
        assert!(reply.status.is_success(), "{action}: {}", reply.text);
        reply.body
    }

    async fn refused(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let reply = self.ask(RAM, action, parameters).await;
        format!("{} {}", reply.status.as_u16(), reply.code())
    }
}

#[tokio::test]
async fn user_is_created_read_updated_and_deleted() {
    let cloud = Cloud::new().await;
    let made = cloud
        .ram(
            "CreateUser",
            &[("UserName", "alice"), ("DisplayName", "Alice")],
        )
        .await;
    assert_eq!(made["User"]["DisplayName"], "Alice");
    assert!(made["User"]["UserId"].is_string());
    assert_eq!(
        cloud.refused("CreateUser", &[("UserName", "alice")]).await,
        "409 EntityAlreadyExists.User"
    );
    assert_eq!(
        cloud.refused("CreateUser", &[("UserName", "a b")]).await,
        "400 InvalidParameter.UserName.InvalidChars"
    );
    let long = "x".repeat(65);
    assert_eq!(
        cloud.refused("CreateUser", &[("UserName", &long)]).await,
        "400 InvalidParameter.UserName.Length"
    );
    let got = cloud.ram("GetUser", &[("UserName", "alice")]).await;
    assert_eq!(got["User"]["UserId"], made["User"]["UserId"]);
    cloud
        .ram(
            "UpdateUser",
            &[
                ("UserName", "alice"),
                ("NewUserName", "alicia"),
                ("NewComments", "moved"),
            ],
        )
        .await;
    assert_eq!(
        cloud.refused("GetUser", &[("UserName", "alice")]).await,
        "404 EntityNotExist.User"
    );
    let admin = [
        ("PolicyType", "System"),
        ("PolicyName", "AdministratorAccess"),
        ("UserName", "alicia"),
    ];
    cloud.ram("AttachPolicyToUser", &admin).await;
    assert_eq!(
        cloud.refused("AttachPolicyToUser", &admin).await,
        "409 EntityAlreadyExists.User.Policy"
    );
    let none = [
        ("PolicyType", "System"),
        ("PolicyName", "NoSuch"),
        ("UserName", "alicia"),
    ];
    assert_eq!(
        cloud.refused("AttachPolicyToUser", &none).await,
        "404 EntityNotExist.Policy"
    );
    assert_eq!(
        cloud.refused("DeleteUser", &[("UserName", "alicia")]).await,
        "409 DeleteConflict.User.Policy"
    );
    cloud.ram("CreateUser", &[("UserName", "bob")]).await;
    let key = cloud.ram("CreateAccessKey", &[("UserName", "bob")]).await;
    assert_eq!(
        cloud.refused("DeleteUser", &[("UserName", "bob")]).await,
        "409 DeleteConflict.User.AccessKey"
    );
    let id = key["AccessKey"]["AccessKeyId"].as_str().unwrap();
    cloud
        .ram(
            "DeleteAccessKey",
            &[("UserName", "bob"), ("UserAccessKeyId", id)],
        )
        .await;
    cloud.ram("DeleteUser", &[("UserName", "bob")]).await;
    assert_eq!(
        cloud.refused("DeleteUser", &[("UserName", "bob")]).await,
        "404 EntityNotExist.User"
    );
}

#[tokio::test]
async fn lists_are_paged_and_double_wrapped() {
    let cloud = Cloud::new().await;
    assert_eq!(
        cloud.ram("ListUsers", &[]).await["Users"],
        json!({ "User": [] })
    );
    for n in 0..5 {
        cloud
            .ram("CreateUser", &[("UserName", &format!("user{n}"))])
            .await;
    }
    let first = cloud.ram("ListUsers", &[("MaxItems", "3")]).await;
    assert_eq!(first["IsTruncated"], true);
    let marker = first["Marker"].as_str().unwrap();
    let rest = cloud
        .ram("ListUsers", &[("MaxItems", "3"), ("Marker", marker)])
        .await;
    assert_eq!(rest["IsTruncated"], false);
    assert_eq!(rest.get("Marker"), None);
    let count = |page: &Value| page["Users"]["User"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&rest)), (3, 2));
    assert_eq!(
        cloud.refused("ListUsers", &[("MaxItems", "1001")]).await,
        "400 InvalidParameter.MaxItems"
    );
    let ims = cloud.ask(IMS, "ListUsers", &[]).await;
    assert_eq!(
        ims.body["Users"]["User"][0]["UserPrincipalName"],
        format!("user0@{ACCOUNT}.onaliyun.com")
    );
}

#[tokio::test]
async fn user_has_at_most_two_keys_under_concurrent_requests() {
    let cloud = Arc::new(Cloud::new().await);
    cloud.ram("CreateUser", &[("UserName", "alice")]).await;
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let cloud = Arc::clone(&cloud);
            tokio::spawn(async move {
                cloud
                    .ask(RAM, "CreateAccessKey", &[("UserName", "alice")])
                    .await
                    .code()
                    .to_owned()
            })
        })
        .collect();
    let mut made = 0;
    for one in asking {
        match one.await.unwrap().as_str() {
            "" => made += 1,
            other => assert_eq!(other, "LimitExceeded.User.AccessKey"),
        }
    }
    assert_eq!(made, 2);
    let keys = cloud.ram("ListAccessKeys", &[("UserName", "alice")]).await;
    assert_eq!(keys["AccessKeys"]["AccessKey"].as_array().unwrap().len(), 2);
    assert!(keys.to_string().find("Secret").is_none());
}

#[tokio::test]
async fn ims_names_users_by_principal_name() {
    let cloud = Cloud::new().await;
    let name = format!("carol@{ACCOUNT}.onaliyun.com");
    let made = cloud
        .ask(IMS, "CreateUser", &[("UserPrincipalName", &name)])
        .await;
    assert_eq!(
        made.body["User"]["UserPrincipalName"], name,
        "{}",
        made.text
    );
    let key = cloud
        .ask(IMS, "CreateAccessKey", &[("UserPrincipalName", &name)])
        .await;
    let key = SigningCredentials {
        access_key_id: key.body["AccessKey"]["AccessKeyId"]
            .as_str()
            .unwrap()
            .into(),
        access_key_secret: key.body["AccessKey"]["AccessKeySecret"]
            .as_str()
            .unwrap()
            .into(),
        security_token: None,
    };
    let who = cloud.node.call(&key, STS, "GetCallerIdentity", &[]).await;
    assert_eq!(who.body["Arn"], format!("acs:ram::{ACCOUNT}:user/carol"));
    assert_eq!(who.body["IdentityType"], "RAMUser");
    let foreign = cloud
        .ask(
            IMS,
            "CreateUser",
            &[("UserPrincipalName", "x@other.onaliyun.com")],
        )
        .await;
    assert_eq!(foreign.code(), "InvalidParameter.UserPrincipalName");
}

#[tokio::test]
async fn trust_policy_admits_its_principals_and_deny_wins() {
    let cloud = Cloud::new().await;
    let alice = cloud.node.key("LTAI5tFakeAlice", Some("alice")).await;
    let account = format!("acs:ram::{ACCOUNT}:root");
    let user = format!("acs:ram::{ACCOUNT}:user/alice");
    let statement = |effect: &str, who: &str| json!({ "Effect": effect, "Action": "sts:AssumeRole", "Principal": { "RAM": [who] } });
    for (name, statements, lets_in) in [
        ("account", json!([statement("Allow", &account)]), true),
        ("user", json!([statement("Allow", &user)]), true),
        (
            "other",
            json!([statement("Allow", "acs:ram::6000000000000000:root")]),
            false,
        ),
        (
            "denied",
            json!([statement("Allow", &account), statement("Deny", &user)]),
            false,
        ),
    ] {
        let trust = json!({ "Version": "1", "Statement": statements }).to_string();
        let role = cloud
            .ram(
                "CreateRole",
                &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)],
            )
            .await;
        let arn = role["Role"]["Arn"].as_str().unwrap();
        let parameters = [("RoleArn", arn), ("RoleSessionName", "test")];
        let reply = cloud
            .node
            .call(&alice, STS, "AssumeRole", &parameters)
            .await;
        assert_eq!(reply.status.is_success(), lets_in, "{name}: {}", reply.text);
        if lets_in {
            let who = cloud
                .node
                .call(&reply.session(), STS, "GetCallerIdentity", &[])
                .await;
            assert_eq!(
                who.body["Arn"],
                format!("acs:ram::{ACCOUNT}:assumed-role/{name}/test")
            );
        } else {
            assert_eq!(reply.code(), "NoPermission");
        }
        let by_root = cloud.ask(STS, "AssumeRole", &parameters).await;
        assert_eq!(by_root.code(), "NoPermission");
    }
    let trust = json!({ "Version": "1", "Statement": [statement("Allow", &account)] }).to_string();
    let same = [
        ("RoleName", "ACCOUNT"),
        ("AssumeRolePolicyDocument", trust.as_str()),
    ];
    assert_eq!(
        cloud.refused("CreateRole", &same).await,
        "409 EntityAlreadyExists.Role"
    );
    let broken = [("RoleName", "broken"), ("AssumeRolePolicyDocument", "{}")];
    assert_eq!(
        cloud.refused("CreateRole", &broken).await,
        "400 MalformedPolicyDocument"
    );
    let attach = [
        ("PolicyType", "System"),
        ("PolicyName", "ReadOnlyAccess"),
        ("RoleName", "account"),
    ];
    cloud.ram("AttachPolicyToRole", &attach).await;
    assert_eq!(
        cloud.refused("AttachPolicyToRole", &attach).await,
        "409 EntityAlreadyExists.Role.Policy"
    );
    let arn = format!("acs:ram::{ACCOUNT}:role/account");
    for (name, value, code) in [
        ("RoleSessionName", "a b", "InvalidParameter.RoleSessionName"),
        ("DurationSeconds", "899", "InvalidParameter.DurationSeconds"),
        (
            "DurationSeconds",
            "3601",
            "InvalidParameter.DurationSeconds",
        ),
        ("RoleArn", "nonsense", "InvalidParameter.RoleArn"),
    ] {
        let mut parameters = vec![("RoleArn", arn.as_str()), ("RoleSessionName", "test")];
        parameters.retain(|(given, _)| *given != name);
        parameters.push((name, value));
        let reply = cloud
            .node
            .call(&alice, STS, "AssumeRole", &parameters)
            .await;
        assert_eq!(reply.code(), code);
    }
}

#[tokio::test]
async fn xml_answer_equals_the_json_answer() {
    let cloud = Cloud::new().await;
    let reply = cloud
        .ask(
            RAM,
            "CreateUser",
            &[
                ("UserName", "alice"),
                ("Comments", "<&>"),
                ("Format", "XML"),
            ],
        )
        .await;
    assert_eq!(reply.headers["content-type"], "text/xml;charset=utf-8");
    assert!(
        reply
            .text
            .starts_with("<?xml version='1.0' encoding='UTF-8'?><CreateUserResponse>"),
        "{}",
        reply.text
    );
    assert!(reply.text.contains("<Comments>&lt;&amp;&gt;</Comments>"));
    let refused = cloud
        .node
        .call(
            &cloud.root,
            RAM,
            "CreateUser",
            &[("UserName", "alice"), ("Format", "XML")],
        )
        .await;
    assert!(
        refused.text.contains("<Error>")
            && refused
                .text
                .contains("<Code>EntityAlreadyExists.User</Code>"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn request_that_bypasses_the_gateway_is_refused() {
    let cloud = Cloud::new().await;
    let randomness = Arc::new(akgate_state::randomness::Randomness::from_system().unwrap());
    let sandbox = Sandbox::new(
        cloud.node.pool.clone(),
        identity_key(),
        cloud.node.clock.clone(),
        randomness,
    );
    for identity in [None, Some("nonsense"), Some("e30.e30")] {
        let mut request = http::Request::post("/?Action=CreateUser&UserName=mallory");
        if let Some(identity) = identity {
            request = request.header("x-akgate-identity", identity);
        }
        let answer = sandbox.call(request.body(Bytes::new()).unwrap()).await;
        assert_eq!(answer.status().as_u16(), 403);
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["Code"], "Forbidden.Identity");
    }
    assert_eq!(
        cloud.ram("ListUsers", &[]).await["Users"],
        json!({ "User": [] })
    );
    assert_eq!(
        cloud.ask(STS, "GenerateSessionAccessKey", &[]).await.code(),
        "InvalidAction.NotFound"
    );
}
