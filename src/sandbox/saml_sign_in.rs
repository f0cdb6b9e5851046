//! `AssumeRoleWithSAML`: a session for an assertion of a SAML provider. The sandbox reads an assertion and checks what it
//! says; it does not verify its signature.

use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    answer::ResponseBody,
    asked::SandboxRequest,
    check,
    diagnosis::not_trusted,
    minting::{check_session_text, find_assumable_role, mint_session},
    record_kind::{RecordKind, RecordSet},
    records::find_record,
    refused::SandboxFault,
    saml_providers::saml_provider_arn,
    sandbox::Sandbox,
    trust::{TrustRequest, TrustVerdict, evaluate_trust},
};

/// The longest assertion, in characters of Base64.
const LONGEST_ASSERTION: usize = 100_000;

/// What the names of the attributes begin with.
const ATTRIBUTES: &str = "https://www.aliyun.com/SAML-Role/Attributes/";

/// What an assertion says.
#[derive(Debug, Default, PartialEq, Eq)]
struct SamlAssertion {
    issuer: String,
    subject: String,
    subject_type: String,
    recipient: String,
    not_on_or_after: Vec<String>,
    roles: Vec<String>,
    session_name: String,
    source_identity: String,
}

impl SamlAssertion {
    /// Reads a response with an assertion; prefixes of names are left out.
    fn read(document: &str) -> Option<Self> {
        let mut assertion = Self::default();
        let mut reader = Reader::from_str(document);
        let (mut attribute, mut text) = (String::new(), String::new());
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) | Event::Empty(start) => {
                    text.clear();
                    assertion.read_tag(&start, &mut attribute);
                }
                Event::Text(part) => text.push_str(&part.xml10_content()),
                Event::GeneralRef(reference) => {
                    text.push_str(resolve_predefined_entity(&reference)?);
                }
                Event::End(end) => {
                    assertion.read_text(end.local_name().as_ref(), &attribute, text.trim());
                    text.clear();
                }
                Event::Eof => return Some(assertion).filter(|read| !read.issuer.is_empty()),
                _ => {}
            }
        }
    }

    fn read_tag(&mut self, start: &BytesStart<'_>, attribute: &mut String) {
        let value = |name| {
            let found = start.try_get_attribute(name).ok().flatten();
            found
                .and_then(|found| found.normalized_value(XmlVersion::Implicit1_0).ok())
                .map(Cow::into_owned)
        };
        match start.local_name().as_ref() {
            "NameID" => {
                let format = value("Format").unwrap_or_default();
                let kind = format.rsplit(':').next().unwrap_or_default();
                kind.clone_into(&mut self.subject_type);
            }
            "SubjectConfirmationData" => {
                self.recipient = value("Recipient").unwrap_or_default();
                self.not_on_or_after.extend(value("NotOnOrAfter"));
            }
            "Conditions" => self.not_on_or_after.extend(value("NotOnOrAfter")),
            "Attribute" => *attribute = value("Name").unwrap_or_default(),
            _ => {}
        }
    }

    fn read_text(&mut self, element: &str, attribute: &str, text: &str) {
        match (element, attribute.strip_prefix(ATTRIBUTES)) {
            // A response and its assertion both have one.
            ("Issuer", _) => text.clone_into(&mut self.issuer),
            ("NameID", _) => text.clone_into(&mut self.subject),
            ("AttributeValue", Some("Role")) => self.roles.push(text.to_owned()),
            ("AttributeValue", Some("RoleSessionName")) => text.clone_into(&mut self.session_name),
            ("AttributeValue", Some("SourceIdentity")) => {
                text.clone_into(&mut self.source_identity);
            }
            _ => {}
        }
    }

    /// Whether it names the role with the provider: two ARNs with a comma, in either order.
    fn names_role(&self, role: &str, provider: &str) -> bool {
        self.roles
            .iter()
            .filter_map(|pair| pair.split_once(','))
            .map(|(one, other)| (one.trim(), other.trim()))
            .any(|(one, other)| {
                let is = |arn: &str, wanted: &str| arn.eq_ignore_ascii_case(wanted);
                (is(one, role) && is(other, provider)) || (is(one, provider) && is(other, role))
            })
    }

    fn has_expired(&self, now: OffsetDateTime) -> bool {
        let ends = self.not_on_or_after.iter();
        ends.map(|text| OffsetDateTime::parse(text, &Rfc3339))
            .any(|end| end.is_ok_and(|end| end <= now))
    }
}

fn invalid(message: &'static str) -> SandboxFault {
    SandboxFault::not_authenticated("SAMLAssertion", "Invalid", message)
}

pub async fn assume_role_with_saml(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let (account_id, name) = asked
        .must("SAMLProviderArn")?
        .strip_prefix("acs:ram::")
        .and_then(|rest| rest.split_once(":saml-provider/"))
        .ok_or_else(|| SandboxFault::wrongly_formed("SAMLProviderArn"))?;
    let text = asked.must("SAMLAssertion")?;
    if text.len() > LONGEST_ASSERTION {
        return Err(SandboxFault::length("SAMLAssertion"));
    }
    let set = RecordSet {
        account_id,
        kind: RecordKind::SamlProvider,
    };
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_record(&mut tx, set, name).await?;
    let provider_arn = saml_provider_arn(account_id, &provider.name);
    let document = check::decode_base64("SAMLAssertion", text)?;
    let assertion = String::from_utf8(document)
        .ok()
        .and_then(|document| SamlAssertion::read(&document))
        .ok_or_else(|| invalid("This is no SAML assertion with an issuer."))?;
    let role = find_assumable_role(sandbox, asked).await?;
    if !assertion.names_role(&role.arn(), &provider_arn) {
        return Err(invalid(
            "The assertion does not name the role with the provider.",
        ));
    }
    if assertion.has_expired(sandbox.clock.now()) {
        let message = "The assertion has expired.";
        return Err(SandboxFault::not_authenticated(
            "SAMLAssertion",
            "Expired",
            message,
        ));
    }
    let session = check_session_text("RoleSessionName", &assertion.session_name)?;
    let request = TrustRequest {
        member: "Federated",
        arns: &[provider_arn],
        context: &[("saml:recipient", vec![assertion.recipient.clone()])],
    };
    match evaluate_trust(&role.trust, &request) {
        TrustVerdict::Allowed => {}
        verdict => {
            let is_denied = verdict == TrustVerdict::Denied;
            return Err(not_trusted(asked, &role.arn(), is_denied));
        }
    }
    let mut answer = mint_session(sandbox, asked, &role, session, &assertion.source_identity)?;
    let told = json!({
        "Issuer": assertion.issuer,
        "Recipient": assertion.recipient,
        "Subject": assertion.subject,
        "SubjectType": assertion.subject_type,
    });
    answer.insert("SAMLAssertionInfo".to_owned(), told);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const RESPONSE: &str = r#"<samlp:Response xmlns:samlp="p"><saml:Issuer xmlns:saml="a">https://idp/</saml:Issuer>
        <saml:Assertion><saml:Issuer>https://idp/</saml:Issuer><saml:Subject>
        <saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">carol&amp;co</saml:NameID>
        <saml:SubjectConfirmation><saml:SubjectConfirmationData Recipient="https://signin/" NotOnOrAfter="2026-11-26T12:05:00Z"/>
        </saml:SubjectConfirmation></saml:Subject><saml:AttributeStatement>
        <saml:Attribute Name="https://www.aliyun.com/SAML-Role/Attributes/Role">
        <saml:AttributeValue>acs:ram::1:role/sso,acs:ram::1:saml-provider/idp</saml:AttributeValue></saml:Attribute>
        <saml:Attribute Name="https://www.aliyun.com/SAML-Role/Attributes/RoleSessionName">
        <saml:AttributeValue>carol</saml:AttributeValue></saml:Attribute>
        </saml:AttributeStatement></saml:Assertion></samlp:Response>"#;

    #[test]
    fn assertion_is_read() {
        let assertion = SamlAssertion::read(RESPONSE).unwrap();
        assert_eq!(assertion.issuer, "https://idp/");
        assert_eq!(assertion.subject, "carol&co");
        assert_eq!(assertion.subject_type, "persistent");
        assert_eq!(assertion.recipient, "https://signin/");
        assert_eq!(assertion.session_name, "carol");
        assert!(assertion.names_role("acs:ram::1:role/SSO", "acs:ram::1:saml-provider/idp"));
        assert!(!assertion.names_role("acs:ram::1:role/other", "acs:ram::1:saml-provider/idp"));
        assert!(!assertion.has_expired(datetime!(2026-11-26 12:00 UTC)));
        assert!(assertion.has_expired(datetime!(2026-11-26 12:05 UTC)));
        for broken in ["", "<a>", "<Response/>"] {
            assert_eq!(SamlAssertion::read(broken), None, "{broken}");
        }
    }
}
