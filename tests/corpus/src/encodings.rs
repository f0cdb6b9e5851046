//! How a file's text is written down.

use std::io::Write;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use flate2::{Compression, write::GzEncoder};

/// An encoding: its name, and what writes a text in it.
pub type Encoding = (&'static str, fn(&str) -> Vec<u8>);

/// All of them.
pub const ENCODINGS: [Encoding; 40] = [
    ("plain", |text| text.as_bytes().to_vec()),
    ("crlf", |text| text.replace('\n', "\r\n").into_bytes()),
    ("utf8_bom", |text| format!("\u{feff}{text}").into_bytes()),
    ("utf16le_bom", |text| {
        utf16(&format!("\u{feff}{text}"), u16::to_le_bytes)
    }),
    ("utf16be_bom", |text| {
        utf16(&format!("\u{feff}{text}"), u16::to_be_bytes)
    }),
    ("utf16le", |text| utf16(text, u16::to_le_bytes)),
    ("utf16be", |text| utf16(text, u16::to_be_bytes)),
    ("gbk", |text| encoding_rs::GBK.encode(text).0.into_owned()),
    ("json", |text| json(text).into_bytes()),
    ("json_twice", |text| json(&json(text)).into_bytes()),
    ("json_thrice", |text| json(&json(&json(text))).into_bytes()),
    ("json_html_safe", |text| json_html_safe(text).into_bytes()),
    ("json_ascii", |text| json_ascii(text).into_bytes()),
    ("unicode_escapes", |text| {
        escape_all(text, |c| format!("\\u{:04x}", c as u32)).into_bytes()
    }),
    ("hex_escapes", |text| {
        escape_bytes(text, |b| format!("\\x{b:02x}")).into_bytes()
    }),
    ("octal_escapes", |text| {
        escape_bytes(text, |b| format!("\\{b:03o}")).into_bytes()
    }),
    ("python_bytes", |text| python_bytes(text).into_bytes()),
    ("percent", |text| percent(text).into_bytes()),
    ("percent_twice", |text| percent(&percent(text)).into_bytes()),
    ("percent_all", |text| {
        escape_bytes(text, |b| format!("%{b:02X}")).into_bytes()
    }),
    ("html", |text| html(text).into_bytes()),
    ("html_twice", |text| html(&html(text)).into_bytes()),
    ("html_numeric", |text| {
        escape_all(text, |c| format!("&#{};", c as u32)).into_bytes()
    }),
    ("html_hex", |text| {
        escape_all(text, |c| format!("&#x{:X};", c as u32)).into_bytes()
    }),
    ("quoted_printable", |text| {
        quoted_printable(text).into_bytes()
    }),
    ("colours", |text| {
        colours(text, "\x1b[32m", "\x1b[0m").into_bytes()
    }),
    ("colours_grep", |text| {
        text.replace("LTAI", "\x1b[01;31m\x1b[KLTAI\x1b[m\x1b[K")
            .into_bytes()
    }),
    ("base64", |text| STANDARD.encode(text).into_bytes()),
    ("base64_no_pad", |text| {
        format!("x: {}\n", STANDARD_NO_PAD.encode(text)).into_bytes()
    }),
    ("base64_url", |text| {
        URL_SAFE_NO_PAD.encode(text).into_bytes()
    }),
    ("base64_lines", |text| {
        lines(&STANDARD.encode(text), 76, "").into_bytes()
    }),
    ("base64_indented", |text| {
        format!("data: |\n{}", lines(&STANDARD.encode(text), 64, "    ")).into_bytes()
    }),
    ("base64_twice", |text| {
        STANDARD.encode(STANDARD.encode(text)).into_bytes()
    }),
    ("base64_utf16", |text| {
        STANDARD.encode(utf16(text, u16::to_le_bytes)).into_bytes()
    }),
    ("base64_gzip", |text| {
        STANDARD.encode(gzip(text.as_bytes())).into_bytes()
    }),
    ("base64_in_json", |text| {
        json(&STANDARD.encode(text)).into_bytes()
    }),
    ("hex", |text| {
        escape_bytes(text, |b| format!("{b:02x}")).into_bytes()
    }),
    ("gzip", |text| gzip(text.as_bytes())),
    ("zip", |text| zip(text.as_bytes())),
    ("tar_gzip", |text| gzip(&tar(text.as_bytes()))),
];

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn json(text: &str) -> String {
    let mut out = String::from("{\"text\":\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\"}"
}

/// As Gson and Go write it.
fn json_html_safe(text: &str) -> String {
    let mut out = json(text);
    for c in ['<', '>', '&', '=', '\''] {
        out = out.replace(c, &format!("\\u{:04x}", c as u32));
    }
    out
}

/// As Python and PHP write it.
fn json_ascii(text: &str) -> String {
    let text = json(text);
    let escape = |c: char| match c.is_ascii() {
        true => c.to_string(),
        false => format!("\\u{:04x}", c as u32),
    };
    text.chars().map(escape).collect()
}

fn python_bytes(text: &str) -> String {
    let escape = |b: u8| match b {
        b'\n' => "\\n".to_owned(),
        b'\'' => "\\'".to_owned(),
        b'\\' => "\\\\".to_owned(),
        b'\t' => "\\t".to_owned(),
        b' '..=b'~' => char::from(b).to_string(),
        b => format!("\\x{b:02x}"),
    };
    format!("b'{}'", text.bytes().map(escape).collect::<String>())
}

fn escape_all(text: &str, escape: fn(char) -> String) -> String {
    text.chars().map(escape).collect()
}

fn escape_bytes(text: &str, escape: fn(u8) -> String) -> String {
    text.bytes().map(escape).collect()
}

fn percent(text: &str) -> String {
    let escape = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(b).to_string()
        }
        b => format!("%{b:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
        .replace('=', "&#x3D;")
}

fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for byte in text.bytes() {
        if byte == b'\n' {
            out.push_str("\r\n");
            width = 0;
            continue;
        }
        let shown = match byte {
            b' '..=b'<' | b'>'..=b'~' => char::from(byte).to_string(),
            byte => format!("={byte:02X}"),
        };
        if width + shown.len() > 75 {
            out.push_str("=\r\n");
            width = 0;
        }
        width += shown.len();
        out.push_str(&shown);
    }
    out
}

/// Every word between colours.
fn colours(text: &str, on: &str, off: &str) -> String {
    let mut out = String::new();
    let mut in_word = false;
    for c in text.chars() {
        let is_word = c.is_ascii_alphanumeric();
        if is_word != in_word {
            out.push_str(if is_word { on } else { off });
            in_word = is_word;
        }
        out.push(c);
    }
    out
}

fn lines(text: &str, width: usize, indent: &str) -> String {
    let chunks = text.as_bytes().chunks(width);
    chunks
        .map(|line| format!("{indent}{}\n", String::from_utf8_lossy(line)))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    archive.start_file("app/.env", options).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap().into_inner()
}

fn tar(bytes: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "app/.env", bytes).unwrap();
    archive.into_inner().unwrap()
}
