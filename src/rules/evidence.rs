//! Makes text from outside safe to show: it cannot break a line, reorder text, be clicked, or contain a credential.

use std::borrow::Cow;

use idna::{AsciiDenyList, domain_to_ascii_cow};

use crate::{access_key::AccessKeyId, leak::LeakPlace, visible_text::is_misleading};

/// The longest text that is shown, in characters.
const MAX_SHOWN_CHARS: usize = 300;

/// The length of an AccessKeySecret.
const SECRET_LEN: usize = 30;

/// A text without what misleads: control characters, Unicode's bidirectional controls and what has no width
/// are replaced, what mail programs would make a link of is broken, and what is too long is cut.
#[must_use]
pub fn sanitize_text(text: &str) -> String {
    break_links(&replace_misleading(text))
}

/// Breaks what mail programs make a link of by themselves.
fn break_links(text: &str) -> String {
    let text = text.replace("://", "[:]//");
    let lower = text.to_ascii_lowercase();
    let mut shown = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, found) in lower.match_indices("www.") {
        let dot = at + found.len() - 1;
        shown.push_str(text.get(rest..dot).unwrap_or_default());
        shown.push_str("[.]");
        rest = dot + 1;
    }
    shown + text.get(rest..).unwrap_or_default()
}

fn replace_misleading(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if is_misleading(c) { '\u{fffd}' } else { c })
        .take(MAX_SHOWN_CHARS)
        .collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// The place where a key was found, as `hxxps://host[.]example/path`: mail programs make a link of any address, and
/// this one may be the attacker's. A host in other letters than ASCII is shown as IDNA writes it (RFC 5891), `xn--…`:
/// it cannot imitate another host. User, query and fragment are removed, because each may contain the secret; so is
/// whatever looks like one, and the key is masked. A line number stays.
#[must_use]
pub fn defang_url(url: &str, key: &AccessKeyId) -> String {
    let url = url.replace(key.as_str(), &key.masked());
    let (url, fragment) = url.split_once('#').unwrap_or((&url, ""));
    let url = url.split_once('?').map_or(url, |(before, _)| before);
    let (scheme, rest) = match url.split_once("://") {
        Some(("", rest)) => (String::new(), rest),
        Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => (
            scheme.to_ascii_lowercase().replace("http", "hxxp") + "://",
            rest,
        ),
        Some(_) | None => (String::new(), url),
    };
    let slash = rest.find('/').and_then(|at| rest.split_at_checked(at));
    let (authority, path) = slash.unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let line = if is_line_fragment(fragment) {
        format!("#{fragment}")
    } else {
        String::new()
    };
    let rest = format!(
        "{}{}",
        ascii_host(host).replace('.', "[.]"),
        redact_lookalikes(path)
    );
    let shown = format!("{scheme}{}{line}", break_links(&rest));
    let words: Vec<&str> = shown.split_whitespace().collect();
    replace_misleading(&words.join("%20"))
}

/// Where a key was seen, in one line: the address, then the file and the commit that it does not name. `None` where
/// the source does not tell.
#[must_use]
pub fn describe_location(seen: &LeakPlace, key: &AccessKeyId) -> Option<String> {
    let mut shown = seen.url.as_deref().map(|url| defang_url(url, key));
    for more in [
        seen.path.as_deref(),
        seen.commit.as_deref().map(short_commit),
    ] {
        let text = redact_lookalikes(
            &more
                .unwrap_or_default()
                .replace(key.as_str(), &key.masked()),
        );
        let text = sanitize_text(&text);
        shown = match shown {
            Some(shown) if shown.contains(&text) => Some(shown),
            Some(shown) => Some(format!("{shown}, {text}")),
            None => (!text.is_empty()).then_some(text),
        };
    }
    shown
}

/// As much of a commit's id as people read.
fn short_commit(commit: &str) -> &str {
    commit
        .get(..commit.floor_char_boundary(12))
        .unwrap_or_default()
}

/// A host, its port kept, without a letter that looks like another: what is no name at all loses those letters.
fn ascii_host(host: &str) -> Cow<'_, str> {
    if host.is_ascii() {
        return host.into();
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port)),
        Some(_) | None => (host, None),
    };
    let name = domain_to_ascii_cow(name.as_bytes(), AsciiDenyList::URL)
        .unwrap_or_else(|_| name.replace(|c: char| !c.is_ascii(), "\u{fffd}").into());
    match port {
        Some(port) => format!("{name}:{port}").into(),
        None => name,
    }
}

/// `L12`, `L12-L40`, `L12C3`: how code hosts name lines.
fn is_line_fragment(fragment: &str) -> bool {
    fragment.starts_with('L')
        && fragment.len() < 24
        && fragment
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'L' | b'C' | b'-'))
}

/// Replaces each run of letters and digits that is as long as a secret and as mixed.
fn redact_lookalikes(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().map(Some).chain([None]) {
        if let Some(c) = c.filter(char::is_ascii_alphanumeric) {
            run.push(c);
            continue;
        }
        shown.push_str(if looks_like_secret(&run) {
            "******"
        } else {
            &run
        });
        run.clear();
        shown.extend(c);
    }
    shown
}

fn looks_like_secret(run: &str) -> bool {
    run.len() == SECRET_LEN
        && run.bytes().any(|b| b.is_ascii_uppercase())
        && run.bytes().any(|b| b.is_ascii_lowercase())
        && run.bytes().any(|b| b.is_ascii_digit())
}

/// An address as others are shown it: `a***@example.com`.
#[must_use]
pub fn mask_email(email: &str) -> String {
    let (user, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let first: String = user.chars().take(1).collect();
    sanitize_text(&format!("{first}***@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        defang_url(
            url,
            &AccessKeyId::parse("LTAI5tFakeKeyForTestsOnly01").unwrap(),
        )
    }

    #[test]
    fn control_and_direction_characters_are_replaced() {
        assert_eq!(sanitize_text("a\r\nBcc: b"), "a\u{fffd}\u{fffd}Bcc: b");
        assert_eq!(sanitize_text("exe.\u{202e}gpj"), "exe.\u{fffd}gpj");
        assert_eq!(
            sanitize_text("ali\u{200b}ce\u{ad}"),
            "ali\u{fffd}ce\u{fffd}"
        );
        assert_eq!(
            sanitize_text(&"x".repeat(400)).chars().count(),
            MAX_SHOWN_CHARS + 1
        );
        assert_eq!(sanitize_text("张三 ok"), "张三 ok");
    }

    #[test]
    fn shown_text_is_no_link() {
        assert_eq!(
            sanitize_text("https://evil.example/x"),
            "https[:]//evil.example/x"
        );
        assert_eq!(sanitize_text("WWW.evil.example"), "WWW[.]evil.example");
        assert_eq!(sanitize_text("a www.b www.c"), "a www[.]b www[.]c");
        assert_eq!(
            shown("http://h/www.evil.example"),
            "hxxp://h/www[.]evil.example"
        );
    }

    #[test]
    fn shown_place_is_no_link() {
        for (url, said) in [
            (
                "https://github.com/example/app/blob/main/.env#L3-L4",
                "hxxps://github[.]com/example/app/blob/main/.env#L3-L4",
            ),
            (
                "HTTP://evil.example/https://login.example",
                "hxxp://evil[.]example/https[:]//login.example",
            ),
            (
                // A Cyrillic а.
                "https://pаypal.example:8443/x",
                "hxxps://xn--pypal-4ve[.]example:8443/x",
            ),
            (
                "https://例え.example/张三",
                "hxxps://xn--r8jz45g[.]example/张三",
            ),
            // IDNA maps a full-width full stop to a point; a full-width solidus would end the host: it is no name.
            ("https://evil．example/x", "hxxps://evil[.]example/x"),
            (
                "https://evil.example／é/x",
                "hxxps://evil[.]example\u{fffd}\u{fffd}/x",
            ),
            ("evil.example/a b\r\nc", "evil[.]example/a%20b%20c"),
            ("://evil.example", "evil[.]example"),
            ("", ""),
        ] {
            assert_eq!(shown(url), said);
        }
    }

    #[test]
    fn shown_place_contains_no_credential() {
        for (url, said) in [
            (
                "https://u:FakeSecretForTestsOnly0123abcD@h.example/x",
                "hxxps://h[.]example/x",
            ),
            (
                "https://h.example/x?q=FakeSecretForTestsOnly0123abcD",
                "hxxps://h[.]example/x",
            ),
            (
                "https://h.example/x#:~:text=FakeSecretForTestsOnly0123abcD",
                "hxxps://h[.]example/x",
            ),
            (
                "https://h.example/FakeSecretForTestsOnly0123abcD/x",
                "hxxps://h[.]example/******/x",
            ),
            (
                "https://h.example/LTAI5tFakeKeyForTestsOnly01.csv",
                "hxxps://h[.]example/LTAI5tFa****ly01.csv",
            ),
            (
                "https://h.example/8d969eef6ecad3c29a3a629280e686cf0c3f5d5a",
                "hxxps://h[.]example/8d969eef6ecad3c29a3a629280e686cf0c3f5d5a",
            ),
        ] {
            assert_eq!(shown(url), said);
        }
    }

    #[test]
    fn whereabouts_name_file_and_commit_once() {
        let key = AccessKeyId::parse("LTAI5tFakeKeyForTestsOnly01").unwrap();
        let commit = "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a";
        let blob = format!("https://h.example/blob/{commit}/app/.env");
        for (url, path, shown) in [
            (
                Some(blob.as_str()),
                Some("app/.env"),
                "hxxps://h[.]example/blob/8d969eef6ecad3c29a3a629280e686cf0c3f5d5a/app/.env",
            ),
            (
                Some("https://h.example/app"),
                Some("app/.env"),
                "hxxps://h[.]example/app, app/.env, 8d969eef6eca",
            ),
            (None, Some("app/.env"), "app/.env, 8d969eef6eca"),
            (
                None,
                Some("LTAI5tFakeKeyForTestsOnly01/FakeSecretForTestsOnly0123abcD"),
                "LTAI5tFa****ly01/******, 8d969eef6eca",
            ),
            (
                None,
                Some("https://evil.example"),
                "https[:]//evil.example, 8d969eef6eca",
            ),
        ] {
            let seen = LeakPlace::new(url, Some(commit), path);
            assert_eq!(describe_location(&seen, &key).as_deref(), Some(shown));
        }
        assert_eq!(describe_location(&LeakPlace::default(), &key), None);
    }

    #[test]
    fn address_is_shown_masked() {
        assert_eq!(mask_email("alice@example.com"), "a***@example.com");
        assert_eq!(mask_email("no address"), "n***@");
    }
}
