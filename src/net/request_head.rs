//! What every listener asks of the head of a request before a service sees it: one `Host`, a target that names a path of
//! this server, a method and an expectation that it knows, and no body where none has a meaning (RFC 9112, section 3; RFC 9110, sections 9.3 and 10.1.1).

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING},
    uri::{Authority, PathAndQuery},
};

/// Why a head is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
    /// It has no `Host`.
    #[error("it has no Host header")]
    NoHost,
    /// It has more than one `Host`.
    #[error("it has more than one Host header")]
    ManyHosts,
    /// The `Host` is no name or address with or without a port.
    #[error("its Host header is not a host with an optional port")]
    Host,
    /// The target is a URL of another host than `Host`.
    #[error("its target names another host than its Host header")]
    OtherHost,
    /// The target is neither a path nor the URL of one.
    #[error("its target is neither a path nor an http URL")]
    Target,
    /// A method whose content means nothing has a body.
    #[error("this method takes no body")]
    Body,
    /// A method of proxies or for debugging.
    #[error("this method is not allowed")]
    Method,
    /// It expects something other than `100-continue`.
    #[error("this expectation cannot be met")]
    Expectation,
}

impl HeadFault {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::NoHost | Self::ManyHosts | Self::Host => StatusCode::BAD_REQUEST,
            Self::OtherHost | Self::Target | Self::Body => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
        }
    }

    /// The answer; the connection closes after it, since the body is not read.
    #[must_use]
    pub fn answer<B: From<String>>(self) -> Response<B> {
        let mut answer = Response::new(B::from(format!("The request is refused: {self}.\n")));
        *answer.status_mut() = self.status();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if self == Self::Method {
            // RFC 9110, 15.5.6: what some path of ours takes.
            headers.insert(
                ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, OPTIONS"),
            );
        }
        answer
    }
}

/// Checks a head, and gives it a path for a target.
///
/// # Errors
/// [`HeadFault`].
pub fn settle_head<B>(request: &mut Request<B>) -> Result<(), HeadFault> {
    let host = check_host(request.version(), request.headers())?;
    if let Some(expected) = request.headers().get(EXPECT)
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(HeadFault::Expectation);
    }
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(HeadFault::Method);
    }
    let takes_no_body = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if takes_no_body && has_body(request.headers()) {
        return Err(HeadFault::Body);
    }
    let target = request.uri();
    if target.authority().is_some() || target.scheme().is_some() {
        let path = path_of_url(target, host)?;
        *request.uri_mut() = path;
    }
    match request.uri().path() {
        path if path.starts_with('/') => Ok(()),
        "*" if request.method() == Method::OPTIONS => Ok(()),
        _ => Err(HeadFault::Target),
    }
}

/// The answer to `OPTIONS *`, which asks about the server as a whole.
#[must_use]
pub fn answer_to_server_options<B: Default>() -> Response<B> {
    let mut answer = Response::new(B::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    answer.headers_mut().insert(ALLOW, methods);
    answer
}

/// Whether a body is announced.
fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || headers.contains_key(TRANSFER_ENCODING)
}

/// The one `Host`; HTTP/1.0 may have none.
fn check_host(version: Version, headers: &HeaderMap) -> Result<Option<Authority>, HeadFault> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => Err(HeadFault::NoHost),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(HeadFault::ManyHosts),
        (Some(host), None) => {
            let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%:[]".contains(byte);
            let is_host = host.as_bytes().iter().all(is_allowed);
            let authority = Authority::try_from(host.as_bytes());
            let authority = authority.ok().filter(|_| is_host).filter(|authority| {
                authority.host() == authority.as_str() || authority.port_u16().is_some()
            });
            authority.map(Some).ok_or(HeadFault::Host)
        }
    }
}

/// The path of a target in absolute form, which names the same host as `Host`.
fn path_of_url(target: &Uri, host: Option<Authority>) -> Result<Uri, HeadFault> {
    let is_http = matches!(target.scheme_str(), Some("http" | "https"));
    let (Some(authority), true) = (target.authority(), is_http) else {
        return Err(HeadFault::Target);
    };
    if host.is_some_and(|host| host != *authority) {
        return Err(HeadFault::OtherHost);
    }
    let path = target.path_and_query().cloned();
    Ok(path.unwrap_or(PathAndQuery::from_static("/")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(method: Method, target: &str, hosts: &[&str]) -> Result<String, HeadFault> {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap();
        for host in hosts {
            request.headers_mut().append(HOST, host.parse().unwrap());
        }
        settle_head(&mut request).map(|()| request.uri().to_string())
    }

    #[test]
    fn host_is_given_once_and_is_a_host() {
        for host in [
            "a",
            "a.example:8080",
            "[::1]:80",
            "192.0.2.1",
            "EXAMPLE.com.",
        ] {
            assert_eq!(
                settle(Method::GET, "/b?c", &[host]),
                Ok("/b?c".into()),
                "{host}"
            );
        }
        assert_eq!(settle(Method::GET, "/", &[]), Err(HeadFault::NoHost));
        assert_eq!(
            settle(Method::GET, "/", &["a", "a"]),
            Err(HeadFault::ManyHosts)
        );
        for host in ["", "a, b", "u@a", "a/b", "a b", "a:b", "a?b"] {
            assert_eq!(
                settle(Method::GET, "/", &[host]),
                Err(HeadFault::Host),
                "{host}"
            );
        }
        let mut old = Request::new(());
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(settle_head(&mut old), Ok(()));
    }

    #[test]
    fn url_of_the_same_host_counts_as_its_path() {
        for (target, path) in [
            ("http://a/b?c", "/b?c"),
            ("https://A", "/"),
            ("http://a?c", "/?c"),
        ] {
            assert_eq!(
                settle(Method::GET, target, &["a"]),
                Ok(path.into()),
                "{target}"
            );
        }
        for target in ["http://b/", "http://a:80/", "http://u@a/"] {
            let settled = settle(Method::GET, target, &["a"]);
            assert_eq!(settled, Err(HeadFault::OtherHost), "{target}");
        }
        assert_eq!(
            settle(Method::GET, "ftp://a/", &["a"]),
            Err(HeadFault::Target)
        );
        assert_eq!(settle(Method::GET, "a:443", &["a"]), Err(HeadFault::Target));
    }

    #[test]
    fn asterisk_is_for_options_alone_and_proxy_methods_for_nobody() {
        assert_eq!(settle(Method::OPTIONS, "*", &["a"]), Ok("*".into()));
        assert_eq!(settle(Method::GET, "*", &["a"]), Err(HeadFault::Target));
        assert_eq!(settle(Method::TRACE, "/", &["a"]), Err(HeadFault::Method));
        assert_eq!(
            settle(Method::CONNECT, "a:443", &["a"]),
            Err(HeadFault::Method)
        );
    }
}
