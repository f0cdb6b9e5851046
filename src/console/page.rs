//! Rendering pages: one template per page and language, with one layout.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::directory::contacts::Language;

/// The pages, read once.
pub struct Pages(Environment<'static>);

/// The name of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// What will be confirmed, and the button.
    Confirm,
    /// It is confirmed.
    Confirmed,
    /// It was confirmed before, or is lifted.
    AlreadyConfirmed,
    /// The link is no good.
    LinkExpired,
    /// What a refused caller should do.
    Help,
    /// Try again.
    Unavailable,
}

impl Page {
    const ALL: [Self; 6] = [
        Self::Confirm,
        Self::Confirmed,
        Self::AlreadyConfirmed,
        Self::LinkExpired,
        Self::Help,
        Self::Unavailable,
    ];

    fn status(self) -> StatusCode {
        match self {
            Self::Confirm | Self::Confirmed | Self::AlreadyConfirmed | Self::Help => StatusCode::OK,
            Self::LinkExpired => StatusCode::NOT_FOUND,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn name(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Confirm, Language::English) => "en/confirm",
            (Self::Confirm, Language::Chinese) => "zh-CN/confirm",
            (Self::Confirmed, Language::English) => "en/confirmed",
            (Self::Confirmed, Language::Chinese) => "zh-CN/confirmed",
            (Self::AlreadyConfirmed, Language::English) => "en/already-confirmed",
            (Self::AlreadyConfirmed, Language::Chinese) => "zh-CN/already-confirmed",
            (Self::LinkExpired, Language::English) => "en/link-expired",
            (Self::LinkExpired, Language::Chinese) => "zh-CN/link-expired",
            (Self::Help, Language::English) => "en/help",
            (Self::Help, Language::Chinese) => "zh-CN/help",
            (Self::Unavailable, Language::English) => "en/unavailable",
            (Self::Unavailable, Language::Chinese) => "zh-CN/unavailable",
        }
    }

    fn source(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Confirm, Language::English) => include_str!("templates/en/confirm.html"),
            (Self::Confirm, Language::Chinese) => include_str!("templates/zh-CN/confirm.html"),
            (Self::Confirmed, Language::English) => include_str!("templates/en/confirmed.html"),
            (Self::Confirmed, Language::Chinese) => include_str!("templates/zh-CN/confirmed.html"),
            (Self::AlreadyConfirmed, Language::English) => {
                include_str!("templates/en/already-confirmed.html")
            }
            (Self::AlreadyConfirmed, Language::Chinese) => {
                include_str!("templates/zh-CN/already-confirmed.html")
            }
            (Self::LinkExpired, Language::English) => {
                include_str!("templates/en/link-expired.html")
            }
            (Self::LinkExpired, Language::Chinese) => {
                include_str!("templates/zh-CN/link-expired.html")
            }
            (Self::Help, Language::English) => include_str!("templates/en/help.html"),
            (Self::Help, Language::Chinese) => include_str!("templates/zh-CN/help.html"),
            (Self::Unavailable, Language::English) => {
                include_str!("templates/en/unavailable.html")
            }
            (Self::Unavailable, Language::Chinese) => {
                include_str!("templates/zh-CN/unavailable.html")
            }
        }
    }
}

impl Pages {
    /// Reads the pages that come with this build.
    ///
    /// # Errors
    /// That of a template; the tests keep that from being released.
    pub fn built_in() -> Result<Self, minijinja::Error> {
        let mut pages = Environment::new();
        pages.set_undefined_behavior(UndefinedBehavior::Strict);
        // Names without an ending would not be escaped.
        pages.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
        pages.add_template("layout", include_str!("templates/layout.html"))?;
        for page in Page::ALL {
            for language in Language::ALL {
                pages.add_template(page.name(language), page.source(language))?;
            }
        }
        Ok(Self(pages))
    }

    /// Renders a page.
    pub fn render(&self, page: Page, language: Language, facts: impl Serialize) -> Response {
        let context = minijinja::context! { lang => language.tag(), ..minijinja::Value::from(minijinja::value::Serde(facts)) };
        let rendered = self
            .0
            .get_template(page.name(language))
            .and_then(|template| template.render(context));
        match rendered {
            Ok(html) => (page.status(), Html(html)).into_response(),
            Err(fault) => {
                tracing::error!(%fault, ?page, "a page cannot be rendered");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// The one style sheet.
pub async fn style() -> Response {
    let mut response = include_str!("templates/style.css").into_response();
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/css; charset=utf-8"),
    );
    response
}
