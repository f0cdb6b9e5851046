//! Names that vouch for a secret: of a variable, a field, a column, an element.

use memchr::memmem;

/// Names of secrets, without what separates their words.
const SECRET_NAMES: [&str; 9] = [
    "secret",
    "accesskey",
    "aksk",
    "accessuserkey",
    "密钥",
    "秘钥",
    "密鑰",
    "秘鑰",
    "金鑰",
];

/// What else on a line makes a secret of what has its shape.
const HINTS: [&str; 6] = [
    "aliyun",
    "alibaba",
    "alicloud",
    "aliyuncs",
    "阿里云",
    "阿里雲",
];

/// How far before a value its name is looked for, in bytes.
pub(crate) const CONTEXT_BEFORE: usize = 256;

/// How far after it, on the same line.
pub(crate) const CONTEXT_AFTER: usize = 128;

/// How text vouches for a value in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Vouching {
    /// The name right before the value is that of a secret.
    pub is_named: bool,
    /// The line, or the one before it, speaks of such secrets.
    pub is_hinted: bool,
}

impl Vouching {
    /// What the text around a value says.
    pub fn of(before: &[u8], after: &[u8]) -> Self {
        let line_end = memchr::memchr(b'\n', after).unwrap_or(after.len());
        let after = after.get(..line_end).unwrap_or_default();
        let before = last_two_lines(before);
        let is_named = is_secret_name(direct_name(before)) && !after.starts_with(b"(");
        let is_hinted = is_named || [before, after].into_iter().any(speaks_of_secrets);
        Self {
            is_named,
            is_hinted,
        }
    }

    pub fn or(self, other: Self) -> Self {
        Self {
            is_named: self.is_named || other.is_named,
            is_hinted: self.is_hinted || other.is_hinted,
        }
    }
}

/// The end of a text, from the last line before this one that is not empty.
fn last_two_lines(text: &[u8]) -> &[u8] {
    let Some(line) = memchr::memrchr(b'\n', text) else {
        return text;
    };
    let earlier = text.get(..line).unwrap_or_default().trim_ascii_end();
    let start = memchr::memrchr(b'\n', earlier).map_or(0, |at| at + 1);
    text.get(start..).unwrap_or_default()
}

/// The name that is assigned: what stands before a value, without quotes, operators and brackets.
fn direct_name(before: &[u8]) -> &[u8] {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || !b.is_ascii();
    // Full-width punctuation is of three bytes: a colon, quotes, an equals sign.
    let mut text = before;
    loop {
        let end = text.iter().rposition(is_name).map_or(0, |at| at + 1);
        text = text.get(..end).unwrap_or_default();
        let wide = [
            "：", "＝", "“", "”", "‘", "「", "『", "【", "→", "是", "为", "　",
        ]
        .iter()
        .find_map(|mark| text.strip_suffix(mark.as_bytes()));
        match wide {
            Some(shorter) => text = shorter,
            None => break,
        }
    }
    // The words that only say what kind of value follows: `<key>secret</key><string>…`, `.setSecret(new String("…`.
    loop {
        let start = text
            .iter()
            .rposition(|b| !(is_name(b) || matches!(b, b'_' | b'-' | b'.' | b' ')))
            .map_or(0, |at| at + 1);
        let word = text.get(start..).unwrap_or_default();
        let opening = [
            &b"string"[..],
            b"value",
            b"new String",
            b"String",
            b"const string",
            b"str",
            b"text",
            b"b",
            b"u",
            b"r",
            b"f",
            b"td",
            b"dd",
            b"code",
            b"span",
            b"b>",
            b"CDATA",
            b"data",
            b"default",
            b"return",
        ];
        let head = text.get(..start).unwrap_or_default();
        if let Some(element) = head.strip_suffix(b"</") {
            let end = element.iter().rposition(is_name).map_or(0, |at| at + 1);
            text = element.get(..end).unwrap_or_default();
            continue;
        }
        if !opening.contains(&word.trim_ascii()) || head.is_empty() {
            return word;
        }
        let end = head.iter().rposition(is_name).map_or(0, |at| at + 1);
        text = head.get(..end).unwrap_or_default();
    }
}

/// Whether a name is that of a secret: it contains such a word, or ends in `sk`.
fn is_secret_name(name: &[u8]) -> bool {
    let plain = normalize(name);
    if SECRET_NAMES
        .iter()
        .any(|word| memmem::find(&plain, word.as_bytes()).is_some())
    {
        // `accessKeyId` names no secret.
        return !(plain.ends_with(b"id") && memmem::find(&plain, b"secret").is_none());
    }
    let of_ours = ["oss", "ali", "acs", "ram", "sls"];
    if plain.ends_with(b"key")
        && of_ours
            .iter()
            .any(|word| plain.starts_with(word.as_bytes()))
    {
        return true;
    }
    let name = name.trim_ascii();
    let Some(before) = strip_suffix_ignoring_case(name, b"sk") else {
        return false;
    };
    match (before.last(), name.last_chunk::<2>()) {
        (None, _) => true,
        (Some(last), _) if !last.is_ascii_alphabetic() => true,
        // camelCase: `ossSk`, `aliSK`.
        (Some(last), Some([s, _])) => last.is_ascii_lowercase() && s.is_ascii_uppercase(),
        (Some(_), None) => false,
    }
}

fn speaks_of_secrets(text: &[u8]) -> bool {
    let plain = normalize(text);
    SECRET_NAMES
        .iter()
        .chain(&HINTS)
        .any(|word| memmem::find(&plain, word.as_bytes()).is_some())
}

/// Lower case, without what separates words.
fn normalize(text: &[u8]) -> Vec<u8> {
    text.iter()
        .filter(|b| !matches!(b, b'_' | b'-' | b'.' | b' ' | b'\\' | b'\'' | b'"'))
        .map(u8::to_ascii_lowercase)
        .collect()
}

fn strip_suffix_ignoring_case<'t>(text: &'t [u8], suffix: &[u8]) -> Option<&'t [u8]> {
    let (head, tail) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    tail.eq_ignore_ascii_case(suffix).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_before_a_value_vouches_for_it() {
        for before in [
            "sk=",
            "SK: ",
            "OSS_SK=\"",
            "oss.sk = ",
            "ossSk: '",
            "secret-key: ",
            "access-key-2: ",
            "accessKey=",
            "accessKeySecret:\n  - ",
            "<secretAccessKey>\n",
            "密钥：",
            "阿里云密钥: ",
            "\"secret\": \"",
            "<key>accessKeySecret</key>\n<string>",
            "config.setAccessKeySecret(new String(\"",
            "--secret ",
            "const string AccessKeySecret = @\"",
            "secret = b'",
            "access_key_secret,",
            "OSS_KEY=",
        ] {
            assert!(Vouching::of(before.as_bytes(), b"").is_named, "{before}");
        }
        for before in [
            "",
            "task=",
            "risk: ",
            "accessKeyId=",
            "id: ",
            "desk-",
            "\"name\": \"",
            "x = ",
        ] {
            assert!(!Vouching::of(before.as_bytes(), b"").is_named, "{before}");
        }
        assert!(!Vouching::of(b"secret = ", b"(env)").is_named);
    }

    #[test]
    fn line_and_the_one_before_it_hint() {
        for (before, after) in [
            ("# aliyun\nx = ", ""),
            ("x = ", " # the secret\n"),
            ("secret\n\n\n", ""),
        ] {
            let found = Vouching::of(before.as_bytes(), after.as_bytes());
            assert!(found.is_hinted, "{before:?}");
        }
        for (before, after) in [("secret\n\nother\nx = ", ""), ("x", "\nsecret")] {
            assert!(
                !Vouching::of(before.as_bytes(), after.as_bytes()).is_hinted,
                "{before:?}"
            );
        }
    }
}
