//! Rendering pages: one template per page and language, with one layout.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use akgate_state::directory::contacts::Language;

/// The text of a template in both languages.
macro_rules! both {
    ($stem:literal) => {
        (
            include_str!(concat!("templates/en/", $stem, ".html")),
            include_str!(concat!("templates/zh-CN/", $stem, ".html")),
        )
    };
}

/// The pages, read once.
pub struct PageTemplates(Environment<'static>);

/// The name of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// Requests the confirmation.
    Confirm,
    /// Requests it again, and says what is missing.
    ConfirmIncomplete,
    /// Thanks for the confirmation.
    Confirmed,
    /// Asks whether to withdraw the confirmation.
    Withdraw,
    /// The confirmation is withdrawn.
    Withdrawn,
    /// How things stand, to whoever has used their link or finds the clean-up confirmed already.
    Status,
    /// The link does not work.
    LinkExpired,
    /// No such page.
    NotFound,
    /// What a refused caller should do.
    Help,
    /// Why a call was refused.
    Why,
    /// No such refusal is on record.
    WhyUnknown,
    /// The source has sent too many requests.
    TooManyRequests,
    /// The database failed: try again.
    Unavailable,
}

impl PageKind {
    const ALL: [Self; 12] = [
        Self::Confirm,
        Self::Confirmed,
        Self::Withdraw,
        Self::Withdrawn,
        Self::Status,
        Self::LinkExpired,
        Self::NotFound,
        Self::Help,
        Self::Why,
        Self::WhyUnknown,
        Self::TooManyRequests,
        Self::Unavailable,
    ];

    fn status(self) -> StatusCode {
        match self {
            Self::Confirm
            | Self::Confirmed
            | Self::Withdraw
            | Self::Withdrawn
            | Self::Status
            | Self::Help
            | Self::Why => StatusCode::OK,
            Self::ConfirmIncomplete => StatusCode::UNPROCESSABLE_ENTITY,
            Self::LinkExpired | Self::NotFound | Self::WhyUnknown => StatusCode::NOT_FOUND,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The name of its template file.
    fn stem(self) -> &'static str {
        match self {
            Self::Confirm | Self::ConfirmIncomplete => "confirm",
            Self::Confirmed => "confirmed",
            Self::Withdraw => "withdraw",
            Self::Withdrawn => "withdrawn",
            Self::Status => "status",
            Self::LinkExpired => "link-expired",
            Self::NotFound => "not-found",
            Self::Help => "help",
            Self::Why => "why",
            Self::WhyUnknown => "why-unknown",
            Self::TooManyRequests => "too-many-requests",
            Self::Unavailable => "unavailable",
        }
    }

    fn name(self, language: Language) -> String {
        format!("{}/{}", language.tag(), self.stem())
    }

    fn source(self, language: Language) -> &'static str {
        let (english, chinese) = match self {
            Self::Confirm | Self::ConfirmIncomplete => both!("confirm"),
            Self::Confirmed => both!("confirmed"),
            Self::Withdraw => both!("withdraw"),
            Self::Withdrawn => both!("withdrawn"),
            Self::Status => both!("status"),
            Self::LinkExpired => both!("link-expired"),
            Self::NotFound => both!("not-found"),
            Self::Help => both!("help"),
            Self::Why => both!("why"),
            Self::WhyUnknown => both!("why-unknown"),
            Self::TooManyRequests => both!("too-many-requests"),
            Self::Unavailable => both!("unavailable"),
        };
        match language {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }
}

impl PageTemplates {
    /// Reads the pages that come with this build.
    ///
    /// # Errors
    /// A built-in template is wrong; the tests check it.
    pub fn built_in() -> Result<Self, minijinja::Error> {
        let mut pages = Environment::new();
        pages.set_undefined_behavior(UndefinedBehavior::Strict);
        // minijinja escapes only names with a known extension.
        pages.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
        pages.add_template("layout", include_str!("templates/layout.html"))?;
        for page in PageKind::ALL {
            for language in Language::ALL {
                pages.add_template_owned(page.name(language), page.source(language))?;
            }
        }
        Ok(Self(pages))
    }

    /// Renders a page.
    pub fn render(&self, page: PageKind, language: Language, facts: impl Serialize) -> Response {
        let context = minijinja::context! { lang => language.tag(), ..minijinja::Value::from(minijinja::value::Serde(facts)) };
        let rendered = self
            .0
            .get_template(&page.name(language))
            .and_then(|template| template.render(context));
        match rendered {
            Ok(html) => (page.status(), Html(html)).into_response(),
            Err(fault) => {
                tracing::error!(%fault, ?page, "cannot render a page");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// The one style sheet.
pub async fn serve_style_sheet() -> Response {
    let mut response = include_str!("templates/style.css").into_response();
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/css; charset=utf-8"),
    );
    response
}
