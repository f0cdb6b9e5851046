//! Every sample file is read.

use std::{collections::HashMap, fs, io, path::PathBuf};

use super::*;

#[derive(Default)]
struct Found {
    findings: Vec<ScanFinding>,
    skipped: Vec<(String, Skipped)>,
}

impl InputSink for Found {
    fn found(&mut self, finding: ScanFinding) -> io::Result<()> {
        self.findings.push(finding);
        Ok(())
    }

    fn skipped(&mut self, path: &str, why: Skipped) -> io::Result<()> {
        self.skipped.push((path.to_owned(), why));
        Ok(())
    }
}

impl Found {
    fn texts(&self) -> Vec<&str> {
        let text = |one: &ScanFinding| match &one.credential {
            Credential::Id(id) => id.as_str().to_owned(),
            Credential::Secret(secret) => secret.expose().to_owned(),
        };
        self.findings.iter().map(|one| &*text(one).leak()).collect()
    }
}

fn scan(name: &str, bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let input = InputBytes::Stream(Box::new(bytes));
    scan_input(name, input, SecretLengths::default(), false, &mut found).unwrap();
    found
}

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples")
}

/// Id and secret of each pair, by its name.
fn pairs() -> HashMap<String, (String, String)> {
    let text = fs::read_to_string(samples().join("pairs.tsv")).unwrap();
    let pair = |line: &str| {
        let [name, id, secret] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        (name.to_owned(), (id.to_owned(), secret.to_owned()))
    };
    text.lines().map(pair).collect()
}

#[test]
fn pair_is_found_in_every_sample() {
    let pairs = pairs();
    let expected = fs::read_to_string(samples().join("expected.tsv")).unwrap();
    let mut missed = Vec::new();
    let mut count = 0;
    for line in expected.lines().filter(|line| line.starts_with("scan/")) {
        let mut columns = line.split('\t');
        let (file, what) = (columns.next().unwrap(), columns.next().unwrap());
        let (name, what) = what.split_once(':').unwrap();
        let (id, secret) = &pairs[name];
        let found = scan(file, &fs::read(samples().join(file)).unwrap());
        let texts = found.texts();
        let has_id = what == "secret" || texts.contains(&id.as_str());
        if !has_id || !texts.contains(&secret.as_str()) || texts.len() > 2 {
            missed.push(format!("{file}: {texts:?}"));
        }
        count += 1;
    }
    assert!(count >= 25, "{count}");
    assert!(missed.is_empty(), "{missed:#?}");
}

const ID: &str = "LTAI5tQk7Zx2Lw9Rb4Nc6Vf8";
const SECRET: &str = "h3Jq8Wm2Zr7Xt5Yb1Nc9Vf4Kd6Ls0P";
/// 1 of 196 secrets has no digit.
const LETTERS: &str = "hgJqvWmyZrsXtaYbpNcuVfoKdeLsiP";

fn both(name: &str, bytes: &[u8]) {
    let found = scan(name, bytes);
    assert_eq!(found.texts(), [ID, SECRET], "{name}");
    assert!(found.skipped.is_empty(), "{name}: {:?}", found.skipped);
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

#[test]
fn values_in_base64_are_found_by_their_names() {
    let text = format!(
        "data:\n  id: {}\n  accessKeySecret: {}\n",
        base64(ID),
        base64(SECRET)
    );
    both("kubernetes", text.as_bytes());
    let text = format!(
        "{{\"auths\":{{\"r.example\":{{\"auth\":\"{}\"}}}}}}",
        base64(format!("{ID}:{SECRET}"))
    );
    both("docker", text.as_bytes());
    // A secret alone needs its name.
    let found = scan(
        "alone",
        format!("accessKeySecret: {}\n", base64(LETTERS)).as_bytes(),
    );
    assert_eq!(found.texts(), [LETTERS]);
    assert!(
        scan("unnamed", base64(SECRET).as_bytes())
            .texts()
            .is_empty()
    );
}

#[test]
fn secret_without_a_digit_needs_a_name_or_an_id_near_it() {
    for text in [
        format!("aliyun_secret = \"{LETTERS}\""),
        format!("sk: {LETTERS}"),
        format!("密钥：{LETTERS}"),
    ] {
        assert_eq!(scan("named", text.as_bytes()).texts(), [LETTERS], "{text}");
    }
    assert_eq!(
        scan("near", format!("{ID}\n{LETTERS}\n").as_bytes()).texts(),
        [ID, LETTERS]
    );
    let words = "getAliyunAccessKeySecretFromEn";
    assert_eq!(words.len(), 30);
    assert_eq!(
        scan("words", format!("{ID}\nlet x = {words};\n").as_bytes()).texts(),
        [ID]
    );
    assert!(
        scan("call", format!("secret = {words}(env)\n").as_bytes())
            .texts()
            .is_empty()
    );
}

#[test]
fn id_and_secret_far_apart_are_found() {
    let text = format!(
        "x = '{ID}'\n{}y = '{SECRET}'\n",
        "nothing\n".repeat(200_000)
    );
    both("far", text.as_bytes());
    let text = format!(
        "y = '{SECRET}'\n{}x = '{ID}'\n",
        "nothing\n".repeat(200_000)
    );
    assert_eq!(scan("far", text.as_bytes()).texts(), [SECRET, ID]);
    assert!(
        scan("alone", format!("y = '{SECRET}'\n").as_bytes())
            .texts()
            .is_empty()
    );
}

#[test]
fn strings_of_binary_files_are_found() {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    for (name, bytes) in [
        (
            "null-terminated",
            [
                b"\x01\x02\0",
                ID.as_bytes(),
                b"\0secret\0",
                SECRET.as_bytes(),
                b"\0\xff",
            ]
            .concat(),
        ),
        (
            "length-prefixed",
            [
                b"\xa7z\x18",
                ID.as_bytes(),
                b"z\x1e",
                SECRET.as_bytes(),
                b"z\x02\0",
            ]
            .concat(),
        ),
        (
            "touching",
            [b"\0\x03id", ID.as_bytes(), SECRET.as_bytes(), b"\0"].concat(),
        ),
        (
            "wide",
            [
                b"\x7fELF\x02\xfe\xff\x90".to_vec(),
                wide(ID),
                b"\x05\x06".to_vec(),
                wide("secret="),
                wide(SECRET),
                b"\x01\x90".to_vec(),
            ]
            .concat(),
        ),
    ] {
        both(name, &bytes);
    }
}

#[test]
fn line_is_the_one_of_the_original() {
    let inner = format!("\n\n\nid={ID}\n\nsecret={SECRET}\n");
    let text = format!("a\nb\n  x: {}\n", base64(inner));
    let lines: Vec<u64> = scan("base64", text.as_bytes())
        .findings
        .iter()
        .map(|one| one.line)
        .collect();
    assert_eq!(lines, [3, 3]);
    let text = format!(
        "a\n{{\"x\":\"\\n\\n{ID}\\n\"}}\r\n\r\nsecret=3D{}=\r\n{}\r\n",
        SECRET.get(..10).unwrap(),
        SECRET.get(10..).unwrap()
    );
    let lines: Vec<u64> = scan("escapes", text.as_bytes())
        .findings
        .iter()
        .map(|one| one.line)
        .collect();
    assert_eq!(lines, [2, 4]);
}

#[test]
fn archive_that_cannot_be_unpacked_is_told() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let text = format!("id={ID}\nsecret={SECRET}\n");
    let mut packed = text.clone().into_bytes();
    for depth in 1..=4 {
        packed = gzip(&packed);
        both(&format!("{depth} deep"), &packed);
    }
    assert_eq!(scan("5 deep", &gzip(&packed)).skipped.len(), 1);
    let mut broken = gzip(&[text.as_bytes(), &[7; 5000]].concat());
    broken.truncate(broken.len() - 12);
    let found = scan("broken", &broken);
    assert!(
        matches!(found.skipped.as_slice(), [(_, Skipped::Damaged(_))]),
        "{:?}",
        found.skipped
    );
    for (name, head) in [
        ("xz", &b"\xfd7zXZ\0"[..]),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("7z", b"7z\xbc\xaf\x27\x1c"),
        ("damaged zip", b"PK\x03\x04.."),
    ] {
        assert_eq!(scan(name, head).skipped.len(), 1, "{name}");
    }
}

#[test]
fn decoders_end_whatever_they_read() {
    // Every layer has something to decode.
    let hostile = [
        "%5c%5cu0025%2541&amp;#x3D;=3D=\n\x1b[31m",
        "\\\\\\\\",
        "&amp;&amp;amp;%2525",
        "[0m[1mTFRBSTV0Rm",
    ];
    for text in hostile {
        let text = text.repeat(20_000 / text.len());
        let began = std::time::Instant::now();
        drop(text::find_credentials(
            &text,
            text::Vouch::Source,
            SecretLengths::default(),
        ));
        scan("hostile", text.as_bytes());
        assert!(began.elapsed().as_secs() < 20, "{text:.40}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_searched(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
        scan("any", &bytes);
    }

    #[test]
    fn pair_is_found_inside_of_any_text(
        before in "[ !#$'(),.:;<>?@{|}~\\t\\n]{0,20}",
        between in "[ :,;'\"\\t]{1,20}",
        after in "[ !#$'(),.:;<>?@{|}~\\t\\n]{0,20}",
    ) {
        let text = format!("{before}{ID}{between}{SECRET}{after}");
        let found = scan("any", text.as_bytes());
        proptest::prop_assert_eq!(found.texts(), vec![ID, SECRET]);
    }
}
