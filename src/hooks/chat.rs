//! Messages for people in a chat room: DingTalk's custom robot, Slack's incoming webhook. Keys are masked; text from
//! outside is never a link and mentions nobody.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use minijinja::{Environment, UndefinedBehavior, Value, syntax::SyntaxConfig};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::request::HookRequest;
use akgate_rules::{access_key::mask_key_id, evidence::sanitize_text};
use akgate_state::{
    directory::contacts::Language,
    outbox::{events::LeasedEvent, queue::SendFault},
};

const BUILT_IN_TEMPLATES: [(&str, &str); 2] = [
    ("en", include_str!("templates/en/chat.md")),
    ("zh-CN", include_str!("templates/zh-CN/chat.md")),
];

/// The texts, read once.
#[derive(Debug, Clone)]
pub struct ChatTemplates(Environment<'static>);

/// How a chat room marks up text.
#[derive(Debug, Clone, Copy)]
struct ChatMarkup {
    /// Around what is strong.
    strong: &'static str,
    /// Makes a text plain.
    escape: fn(&str) -> String,
}

impl ChatTemplates {
    /// The built-in ones.
    ///
    /// # Errors
    /// A built-in template is wrong; the tests check it.
    pub fn built_in() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?;
        environment.set_syntax(syntax);
        for (language, text) in BUILT_IN_TEMPLATES {
            environment.add_template(language, text)?;
        }
        Ok(Self(environment))
    }

    fn render(
        &self,
        event: &LeasedEvent,
        language: Language,
        writing: ChatMarkup,
    ) -> Result<String, minijinja::Error> {
        let plain = |text: &str| (writing.escape)(&sanitize_text(text));
        let reason = event
            .detail
            .get("reason")
            .and_then(|reason| reason.as_str());
        let mut environment = self.0.clone();
        environment.add_function("strong", move |text: &str| {
            format!("{0}{text}{0}", writing.strong)
        });
        let text = environment
            .get_template(language.tag())?
            .render(minijinja::context! {
                kind => event.kind.as_str(),
                // Asterisks are formatting to both.
            access_key => mask_key_id(&event.access_key_id).replace("****", "…"),
                account_id => event.account_id.as_deref().map(plain),
                user_name => event.user_name.as_deref().map(plain),
                actor => plain(&event.actor),
                reason => reason.map_or(Value::from(()), |reason| Value::from(plain(reason))),
                restriction_id => event.restriction_id.map(|id| id.to_string()),
            })?;
        Ok(text.trim().to_owned())
    }
}

/// A DingTalk group robot (钉钉自定义机器人), authenticated by a signature in the query.
pub struct DingTalk {
    /// The texts.
    pub templates: ChatTemplates,
    /// In which language.
    pub language: Language,
    /// The secret `SEC…`; `None` if the robot checks keywords or addresses instead.
    pub secret: Option<Zeroizing<String>>,
}

/// A channel's incoming webhook: its address is its secret.
pub struct Slack {
    /// The texts.
    pub templates: ChatTemplates,
    /// In which language.
    pub language: Language,
}

const MARKDOWN: ChatMarkup = ChatMarkup {
    strong: "**",
    escape: |text| {
        let special = |c: char| "\\`*_{}[]()#+-!|>~<&".contains(c);
        text.chars()
            .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
            .collect()
    },
};

// docs.slack.dev, "Formatting message text": three characters are escaped, by entities.
const MRKDWN: ChatMarkup = ChatMarkup {
    strong: "*",
    escape: |text| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    },
};

impl DingTalk {
    /// Builds the request for an event.
    ///
    /// # Errors
    /// The template cannot be rendered.
    pub fn message(
        &self,
        event: &LeasedEvent,
        now: OffsetDateTime,
    ) -> Result<HookRequest, minijinja::Error> {
        let text = self.templates.render(event, self.language, MARKDOWN)?;
        let title = text.lines().next().unwrap_or_default().replace('*', "");
        let body = json!({
            "msgtype": "markdown",
            "markdown": { "title": title, "text": text },
        });
        Ok(HookRequest {
            headers: HeaderMap::new(),
            content_type: "application/json; charset=utf-8",
            query: self
                .secret
                .as_ref()
                .map_or_else(String::new, |secret| sign_dingtalk(secret, now)),
            body: body.to_string().into_bytes(),
        })
    }
}

/// `timestamp` in milliseconds, and `sign`: the Base64 of the HMAC-SHA256 of the timestamp, a line's end and the secret
/// (open.dingtalk.com, "Custom robot access: secure settings").
fn sign_dingtalk(secret: &str, now: OffsetDateTime) -> String {
    let timestamp = now.unix_timestamp_nanos() / 1_000_000;
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{timestamp}\n{secret}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("timestamp", &timestamp.to_string());
    query.append_pair("sign", &signature);
    query.finish()
}

/// DingTalk always answers 200; the body says whether it accepted the message.
pub(super) fn check_dingtalk_response(body: &[u8]) -> Result<(), SendFault> {
    #[derive(Deserialize)]
    struct Answer {
        errcode: i64,
        #[serde(default)]
        errmsg: String,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(Answer { errcode: 0, .. }) => Ok(()),
        Ok(Answer { errcode, errmsg }) => {
            let said: String = errmsg.chars().take(200).collect();
            let error = format!("errcode {errcode}: {}", said.escape_debug());
            Err(SendFault::temporary(error))
        }
        Err(_) => Err(SendFault::temporary("the response is not DingTalk's")),
    }
}

impl Slack {
    /// Builds the request for an event.
    ///
    /// # Errors
    /// The template cannot be rendered.
    pub fn message(&self, event: &LeasedEvent) -> Result<HookRequest, minijinja::Error> {
        let text = self.templates.render(event, self.language, MRKDWN)?;
        let notice = text.lines().next().unwrap_or_default().replace('*', "");
        let body = json!({
            "text": notice,
            "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": text } }],
        });
        Ok(HookRequest {
            headers: HeaderMap::new(),
            content_type: "application/json; charset=utf-8",
            query: String::new(),
            body: body.to_string().into_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use akgate_state::outbox::events::EventKind;

    fn event(kind: EventKind) -> LeasedEvent {
        LeasedEvent {
            audit_id: 7,
            hook: "room".into(),
            kind,
            attempt: 1,
            at: datetime!(2024-04-18 09:00 +8),
            actor: "operator:olga".into(),
            access_key_id: "LTAI5tFakeKeyForTestsOnly01".into(),
            restriction_id: (kind != EventKind::Suspected).then(|| Uuid::from_u128(7)),
            account_id: Some("5123456789012345".into()),
            user_name: Some("[click](https://evil.example) *<!here>*".into()),
            detail: json!({ "reason": "rotated" }),
        }
    }

    fn texts(language: Language) -> String {
        let templates = ChatTemplates::built_in().unwrap();
        let render = |kind, writing| templates.render(&event(kind), language, writing).unwrap();
        let mut all: Vec<String> = EventKind::ALL
            .into_iter()
            .map(|kind| render(kind, MARKDOWN))
            .collect();
        all.push(render(EventKind::Imposed, MRKDWN));
        all.join("\n----\n")
    }

    #[test]
    fn chat_message_is_in_the_room_language_and_has_no_foreign_links() {
        insta::assert_snapshot!("chat-en", texts(Language::English));
        insta::assert_snapshot!("chat-zh-CN", texts(Language::Chinese));
    }

    #[test]
    fn dingtalk_signature_covers_time_and_secret() {
        // Reckoned by Python's hmac, as DingTalk's own example does it.
        let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        assert_eq!(
            sign_dingtalk("SECfake", now),
            "timestamp=1700000000000&sign=stL8JpxOChrDWUKKBhnJJGK7%2FvGzirY%2FDjP66KVSfJk%3D"
        );
    }

    #[test]
    fn dingtalk_acceptance_is_read_from_the_body() {
        assert_eq!(
            check_dingtalk_response(br#"{"errcode":0,"errmsg":"ok"}"#),
            Ok(())
        );
        let slow = br#"{"errcode":130101,"errmsg":"send too fast"}"#;
        let Err(SendFault::Temporary { error, after: None }) = check_dingtalk_response(slow) else {
            panic!("taken");
        };
        assert_eq!(error, "errcode 130101: send too fast");
        assert!(check_dingtalk_response(b"<html>").is_err());
    }
}
