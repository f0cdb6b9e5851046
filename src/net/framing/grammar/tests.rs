use super::*;

fn read(text: &str) -> Result<(), Disallowed> {
    RequestGrammar::default().read(text.as_bytes())
}

fn post(fields: &str, body: &str) -> Result<(), Disallowed> {
    read(&format!(
        "POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}GET / HTTP/1.1\r\n\r\n"
    ))
}

fn chunked(body: &str) -> Result<(), Disallowed> {
    post("Transfer-Encoding: chunked\r\n", body)
}

#[test]
fn requests_of_the_grammar_pass_in_any_pieces() {
    for text in [
        "GET /a?b=c%20d HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5 \r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\t5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nTRANSFER-ENCODING: Chunked\r\n\r\nA\r\nhelloworld\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a;b=c;d=\"e \\\" f\"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nX: \u{e9}\r\n\r\n",
    ] {
        assert_eq!(read(text), Ok(()), "{text:?}");
        let mut grammar = RequestGrammar::default();
        for byte in text.as_bytes() {
            assert_eq!(grammar.read(&[*byte]), Ok(()), "{text:?}");
        }
    }
}

#[test]
fn head_that_parsers_read_differently_is_refused() {
    for text in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\n X: a\r\n\r\n",
        "GET / HTTP/1.1\r\nX : a\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nX[: a\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\0\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET /  HTTP/1.1\r\n\r\n",
        "GET\t/ HTTP/1.1\r\n\r\n",
        "GET HTTP/1.1\r\n\r\n",
        "GET /#a HTTP/1.1\r\n\r\n",
        "GET /\\a HTTP/1.1\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.2\r\n\r\n",
        "GET / HTTP/01.1\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET /\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "   \r\n\r\n",
        "\nGET / HTTP/1.1\r\n\r\n",
    ] {
        assert!(
            matches!(read(text), Err(Disallowed { in_head: true, .. })),
            "{text:?}"
        );
    }
    let long = "a".repeat(100_000);
    assert!(read(&format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n")).is_err());
    assert!(read(&format!("GET / HTTP/1.1\r\n{long}: x\r\n\r\n")).is_err());
    assert!(read(&format!("{long} / HTTP/1.1\r\n\r\n")).is_err());
}

#[test]
fn body_has_one_length() {
    assert_eq!(post("Content-Length: 5\r\n", "hello"), Ok(()));
    for fields in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: , chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: chunked;a=b\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Content-Length:\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -0\r\n",
        "Content-Length: 05\r\n",
        "Content-Length: 00\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 1 0\r\n",
        "Content-Length: 1_0\r\n",
        "Content-Length: 999999999\r\n",
    ] {
        assert!(post(fields, "hello").is_err(), "{fields:?}");
    }
    assert!(read("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
}

#[test]
fn chunks_have_the_one_form() {
    assert_eq!(chunked("5\r\nhello\r\n0\r\n\r\n"), Ok(()));
    for body in [
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "1_0\r\nhello world!!!!!\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "5; a\r\nhello\r\n0\r\n\r\n",
        "5;a=\r\nhello\r\n0\r\n\r\n",
        "5;a[=b\r\nhello\r\n0\r\n\r\n",
        "5;a\0b\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello!!\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\nX : a\r\n\r\n",
        "5\r\nhello\r\n0\r\n X: a\r\n\r\n",
    ] {
        assert!(
            matches!(chunked(body), Err(Disallowed { in_head: false, .. })),
            "{body:?}"
        );
    }
}
