//! The requests of the catalogue of HTTP/1.1 probes, made of a well-formed request of a listener.

/// A well-formed request of a listener, in its parts.
#[derive(Debug, Clone)]
pub struct Shot {
    pub host: String,
    /// Header lines of every request: who asks.
    pub fields: String,
    /// The target of a GET.
    pub get: String,
    /// The target of a POST with a body.
    pub post: String,
    /// The header line of its type.
    pub media: String,
    /// Its body.
    pub body: String,
    /// The target of a POST without a body.
    pub empty_post: String,
}

/// What the request should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Refused with one of these, or the connection is closed.
    Refused(&'static [u16]),
    /// The same; served as the plain request is second best.
    RefusedFirst(&'static [u16]),
    /// Served as the plain request is.
    Served,
    /// Served as the plain request is; refused is second best.
    ServedFirst,
    /// Served, and then the connection is closed.
    ServedClosing,
    /// Served, with this header.
    ServedWith(&'static str),
    /// Served without a body.
    ServedBodiless,
    /// No answer, as long as bytes are missing; or refused.
    Waits,
    /// Any answer but this.
    Not(u16),
    /// A success.
    Success,
    /// A success that names the methods.
    SuccessWithAllow,
}

/// Which plain request it is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plain {
    Get,
    Post,
    EmptyPost,
}

/// A probe.
pub struct Case {
    pub steps: Vec<Vec<u8>>,
    pub want: Want,
    pub plain: Plain,
    /// Whether its answer has a body.
    pub has_body: bool,
}

impl Shot {
    fn head(&self) -> String {
        format!("Host: {}\r\n{}", self.host, self.fields)
    }

    /// A GET with this first line and these lines after the usual ones.
    fn get_with(&self, first: &str, lines: &str) -> String {
        format!("{first}\r\n{}{lines}\r\n", self.head())
    }

    fn get_also(&self, lines: &str) -> String {
        self.get_with(&format!("GET {} HTTP/1.1", self.get), lines)
    }

    fn post_also(&self, lines: &str, body: &str) -> String {
        let Self { post, media, .. } = self;
        format!(
            "POST {post} HTTP/1.1\r\n{}{media}{lines}\r\n{body}",
            self.head()
        )
    }

    fn chunked_as(&self, body: &str) -> String {
        self.post_also("Transfer-Encoding: chunked\r\n", body)
    }

    pub fn plain(&self, plain: Plain) -> String {
        match plain {
            Plain::Get => self.get_also(""),
            Plain::Post => {
                let length = format!("Content-Length: {}\r\n", self.body.len());
                self.post_also(&length, &self.body)
            }
            Plain::EmptyPost => format!(
                "POST {} HTTP/1.1\r\n{}Content-Length: 0\r\n\r\n",
                self.empty_post,
                self.head()
            ),
        }
    }
}

/// The request of a probe.
#[allow(clippy::too_many_lines, reason = "one row for each probe")]
pub fn case(id: &str, shot: &Shot) -> Case {
    use Want::{
        Not, Refused, RefusedFirst, Served, ServedBodiless, ServedClosing, ServedFirst, ServedWith,
        Success, SuccessWithAllow, Waits,
    };
    const BAD: &[u16] = &[400];
    let (host, fields) = (&shot.host, &shot.fields);
    let (get, body) = (&shot.get, &shot.body);
    let (length, hex) = (body.len(), format!("{:x}", body.len()));
    let chunks = format!("{hex}\r\n{body}\r\n0\r\n\r\n");
    let with_length = |value: &str| shot.post_also(&format!("Content-Length: {value}\r\n"), body);
    let coded = |value: &str| {
        let lines = format!("Transfer-Encoding:{value}\r\nContent-Length: {length}\r\n");
        shot.post_also(&lines, body)
    };
    let sized = |size: &str| shot.chunked_as(&format!("{size}\r\n{body}\r\n0\r\n\r\n"));
    let trailing =
        |field: &str| shot.chunked_as(&format!("{hex}\r\n{body}\r\n0\r\n{field}\r\n\r\n"));
    let first_line = |line: String| shot.get_with(&line, "");
    let hosted = |value: &str| format!("GET {get} HTTP/1.1\r\nHost: {value}\r\n{fields}\r\n");
    let websocket = |method: &str, version: &str, connection: &str, number: &str| {
        shot.get_with(
            &format!("{method} {get} {version}"),
            &format!(
                "{connection}Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {number}\r\n"
            ),
        )
    };
    let inner = shot.get_also("");
    let smuggled = |lines: &str| shot.post_also(lines, &format!("0\r\n\r\n{inner}"));
    let smuggled_length = 5 + inner.len();
    let both = |length: &str, coding: &str| {
        smuggled(&format!(
            "Content-Length: {length}\r\nTransfer-Encoding: {coding}\r\n"
        ))
    };
    let followed = |first: String| vec![first, shot.get_also("")];
    let long = |count: usize| "A".repeat(count);
    let between = |mark: &str| get.replacen('/', mark, 1);

    use Plain::{EmptyPost, Get, Post};
    #[rustfmt::skip]
    let (plain, want, steps): (Plain, Want, Vec<String>) = match id {
        // Lengths and codings.
        "SMUG-CL-TE-BOTH" => (Post, RefusedFirst(BAD), vec![shot.post_also(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", chunks.len()), &chunks)]),
        "SMUG-DUPLICATE-CL" => (Post, Refused(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nContent-Length: {}\r\n", length * 2), &format!("{body}{body}"))]),
        "SMUG-CL-LEADING-ZEROS" => (Post, RefusedFirst(BAD), vec![with_length(&format!("00{length}"))]),
        "SMUG-TE-XCHUNKED" => (Post, Refused(&[400, 501]), vec![coded(" xchunked")]),
        "SMUG-TE-TRAILING-SPACE" => (Post, RefusedFirst(&[400, 501]), vec![coded(" chunked ")]),
        "SMUG-TE-SP-BEFORE-COLON" => (Post, Refused(BAD), vec![shot.post_also(&format!("Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n"), body)]),
        "SMUG-CL-NEGATIVE" => (EmptyPost, Refused(BAD), vec![with_length("-1")]),
        "SMUG-CLTE-PIPELINE" => (EmptyPost, RefusedFirst(BAD), vec![shot.post_also("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")]),
        "SMUG-TECL-PIPELINE" => (EmptyPost, RefusedFirst(BAD), vec![shot.post_also("Transfer-Encoding: chunked\r\nContent-Length: 30\r\n", "0\r\n\r\n")]),
        "SMUG-CL-TRAILING-SPACE" => (Post, RefusedFirst(BAD), vec![with_length(&format!("{length} "))]),
        "SMUG-TE-DOUBLE-CHUNKED" => (Post, RefusedFirst(BAD), vec![coded(" chunked, chunked")]),
        "SMUG-CL-EXTRA-LEADING-SP" => (Post, RefusedFirst(BAD), vec![with_length(&format!(" {length}"))]),
        "SMUG-TE-CASE-MISMATCH" => (Post, RefusedFirst(BAD), vec![coded(" Chunked")]),
        "SMUG-CL-COMMA-DIFFERENT" => (Post, Refused(BAD), vec![with_length(&format!("{length}, {}", length + 5))]),
        "SMUG-TE-NOT-FINAL-CHUNKED" => (EmptyPost, Refused(BAD), vec![shot.post_also("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n")]),
        "SMUG-TE-HTTP10" => (Post, Refused(BAD), vec![coded(" chunked").replacen("HTTP/1.1", "HTTP/1.0", 1)]),
        "SMUG-BARE-CR-HEADER-VALUE" => (Post, Refused(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nX-Test: val\rue\r\n"), body)]),
        "SMUG-CL-OCTAL" => (Post, Refused(BAD), vec![with_length(&format!("0o{length}"))]),
        "SMUG-TE-EMPTY-VALUE" => (Post, Refused(BAD), vec![coded(" ")]),
        "SMUG-TE-LEADING-COMMA" => (Post, RefusedFirst(BAD), vec![coded(" , chunked")]),
        "SMUG-TE-DUPLICATE-HEADERS" => (Post, Refused(BAD), vec![coded(" chunked\r\nTransfer-Encoding: identity")]),
        "SMUG-CL-HEX-PREFIX" => (Post, Refused(BAD), vec![with_length(&format!("0x{hex}"))]),
        "SMUG-CL-INTERNAL-SPACE" => (Post, Refused(BAD), vec![with_length("1 0")]),
        "SMUG-TE-VTAB" => (Post, Refused(BAD), vec![coded(" \u{b}chunked")]),
        "SMUG-TE-FORMFEED" => (Post, Refused(BAD), vec![coded(" \u{c}chunked")]),
        "SMUG-TE-NULL" => (Post, Refused(BAD), vec![coded(" chunked\0")]),
        "SMUG-TE-IDENTITY" => (Post, Refused(&[400, 501]), vec![coded(" identity")]),
        "SMUG-TRANSFER_ENCODING" => (Post, RefusedFirst(BAD), vec![shot.post_also(&format!("Transfer_Encoding: chunked\r\nContent-Length: {length}\r\n"), body)]),
        "SMUG-CL-COMMA-SAME" => (Post, RefusedFirst(BAD), vec![with_length(&format!("{length}, {length}"))]),
        "SMUG-CL-COMMA-TRIPLE" => (Post, RefusedFirst(BAD), vec![with_length(&format!("{length}, {length}, {length}"))]),
        "SMUG-CHUNKED-WITH-PARAMS" => (Post, RefusedFirst(BAD), vec![coded(" chunked;ext=val")]),
        "SMUG-EXPECT-100-CL" => (Post, RefusedFirst(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nExpect: 100-continue\r\n"), body)]),
        "SMUG-HEAD-CL-BODY" => (Get, RefusedFirst(BAD), vec![shot.get_with(&format!("HEAD {get} HTTP/1.1"), "Content-Length: 5\r\n") + "hello"]),
        "SMUG-OPTIONS-CL-BODY" => (Get, RefusedFirst(BAD), vec![shot.get_with(&format!("OPTIONS {get} HTTP/1.1"), "Content-Length: 5\r\n") + "hello"]),
        "SMUG-CL-UNDERSCORE" => (Post, Refused(BAD), vec![with_length("1_0")]),
        "SMUG-CL-NEGATIVE-ZERO" => (EmptyPost, Refused(BAD), vec![shot.post_also("Content-Length: -0\r\n", "")]),
        "SMUG-CL-DOUBLE-ZERO" => (EmptyPost, RefusedFirst(BAD), vec![shot.post_also("Content-Length: 00\r\n", "")]),
        "SMUG-CL-LEADING-ZEROS-OCTAL" => (Post, RefusedFirst(BAD), vec![shot.post_also("Content-Length: 0200\r\n", &long(200))]),
        "SMUG-TE-OBS-FOLD" => (Post, RefusedFirst(BAD), vec![coded("\r\n chunked")]),
        "SMUG-TE-TRAILING-COMMA" => (Post, RefusedFirst(BAD), vec![coded(" chunked,")]),
        "SMUG-TE-TAB-BEFORE-VALUE" => (Post, RefusedFirst(BAD), vec![coded("\tchunked")]),
        "SMUG-ABSOLUTE-URI-HOST-MISMATCH" => (Get, RefusedFirst(BAD), vec![first_line(format!("GET http://other.example.com{get} HTTP/1.1"))]),
        "SMUG-MULTIPLE-HOST-COMMA" => (Get, Refused(BAD), vec![hosted(&format!("{host}, other.example.com"))]),
        // Chunks.
        "SMUG-CHUNK-BARE-SEMICOLON" => (Post, Refused(BAD), vec![sized(&format!("{hex};"))]),
        "SMUG-CHUNK-EXT-INVALID-TOKEN" => { (Post, Refused(BAD), vec![sized(&format!("{hex};bad[=x"))]) }
        "SMUG-CHUNK-UNDERSCORE" => (Post, Refused(BAD), vec![shot.chunked_as("1_0\r\nhello world!!!!!\r\n0\r\n\r\n")]),
        "SMUG-CHUNK-HEX-PREFIX" => (Post, Refused(BAD), vec![sized(&format!("0x{hex}"))]),
        "SMUG-CHUNK-SIZE-PLUS" => (Post, Refused(BAD), vec![sized(&format!("+{hex}"))]),
        "SMUG-CHUNK-SIZE-TRAILING-OWS" => (Post, Refused(BAD), vec![sized(&format!("{hex} "))]),
        "SMUG-CHUNK-LEADING-SP" => (Post, Refused(BAD), vec![sized(&format!(" {hex}"))]),
        "SMUG-CHUNK-MISSING-TRAILING-CRLF" => (Post, Refused(BAD), vec![shot.chunked_as(&format!("{hex}\r\n{body}0\r\n\r\n"))]),
        "SMUG-CHUNK-EXT-LF" => (Post, RefusedFirst(BAD), vec![shot.chunked_as(&format!("{hex};\n{body}\r\n0\r\n\r\n"))]),
        "SMUG-CHUNK-SPILL" => (Post, Refused(BAD), vec![shot.chunked_as(&format!("{hex}\r\n{body}!!\r\n0\r\n\r\n"))]),
        "SMUG-CHUNK-LF-TERM" => (Post, RefusedFirst(BAD), vec![shot.chunked_as(&format!("{hex}\r\n{body}\n0\r\n\r\n"))]),
        "SMUG-CHUNK-EXT-CTRL" => (Post, Refused(BAD), vec![sized(&format!("{hex};\0ext"))]),
        "SMUG-CHUNK-EXT-CR" => (Post, Refused(BAD), vec![sized(&format!("{hex};a\rX"))]),
        "SMUG-CHUNK-LF-TRAILER" => (Post, RefusedFirst(BAD), vec![shot.chunked_as(&format!("{hex}\r\n{body}\r\n0\r\n\n"))]),
        "SMUG-CHUNK-NEGATIVE" => (Post, Refused(BAD), vec![sized("-1")]),
        "SMUG-TRAILER-CL" => (Post, RefusedFirst(BAD), vec![trailing("Content-Length: 50")]),
        "SMUG-TRAILER-TE" => (Post, RefusedFirst(BAD), vec![trailing("Transfer-Encoding: chunked")]),
        "SMUG-TRAILER-HOST" => (Post, RefusedFirst(BAD), vec![trailing("Host: evil.example.com")]),
        "SMUG-TRAILER-AUTH" => (Post, RefusedFirst(BAD), vec![trailing("Authorization: Bearer evil")]),
        "SMUG-TRAILER-CONTENT-TYPE" => (Post, RefusedFirst(BAD), vec![trailing("Content-Type: text/evil")]),
        "SMUG-CHUNK-BARE-CR-TERM" => (Post, Refused(BAD), vec![shot.chunked_as(&format!("{hex}\r{body}\r\n0\r\n\r\n"))]),
        // Two requests on one connection.
        "SMUG-CLTE-CONN-CLOSE" => (EmptyPost, RefusedFirst(BAD), followed(shot.post_also("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"))),
        "SMUG-TECL-CONN-CLOSE" => (EmptyPost, RefusedFirst(BAD), followed(shot.post_also("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"))),
        "SMUG-CLTE-DESYNC" => (EmptyPost, RefusedFirst(BAD), followed(shot.post_also("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nX"))),
        "SMUG-TECL-DESYNC" => (EmptyPost, RefusedFirst(BAD), followed(shot.post_also("Transfer-Encoding: chunked\r\nContent-Length: 30\r\n", "0\r\n\r\nX"))),
        "SMUG-CLTE-SMUGGLED-GET" => (EmptyPost, Refused(BAD), vec![both(&smuggled_length.to_string(), "chunked")]),
        "SMUG-CLTE-SMUGGLED-GET-CL-PLUS" => (EmptyPost, Refused(BAD), vec![both(&format!("+{smuggled_length}"), "chunked")]),
        "SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC" => (EmptyPost, Refused(BAD), vec![both(&format!("{smuggled_length}x"), "chunked")]),
        "SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD" => (EmptyPost, Refused(BAD), vec![smuggled(&format!("Transfer-Encoding:\r\n chunked\r\nContent-Length: {smuggled_length}\r\n"))]),
        "SMUG-CLTE-SMUGGLED-HEAD" => (EmptyPost, Refused(BAD), vec![both(&(smuggled_length + 1).to_string(), "chunked").replacen("0\r\n\r\nGET", "0\r\n\r\nHEAD", 1)]),
        "SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE" => (EmptyPost, Refused(BAD), vec![both(&smuggled_length.to_string(), "chunked ")]),
        "SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA" => (EmptyPost, Refused(BAD), vec![both(&smuggled_length.to_string(), ", chunked")]),
        "SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH" => (EmptyPost, Refused(BAD), vec![both(&smuggled_length.to_string(), "Chunked")]),
        "SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET" => (EmptyPost, Refused(BAD), vec![smuggled(&format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: {smuggled_length}\r\n"))]),
        "SMUG-TECL-SMUGGLED-GET" => (EmptyPost, Refused(BAD), { let inner = shot.get_also("Content-Length: 7\r\n"); let size = format!("{:x}", inner.len()); let lines = format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", size.len() + 2); vec![shot.post_also(&lines, &format!("{size}\r\n{inner}\r\n0\r\n\r\n"))] }),
        "SMUG-DUPLICATE-CL-SMUGGLED-GET" => (Post, Refused(BAD), vec![shot.post_also(&format!("Content-Length: 4\r\nContent-Length: {}\r\n", 4 + inner.len()), &format!("PING{inner}"))]),
        "SMUG-GET-CL-PREFIX-DESYNC" => (Get, RefusedFirst(BAD), { let prefix = inner.trim_end_matches("\r\n").to_owned() + "\r\n"; vec![shot.get_also(&format!("Content-Length: {}\r\n", prefix.len())) + &prefix, format!("\r\n{inner}")] }),
        "SMUG-CL0-BODY-POISON" => (EmptyPost, RefusedFirst(BAD), followed(shot.plain(EmptyPost) + "X")),
        "SMUG-GET-CL-BODY-DESYNC" => (Get, RefusedFirst(BAD), followed(shot.get_also("Content-Length: 5\r\n") + "hello")),
        "SMUG-OPTIONS-CL-BODY-DESYNC" => (Get, RefusedFirst(BAD), followed(shot.get_with(&format!("OPTIONS {get} HTTP/1.1"), "Content-Length: 5\r\n") + "hello")),
        "SMUG-EXPECT-100-CL-DESYNC" => (Post, RefusedFirst(&[400, 417]), followed(shot.post_also(&format!("Content-Length: {length}\r\nExpect: 100-continue\r\n"), body))),
        "SMUG-OPTIONS-TE-OBS-FOLD" => (Get, RefusedFirst(BAD), followed(shot.get_with(&format!("OPTIONS {get} HTTP/1.1"), "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n") + "hello")),
        "SMUG-CHUNK-INVALID-SIZE-DESYNC" => (EmptyPost, Refused(BAD), followed(shot.chunked_as("+0\r\n\r\nX"))),
        "SMUG-PIPELINE-SAFE" => (Get, Served, vec![shot.get_also("")]),
        // Lines, versions and targets.
        "COMP-BASELINE" => (Get, Served, vec![shot.get_also("")]),
        "RFC9112-2.2-BARE-LF-REQUEST-LINE" => (Get, RefusedFirst(BAD), vec![inner.replacen("HTTP/1.1\r\n", "HTTP/1.1\n", 1)]),
        "RFC9112-2.2-BARE-LF-HEADER" => (Get, RefusedFirst(BAD), vec![shot.get_also("X-A: b\nX-Test: value\r\n")]),
        "RFC9112-5.1-OBS-FOLD" => (Get, Refused(BAD), vec![shot.get_also("X-Test: value\r\n continued\r\n")]),
        "RFC9110-5.6.2-SP-BEFORE-COLON" => { (Get, Refused(BAD), vec![shot.get_also("X-Test : value\r\n")]) }
        "RFC9112-3-MULTI-SP-REQUEST-LINE" => (Get, RefusedFirst(BAD), vec![first_line(format!("GET  {get} HTTP/1.1"))]),
        "RFC9112-7.1-MISSING-HOST" => (Get, Refused(BAD), vec![format!("GET {get} HTTP/1.1\r\n{fields}\r\n")]),
        "RFC9112-2.3-INVALID-VERSION" => (Get, Refused(&[400, 505]), vec![first_line(format!("GET {get} HTTP/9.9"))]),
        "RFC9112-5-EMPTY-HEADER-NAME" => { (Get, Refused(BAD), vec![shot.get_also(": empty-name\r\n")]) }
        "RFC9112-3-CR-ONLY-LINE-ENDING" => (Get, Refused(BAD), vec![inner.replacen("HTTP/1.1\r\n", "HTTP/1.1\r", 1)]),
        "RFC9112-3-MISSING-TARGET" => (Get, Refused(BAD), vec![first_line("GET HTTP/1.1".into())]),
        "RFC9112-3.2-FRAGMENT-IN-TARGET" => (Get, RefusedFirst(BAD), vec![first_line(format!("GET {get}#frag HTTP/1.1"))]),
        "RFC9112-2.3-HTTP09-REQUEST" => (Get, Waits, vec![format!("GET {get}\r\n")]),
        "RFC9112-5-INVALID-HEADER-NAME" => (Get, Refused(BAD), vec![shot.get_also("Bad[Name: value\r\n")]),
        "RFC9112-5-HEADER-NO-COLON" => (Get, Refused(BAD), vec![shot.get_also("NoColonHere\r\n")]),
        "RFC9110-5.4-DUPLICATE-HOST" => (Get, Refused(BAD), vec![shot.get_also("Host: other.example.com\r\n")]),
        "RFC9112-6.1-CL-NON-NUMERIC" => (EmptyPost, Refused(BAD), vec![with_length("abc")]),
        "RFC9112-6.1-CL-PLUS-SIGN" => { (Post, Refused(BAD), vec![with_length(&format!("+{length}"))]) }
        "COMP-WHITESPACE-BEFORE-HEADERS" => (Get, Refused(BAD), vec![inner.replacen("HTTP/1.1\r\n", "HTTP/1.1\r\n \r\n", 1)]),
        "COMP-DUPLICATE-HOST-SAME" => (Get, Refused(BAD), vec![shot.get_also(&format!("Host: {host}\r\n"))]),
        "COMP-HOST-WITH-USERINFO" => (Get, Refused(BAD), vec![hosted(&format!("user@{host}"))]),
        "COMP-HOST-WITH-PATH" => (Get, Refused(BAD), vec![hosted(&format!("{host}/path"))]),
        "COMP-ASTERISK-WITH-GET" => (Get, Refused(BAD), vec![first_line("GET * HTTP/1.1".into())]),
        "COMP-OPTIONS-STAR" => (Get, Success, vec![first_line("OPTIONS * HTTP/1.1".into())]),
        "COMP-UNKNOWN-TE-501" => (EmptyPost, Refused(&[400, 501]), vec![shot.post_also("Transfer-Encoding: gzip\r\n", "")]),
        "COMP-LEADING-CRLF" => (Get, RefusedFirst(BAD), vec![format!("\r\n\r\n{inner}")]),
        "COMP-ABSOLUTE-FORM" => (Get, ServedFirst, vec![first_line(format!("GET http://{host}{get} HTTP/1.1"))]),
        "COMP-METHOD-CASE" => (Get, RefusedFirst(&[400, 405, 501]), vec![first_line(format!("get {get} HTTP/1.1"))]),
        "COMP-HOST-EMPTY-VALUE" => (Get, Refused(BAD), vec![hosted("")]),
        "COMP-REQUEST-LINE-TAB" => (Get, RefusedFirst(BAD), vec![first_line(format!("GET\t{get} HTTP/1.1"))]),
        "COMP-VERSION-MISSING-MINOR" => (Get, Refused(BAD), vec![first_line(format!("GET {get} HTTP/1"))]),
        "COMP-VERSION-LEADING-ZEROS" => (Get, Refused(BAD), vec![first_line(format!("GET {get} HTTP/01.01"))]),
        "COMP-VERSION-WHITESPACE" => (Get, Refused(BAD), vec![first_line(format!("GET {get} HTTP/ 1.1"))]),
        "COMP-VERSION-CASE" => (Get, Refused(BAD), vec![first_line(format!("GET {get} http/1.1"))]),
        "COMP-HTTP10-NO-HOST" => (Get, RefusedFirst(BAD), vec![format!("GET {get} HTTP/1.0\r\n{fields}\r\n")]),
        "COMP-HTTP12-VERSION" => (Get, Refused(&[400, 505]), vec![first_line(format!("GET {get} HTTP/1.2"))]),
        "COMP-LONG-URL-OK" => (Get, Not(414), vec![first_line(format!("GET /{}?{get} HTTP/1.1", long(7900)))]),
        "COMP-SPACE-IN-TARGET" => (Get, Refused(BAD), vec![first_line(format!("GET {} HTTP/1.1", between("/pa th")))]),
        // Bodies that must be understood.
        "COMP-POST-CL-BODY" => (Post, Served, vec![shot.plain(Post)]),
        "COMP-POST-CL-ZERO" => (EmptyPost, Served, vec![shot.plain(EmptyPost)]),
        "COMP-POST-NO-CL-NO-TE" => (EmptyPost, Served, vec![shot.plain(EmptyPost).replacen("Content-Length: 0\r\n", "", 1)]),
        "COMP-POST-CL-UNDERSEND" => (Post, Waits, vec![with_length(&(length + 5).to_string())]),
        "COMP-CHUNKED-BODY" => (Post, Served, vec![shot.chunked_as(&chunks)]),
        "COMP-CHUNKED-MULTI" => (Post, Served, { let (one, two) = body.split_at(5); vec![shot.chunked_as(&format!("5\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", two.len()))] }),
        "COMP-CHUNKED-EMPTY" => (EmptyPost, Served, vec![shot.plain(EmptyPost).replacen("Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1)]),
        "COMP-CHUNKED-NO-FINAL" => (Post, Waits, vec![shot.chunked_as(&format!("{hex}\r\n{body}\r\n"))]),
        "COMP-CHUNKED-EXTENSION" => (Post, ServedFirst, vec![sized(&format!("{hex};ext=value"))]),
        "COMP-CHUNKED-TRAILER-VALID" => (Post, Served, vec![trailing("X-Checksum: abc")]),
        "COMP-CHUNKED-HEX-UPPERCASE" => (Post, Served, vec![sized(&format!("{length:X}"))]),
        "COMP-RANGE-POST" => (Post, Served, vec![shot.post_also(&format!("Content-Length: {length}\r\nRange: bytes=0-10\r\n"), body)]),
        "COMP-GET-WITH-CL-BODY" => (Get, RefusedFirst(BAD), vec![shot.get_also("Content-Length: 5\r\n") + "hello"]),
        "COMP-DUPLICATE-CT" => (Post, RefusedFirst(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nContent-Type: text/html\r\n"), body)]),
        "COMP-POST-UNSUPPORTED-CT" => (Post, Not(500), vec![shot.plain(Post).replacen(&shot.media, "Content-Type: application/x-nonsense\r\n", 1)]),
        // Methods, upgrades and answers.
        "COMP-UPGRADE-POST" => (Get, Not(101), vec![websocket("POST", "HTTP/1.1", "Connection: Upgrade\r\n", "13")]),
        "COMP-UPGRADE-MISSING-CONN" => { (Get, Not(101), vec![websocket("GET", "HTTP/1.1", "", "13")]) }
        "COMP-UPGRADE-UNKNOWN" => (Get, Not(101), vec![shot.get_also("Connection: Upgrade\r\nUpgrade: totally-made-up/1.0\r\n")]),
        "COMP-UPGRADE-INVALID-VER" => (Get, Not(101), vec![websocket("GET", "HTTP/1.1", "Connection: Upgrade\r\n", "99")]),
        "COMP-UPGRADE-HTTP10" => (Get, Not(101), vec![websocket("GET", "HTTP/1.0", "Connection: Upgrade\r\n", "13")]),
        "COMP-METHOD-CONNECT" => (Get, Refused(&[400, 405, 501]), vec!["CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n".into()]),
        "COMP-METHOD-TRACE" | "COMP-TRACE-SENSITIVE" => (Get, Refused(&[405, 501]), vec![first_line(format!("TRACE {get} HTTP/1.1"))]),
        "COMP-TRACE-WITH-BODY" => (Get, RefusedFirst(&[400, 405, 501]), vec![shot.get_with(&format!("TRACE {get} HTTP/1.1"), "Content-Length: 5\r\n") + "hello"]),
        "COMP-UNKNOWN-METHOD" => (Get, RefusedFirst(&[400, 405, 501]), vec![first_line(format!("FOOBAR {get} HTTP/1.1"))]),
        "COMP-EXPECT-UNKNOWN" => (Get, RefusedFirst(&[417]), vec![shot.get_also("Expect: 200-ok\r\n")]),
        "COMP-CONNECTION-CLOSE" => (Get, ServedClosing, vec![shot.get_also("Connection: close\r\n")]),
        "COMP-HTTP10-DEFAULT-CLOSE" => (Get, ServedClosing, vec![first_line(format!("GET {get} HTTP/1.0"))]),
        "COMP-NO-1XX-HTTP10" => (Post, Not(100), vec![shot.post_also(&format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"), body).replacen("HTTP/1.1", "HTTP/1.0", 1)]),
        "COMP-HEAD-NO-BODY" => (Get, ServedBodiless, vec![first_line(format!("HEAD {get} HTTP/1.1"))]),
        "COMP-405-ALLOW" => (Get, ServedWith("allow"), vec![first_line(format!("DELETE {get} HTTP/1.1"))]),
        "COMP-DATE-HEADER" | "COMP-DATE-FORMAT" => { (Get, ServedWith("date"), vec![shot.get_also("")]) }
        "COMP-CONTENT-TYPE" => (Get, ServedWith("content-type"), vec![shot.get_also("")]),
        "COMP-OPTIONS-ALLOW" | "COMP-NO-CL-IN-204" => (Get, SuccessWithAllow, vec![first_line(format!("OPTIONS {get} HTTP/1.1"))]),
        "COMP-RANGE-INVALID" => (Get, Served, vec![shot.get_also("Range: bytes=abc-xyz\r\n")]),
        "COMP-ACCEPT-NONSENSE" => (Get, Served, vec![shot.get_also("Accept: application/x-nonsense\r\n")]),
        // Malformed input.
        "MAL-BINARY-GARBAGE" => (Get, Waits, vec!["\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{7f}".repeat(28)]),
        "MAL-LONG-URL" => (Get, Refused(&[400, 414, 431]), vec![first_line(format!("GET /{}{get} HTTP/1.1", long(100_000)))]),
        "MAL-LONG-HEADER-VALUE" => (Get, Refused(&[400, 431]), vec![shot.get_also(&format!("X-Big: {}\r\n", long(100_000)))]),
        "MAL-MANY-HEADERS" => (Get, Refused(&[400, 431]), vec![shot.get_also(&(0..10_000).map(|at| format!("X-H-{at}: value\r\n")).collect::<String>())]),
        "MAL-NUL-IN-URL" => (Get, Refused(BAD), vec![first_line(format!("GET {} HTTP/1.1", between("/\0test")))]),
        "MAL-CONTROL-CHARS-HEADER" => (Get, Refused(BAD), vec![shot.get_also("X-Test: abc\u{7}\u{8}\u{b}def\r\n")]),
        "MAL-INCOMPLETE-REQUEST" => (Get, Waits, vec![shot.get_also("X-Test: value\r\n").trim_end().to_owned()]),
        "MAL-EMPTY-REQUEST" => (Get, Waits, vec![String::new()]),
        "MAL-LONG-HEADER-NAME" => (Get, Refused(&[400, 431]), vec![shot.get_also(&format!("{}: val\r\n", long(100_000)))]),
        "MAL-LONG-METHOD" => (Get, Refused(BAD), vec![first_line(format!("{} {get} HTTP/1.1", long(100_000)))]),
        "MAL-NON-ASCII-HEADER-NAME" => (Get, Refused(BAD), vec![shot.get_also("X-T\u{eb}st: value\r\n")]),
        "MAL-NON-ASCII-URL" => (Get, Refused(BAD), vec![first_line(format!("GET {} HTTP/1.1", between("/caf\u{e9}")))]),
        "MAL-CL-OVERFLOW" => (EmptyPost, Refused(BAD), vec![with_length("99999999999999999999")]),
        "MAL-WHITESPACE-ONLY-LINE" => (Get, Waits, vec!["   \r\n\r\n".into()]),
        "MAL-NUL-IN-HEADER-VALUE" => (Get, Refused(BAD), vec![shot.get_also("X-Test: val\0ue\r\n")]),
        "MAL-CHUNK-SIZE-OVERFLOW" => (Post, Refused(BAD), vec![sized("FFFFFFFFFFFFFFFF0")]),
        "MAL-H2-PREFACE" => (Get, Waits, vec!["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into()]),
        "MAL-CL-EMPTY" => (EmptyPost, Refused(BAD), vec![with_length("")]),
        "MAL-CL-TAB-BEFORE-VALUE" => (Post, RefusedFirst(BAD), vec![shot.post_also(&format!("Content-Length:\t{length}\r\n"), body)]),
        "MAL-URL-BACKSLASH" => (Get, RefusedFirst(BAD), vec![first_line(format!("GET {} HTTP/1.1", between("/path\\file")))]),
        // In UTF-8, since a text holds it: the bytes that decide are the same, above 0x7f.
        "MAL-URL-OVERLONG-UTF8" => (Get, Refused(BAD), vec![first_line(format!("GET {} HTTP/1.1", between("/\u{c0}\u{af}")))]),
        "MAL-URL-PERCENT-NULL" => (Get, Not(500), vec![first_line(format!("GET {} HTTP/1.1", between("/path%00.html")))]),
        "MAL-URL-PERCENT-CRLF" => (Get, Not(500), vec![first_line(format!("GET {} HTTP/1.1", between("/path%0d%0aX-Injected:%20true")))]),
        "MAL-CHUNK-EXT-64K" => (Post, RefusedFirst(&[400, 431]), vec![sized(&format!("{hex};ext={}", long(65_536)))]),
        "MAL-RANGE-OVERLAPPING" => (Get, Not(500), vec![shot.get_also(&format!("Range: bytes={}\r\n", vec!["0-"; 1000].join(",")))]),
        "MAL-POST-CL-HUGE-NO-BODY" => (Post, Waits, vec![shot.post_also("Content-Length: 999999999\r\n", "")]),
        // Names that some servers turn into others.
        "NORM-UNDERSCORE-CL" => (Post, RefusedFirst(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nContent_Length: 99\r\n"), body)]),
        "NORM-SP-BEFORE-COLON-CL" => (Post, Refused(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nContent-Length : 5\r\n"), body)]),
        "NORM-TAB-IN-NAME" => (Post, Refused(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nContent\tLength: 99\r\n"), body)]),
        "NORM-CASE-TE" => (Post, RefusedFirst(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nTRANSFER-ENCODING: chunked\r\n"), body)]),
        "NORM-UNDERSCORE-TE" => (Post, RefusedFirst(BAD), vec![shot.post_also(&format!("Content-Length: {length}\r\nTransfer_Encoding: chunked\r\n"), body)]),
        other => panic!("{other}: no request"),
    };
    Case {
        has_body: !steps.first().is_some_and(|step| step.starts_with("HEAD ")),
        steps: steps.into_iter().map(String::into_bytes).collect(),
        want,
        plain,
    }
}
