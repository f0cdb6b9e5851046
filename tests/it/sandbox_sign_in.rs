//! The sandbox's identity providers, and the sessions that STS mints for what they have issued.

use akgate_gateway::GateSettings;
use axum::body::Body;
use base64::{Engine, engine::general_purpose};
use serde_json::{Value, json};

use crate::{
    harness::{ACCOUNT, Behind, NOW, Reply, TestNode},
    sandbox_wide::Cloud,
};

const STS: &str = "2015-04-01";

/// A cloud whose gateway lets the two unsigned calls through.
async fn open_cloud() -> Cloud {
    let cloud = Cloud::new().await;
    let settings = GateSettings {
        anonymous: vec!["AssumeRoleWithSAML".into(), "AssumeRoleWithOIDC".into()],
        ..GateSettings::default()
    };
    let (database, clock) = (cloud.node.database.clone(), cloud.node.clock.clone());
    Cloud {
        node: TestNode::on(database, clock, Behind::Sandbox, settings).await,
        root: cloud.root,
    }
}

async fn send_unsigned(cloud: &Cloud, action: &str, parameters: &[(&str, &str)]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", action)
        .append_pair("Version", STS)
        .extend_pairs(parameters)
        .finish();
    let request = http::Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap();
    cloud.node.send(request).await
}

/// The code; a refusal has every member of the envelope.
fn code(reply: &Reply) -> &str {
    for member in ["RequestId", "HostId", "Message", "Recommend"] {
        let text = reply.body[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{member}: {}", reply.text);
    }
    reply.code()
}

async fn create_role(cloud: &Cloud, name: &str, federated: &str, condition: Value) {
    let trust = json!({ "Version": "1", "Statement": [{
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": { "Federated": [federated] },
        "Condition": { "StringEquals": condition },
    }] });
    let parameters = [
        ("RoleName", name),
        ("AssumeRolePolicyDocument", &trust.to_string()),
    ];
    cloud.ram("CreateRole", &parameters).await;
}

fn token(claims: &Value) -> String {
    let part = |held: &Value| general_purpose::URL_SAFE_NO_PAD.encode(held.to_string());
    format!("{}.{}.{}", part(&json!({})), part(claims), part(&json!({})))
}

#[tokio::test]
async fn token_of_an_oidc_provider_that_exists_mints_a_session() {
    let cloud = open_cloud().await;
    let provider_arn = format!("acs:ram::{ACCOUNT}:oidc-provider/ci");
    let name = ("OIDCProviderName", "ci");
    let provider = [
        name,
        ("IssuerUrl", "https://issuer.example"),
        ("ClientIds", "one,two"),
    ];
    cloud.ims("CreateOIDCProvider", &provider).await;
    create_role(
        &cloud,
        "build",
        &provider_arn,
        json!({ "oidc:sub": "repo:ours" }),
    )
    .await;
    let role_arn = format!("acs:ram::{ACCOUNT}:role/build");
    let now = NOW.unix_timestamp();
    let claims = json!({
        "iss": "https://issuer.example",
        "aud": ["two"],
        "sub": "repo:ours",
        "iat": now - 60,
        "exp": now + 600,
    });
    let ask = async |claims: &Value, provider: &str| {
        let parameters = [
            ("RoleArn", role_arn.as_str()),
            ("RoleSessionName", "job-1"),
            ("OIDCProviderArn", provider),
            ("OIDCToken", &token(claims)),
        ];
        send_unsigned(&cloud, "AssumeRoleWithOIDC", &parameters).await
    };
    let minted = ask(&claims, &provider_arn).await;
    assert_eq!(minted.status, 200, "{}", minted.text);
    assert_eq!(minted.body["OIDCTokenInfo"]["Subject"], "repo:ours");
    let who = cloud
        .node
        .call(&minted.session(), STS, "GetCallerIdentity", &[])
        .await;
    assert_eq!(
        who.body["Arn"],
        format!("acs:ram::{ACCOUNT}:assumed-role/build/job-1")
    );
    for (claim, value, wanted) in [
        (
            "iss",
            json!("https://other.example"),
            "AuthenticationFail.OIDCToken.Invalid",
        ),
        (
            "aud",
            json!("three"),
            "AuthenticationFail.OIDCToken.Invalid",
        ),
        ("exp", json!(now), "AuthenticationFail.OIDCToken.Expired"),
        (
            "iat",
            json!(now - 12 * 3600),
            "AuthenticationFail.OIDCToken.Expired",
        ),
        ("exp", Value::Null, "AuthenticationFail.OIDCToken.Invalid"),
        ("sub", json!("repo:theirs"), "NoPermission"),
    ] {
        let mut changed = claims.clone();
        changed[claim] = value;
        let refused = ask(&changed, &provider_arn).await;
        assert_eq!(code(&refused), wanted, "{claim}");
    }
    let absent = format!("acs:ram::{ACCOUNT}:oidc-provider/other");
    let refused = ask(&claims, &absent).await;
    assert_eq!(code(&refused), "EntityNotExist.OIDCProvider");
    cloud.ims("DeleteOIDCProvider", &[name]).await;
    let refused = ask(&claims, &provider_arn).await;
    assert_eq!(code(&refused), "EntityNotExist.OIDCProvider");
}

#[tokio::test]
async fn assertion_of_a_saml_provider_that_exists_mints_a_session() {
    let cloud = open_cloud().await;
    let provider_arn = format!("acs:ram::{ACCOUNT}:saml-provider/idp");
    let name = ("SAMLProviderName", "idp");
    cloud.ims("CreateSAMLProvider", &[name]).await;
    create_role(
        &cloud,
        "sso",
        &provider_arn,
        json!({ "saml:recipient": "https://signin/" }),
    )
    .await;
    create_role(
        &cloud,
        "other",
        &provider_arn,
        json!({ "saml:recipient": "https://signin/" }),
    )
    .await;
    let role_arn = format!("acs:ram::{ACCOUNT}:role/sso");
    let assertion = |recipient: &str, end: &str| {
        let attribute = |name: &str, value: &str| {
            format!(
                "<s:Attribute Name=\"https://www.aliyun.com/SAML-Role/Attributes/{name}\">\
                 <s:AttributeValue>{value}</s:AttributeValue></s:Attribute>"
            )
        };
        let document = format!(
            "<s:Assertion xmlns:s=\"urn:oasis:names:tc:SAML:2.0:assertion\"><s:Issuer>https://idp/</s:Issuer>\
             <s:Subject><s:NameID Format=\"urn:x:persistent\">carol</s:NameID><s:SubjectConfirmation>\
             <s:SubjectConfirmationData Recipient=\"{recipient}\" NotOnOrAfter=\"{end}\"/></s:SubjectConfirmation>\
             </s:Subject>{}{}</s:Assertion>",
            attribute("Role", &format!("{role_arn},{provider_arn}")),
            attribute("RoleSessionName", "carol"),
        );
        general_purpose::STANDARD.encode(document)
    };
    let ask = async |assertion: String, role: &str| {
        let parameters = [
            ("RoleArn", role),
            ("SAMLProviderArn", provider_arn.as_str()),
            ("SAMLAssertion", &assertion),
        ];
        send_unsigned(&cloud, "AssumeRoleWithSAML", &parameters).await
    };
    let (signin, later) = ("https://signin/", "2026-11-26T12:00:01Z");
    let minted = ask(assertion(signin, later), &role_arn).await;
    assert_eq!(minted.status, 200, "{}", minted.text);
    let info = json!({
        "Issuer": "https://idp/",
        "Recipient": "https://signin/",
        "Subject": "carol",
        "SubjectType": "persistent",
    });
    assert_eq!(minted.body["SAMLAssertionInfo"], info);
    let who = cloud
        .node
        .call(&minted.session(), STS, "GetCallerIdentity", &[])
        .await;
    assert_eq!(
        who.body["Arn"],
        format!("acs:ram::{ACCOUNT}:assumed-role/sso/carol")
    );
    let other = format!("acs:ram::{ACCOUNT}:role/other");
    for (assertion, role, wanted) in [
        (
            assertion(signin, "2026-11-26T12:00:00Z"),
            &role_arn,
            "AuthenticationFail.SAMLAssertion.Expired",
        ),
        (
            assertion("https://elsewhere/", later),
            &role_arn,
            "NoPermission",
        ),
        (
            assertion(signin, later),
            &other,
            "AuthenticationFail.SAMLAssertion.Invalid",
        ),
        (
            "bm8gWE1M".to_owned(),
            &role_arn,
            "AuthenticationFail.SAMLAssertion.Invalid",
        ),
        (
            "?".to_owned(),
            &role_arn,
            "InvalidParameter.SAMLAssertion.Format",
        ),
    ] {
        assert_eq!(code(&ask(assertion, role).await), wanted);
    }
    cloud.ims("DeleteSAMLProvider", &[name]).await;
    let refused = ask(assertion(signin, later), &role_arn).await;
    assert_eq!(code(&refused), "EntityNotExist.SAMLProvider");
}

#[tokio::test]
async fn denied_caller_gets_a_message_that_can_be_decoded() {
    let cloud = Cloud::new().await;
    let alice = cloud.node.key("LTAI5tFakeAlice", Some("alice")).await;
    let provider = format!("acs:ram::{ACCOUNT}:oidc-provider/ci");
    create_role(&cloud, "build", &provider, json!({})).await;
    let arn = format!("acs:ram::{ACCOUNT}:role/build");
    let parameters = [("RoleArn", arn.as_str()), ("RoleSessionName", "alice")];
    let refused = cloud
        .node
        .call(&alice, STS, "AssumeRole", &parameters)
        .await;
    assert_eq!(code(&refused), "NoPermission");
    let message = refused.body["EncodedDiagnosticMessage"].as_str().unwrap();
    let parameter = [("EncodedDiagnosticMessage", message)];
    let decoded = cloud.ram("DecodeDiagnosticMessage", &parameter).await;
    let decoded = &decoded["DecodedDiagnosticMessage"];
    assert_eq!(
        decoded["AuthPrincipal"]["AuthPrincipalDisplayName"],
        "alice"
    );
    assert_eq!(decoded["AuthResource"], arn);
    assert_eq!(decoded["ExplicitDeny"], false);
    for other in ["?", "e30"] {
        let parameter = [("EncodedDiagnosticMessage", other)];
        assert_eq!(
            cloud.refused("DecodeDiagnosticMessage", &parameter).await,
            "400 InvalidParameter.EncodedDiagnosticMessage"
        );
    }
}
