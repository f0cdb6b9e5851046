use proptest::prelude::*;

use super::{entry::MAX_ENTRY_BYTES, *};
use akgate_state::leaks::record::LeakReport;

const ID: &str = "LTAI5tFakeKeyForTestsOnly01";
const SECRET: &str = "FakeSecretForTestsOnly0123abcD";

/// Each piece as a person would note it.
fn read(format: ReportFormat, text: &str) -> Vec<String> {
    let show = |piece| match piece {
        ReportEntry::Reports(reports) => reports
            .iter()
            .map(|one: &LeakReport| {
                let place = &one.place;
                let parts = [
                    one.access_key_id.as_ref().map(|id| id.as_str().to_owned()),
                    one.secret.as_ref().map(|one| one.expose().to_owned()),
                    place.url.clone(),
                    place.commit.clone(),
                    place.path.clone(),
                    one.first_seen.map(|at| at.date().to_string()),
                ];
                parts
                    .map(|part| part.unwrap_or_else(|| "-".into()))
                    .join(" ")
            })
            .collect::<Vec<_>>()
            .join(" | "),
        ReportEntry::Rejected { bad, .. } => bad.to_string(),
    };
    format
        .entries(text.as_bytes(), SecretLengths::default())
        .map(show)
        .collect()
}

fn detected(text: &str) -> Option<ReportFormat> {
    let mut opened = OpenedReport::new(text.as_bytes()).unwrap();
    let mut again = String::new();
    opened.input.read_to_string(&mut again).unwrap();
    assert_eq!(again, text);
    match opened.detected {
        Detected::Format(format) => Some(format),
        Detected::WithoutSecrets(_) | Detected::Unknown => None,
    }
}

#[test]
fn gitleaks_report_is_read() {
    let text = format!(
        r#"[
 {{"RuleID":"alibaba-access-key-id","Description":"x","StartLine":2,"Match":"id={ID}","Secret":"{ID}",
   "File":"app/.env","SymlinkFile":"","Commit":"c0ffee","Entropy":4.1,"Author":"a","Email":"a@example.com",
   "Date":"2024-04-18T09:00:00Z","Message":"\"[{{ not yet","Tags":[],"Fingerprint":"c0ffee:app/.env:x:2"}},
 {{"RuleID":"alibaba-secret-key","Secret":"{SECRET}","File":"app/.env","Commit":"c0ffee","Link":"https://h.example/x"}},
 {{"RuleID":"aws-access-token","Secret":"AKIAFAKEFAKEFAKEFAKE"}},
 {{"RuleID":"alibaba-secret-key"}},
 7
]
"#
    );
    assert_eq!(detected(&text), Some(ReportFormat::Gitleaks));
    assert_eq!(
        read(ReportFormat::Gitleaks, &text),
        [
            format!("{ID} - - c0ffee app/.env 2024-04-18"),
            format!("- {SECRET} https://h.example/x c0ffee app/.env -"),
            String::new(),
            "line 7: missing field `Secret`".to_owned(),
            "line 8: a field has the wrong type".to_owned(),
        ]
    );
    for nothing in ["[]", " [ ] \n", "null"] {
        assert_eq!(detected(nothing), Some(ReportFormat::Gitleaks));
        assert!(
            read(ReportFormat::Gitleaks, nothing).is_empty(),
            "{nothing}"
        );
    }
}

#[test]
fn truncated_file_yields_what_came_before() {
    let text = format!(r#"[{{"RuleID":"alibaba","Secret":"{ID}"}},{{"Secret":"x"#);
    let read = read(ReportFormat::Gitleaks, &text);
    assert_eq!(
        read,
        [
            format!("{ID} - - - - -"),
            "line 1: the file is incomplete".to_owned()
        ]
    );
    assert_eq!(
        self::read(ReportFormat::Gitleaks, ""),
        ["line 1: the file is incomplete"]
    );
    assert_eq!(
        self::read(ReportFormat::Gitleaks, "]"),
        ["line 1: not JSON"]
    );
}

#[test]
fn sarif_log_is_read() {
    let text = format!(
        r#"{{"$schema":"x","version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"gitleaks","rules":[{{"id":"results"}}]}}}},
"results":[
 {{"message":{{"text":"alibaba-secret-key has detected secret"}},"ruleId":"alibaba-secret-key","locations":[{{"physicalLocation":{{
   "artifactLocation":{{"uri":"app/.env"}},"region":{{"startLine":1,"snippet":{{"text":"{SECRET}"}}}}}}}}],
   "partialFingerprints":{{"commitSha":"c0ffee"}}}},
 {{"message":{{"text":"found {ID}"}},"locations":[{{"physicalLocation":{{"artifactLocation":{{"uri":"https://h.example/x"}}}}}}]}},
 {{"message":{{"text":"{ID}"}}}},
 {{"locations":7}}
]}},{{"results":[{{"message":{{"text":"{ID} {SECRET}"}}}}]}}]}}"#
    );
    assert_eq!(detected(&text), Some(ReportFormat::Sarif));
    assert_eq!(
        read(ReportFormat::Sarif, &text),
        [
            format!("- {SECRET} - c0ffee app/.env -"),
            format!("{ID} - https://h.example/x - - -"),
            format!("{ID} - - - - -"),
            "line 8: a field has the wrong type".to_owned(),
            format!("{ID} {SECRET} - - - -"),
        ]
    );
}

#[test]
fn trufflehog_lines_are_read() {
    let metadata = r#""SourceMetadata":{"Data":{"Git":{"commit":"c0ffee","file":".env","repository":"https://h.example/r","timestamp":"2024-04-18 09:00:00 +0000","line":3}}}"#;
    let text = format!(
        "{{{metadata},\"DetectorName\":\"Alibaba\",\"Verified\":false,\"Raw\":\"{ID}\",\"RawV2\":\"{ID}{SECRET}\",\"Redacted\":\"{ID}\"}}\n\
         \n\
         {{{metadata},\"DetectorName\":\"Alibaba\",\"Raw\":\"{ID}\",\"RawV2\":\"{SECRET}\"}}\n\
         {{\"DetectorName\":\"Alibaba\",\"Raw\":\"{ID}\"}}\n\
         {{\"DetectorName\":\"AWS\",\"Raw\":\"AKIAFAKEFAKEFAKEFAKE\"}}\n\
         {{\"DetectorName\":\n"
    );
    assert_eq!(detected(&text), Some(ReportFormat::Trufflehog));
    assert_eq!(
        read(ReportFormat::Trufflehog, &text),
        [
            format!("{ID} {SECRET} https://h.example/r c0ffee .env 2024-04-18"),
            format!("{ID} {SECRET} https://h.example/r c0ffee .env 2024-04-18"),
            format!("{ID} - - - - -"),
            String::new(),
            "line 6: the file is incomplete".to_owned(),
        ]
    );
}

#[test]
fn csv_and_ndjson_are_read() {
    let csv = format!(
        "access_key_id,access_key_secret,url,first_seen\n{ID},{SECRET},https://h.example,2024-04-18T09:00:00Z\n,,x,\n\"a b\",,,\n{ID},\n,{SECRET},,\n"
    );
    let expected = [
        format!("{ID} {SECRET} https://h.example - - 2024-04-18"),
        "line 3: access_key_id or access_key_secret is required".to_owned(),
        "line 4: access_key_id: an AccessKeyId must be 1 to 128 characters of A-Z a-z 0-9 . _ -"
            .to_owned(),
        "line 5: has 2 fields, the header has 4".to_owned(),
        format!("- {SECRET} - - - -"),
    ];
    assert_eq!(detected(&csv), Some(ReportFormat::Csv));
    assert_eq!(read(ReportFormat::Csv, &csv), expected);
    let ndjson = format!(
        "{{\"access_key_id\":\"{ID}\",\"path\":\"a\"}}\n{{\"access_key_id\":\"{ID}\",\"first_seen\":\"yesterday\"}}\n{{\"secret\":\"x\"}}\n"
    );
    assert_eq!(detected(&ndjson), Some(ReportFormat::Ndjson));
    let read = read(ReportFormat::Ndjson, &ndjson);
    assert_eq!(read[0], format!("{ID} - - - a -"));
    assert_eq!(
        read[1],
        "line 2: first_seen must be a date or time, such as 2026-10-01T10:00:00Z"
    );
    assert_eq!(read[2], "", "what a scanner calls a secret is none of ours");
}

#[test]
fn error_contains_nothing_of_the_file() {
    for (format, text) in [
        (ReportFormat::Gitleaks, format!("[\"{SECRET}\"]")),
        (
            ReportFormat::Gitleaks,
            format!("[{{\"Secret\":{{\"x\":\"{SECRET}\"}}}}]"),
        ),
        (
            ReportFormat::Sarif,
            format!("{{\"runs\":[{{\"results\":[\"{SECRET}\"]}}]}}"),
        ),
        (
            ReportFormat::Trufflehog,
            format!("{{\"SourceMetadata\":\"{SECRET}\"}}\n"),
        ),
        (ReportFormat::Ndjson, format!("\"{SECRET}\"\n")),
        (
            ReportFormat::Csv,
            format!("access_key_id\n\"{SECRET}\",x\n"),
        ),
    ] {
        let [said] = read(format, &text).try_into().unwrap();
        assert!(
            said.starts_with("line ") && !said.contains("Fake"),
            "{said}"
        );
    }
}

#[test]
fn format_is_detected() {
    for text in ["", "hello\n", "a,b\n", "{\"x\":1}\n", "<xml>"] {
        assert_eq!(detected(text), None, "{text}");
    }
    assert_eq!(
        detected("\u{feff}access_key_secret\n"),
        Some(ReportFormat::Csv)
    );
}

#[test]
fn line_that_is_too_long_is_skipped_alone() {
    let long = "x".repeat(MAX_ENTRY_BYTES + 10);
    let good = format!("{{\"DetectorName\":\"Alibaba\",\"Raw\":\"{ID}\"}}");
    let text = format!("{good}\n{{\"Raw\":\"{long}\"}}\n{good}\n");
    let expected = format!("{ID} - - - - -");
    assert_eq!(
        read(ReportFormat::Trufflehog, &text),
        [
            expected.clone(),
            "line 2: longer than 4 MiB".to_owned(),
            expected.clone()
        ]
    );
    let good = format!(r#"{{"RuleID":"alibaba","Secret":"{ID}"}}"#);
    let text = format!("[{good},{{\"Secret\":\"{long}\"}},{good}]");
    assert_eq!(
        read(ReportFormat::Gitleaks, &text),
        [
            expected.clone(),
            "line 1: longer than 4 MiB".to_owned(),
            expected
        ]
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in ReportFormat::ALL {
            prop_assert!(format.entries(bytes.as_slice(), SecretLengths::default()).count() <= bytes.len() + 1);
        }
    }

    /// Whatever stands between and around, as many elements are read as there are.
    #[test]
    fn elements_are_those_that_serde_json_finds(values in prop::collection::vec("\\PC{0,20}", 0..10), pretty: bool) {
        let findings: Vec<_> = values
            .iter()
            .map(|text| serde_json::json!({ "Secret": ID, "File": text, "More": [text, { "x": text }] }))
            .collect();
        let text = match pretty {
            true => serde_json::to_string_pretty(&findings),
            false => serde_json::to_string(&findings),
        };
        let files: Vec<Option<String>> = ReportFormat::Gitleaks
            .entries(text.unwrap().as_bytes(), SecretLengths::default())
            .map(|piece| match piece {
                ReportEntry::Reports(reports) => reports[0].place.path.clone(),
                ReportEntry::Rejected { bad, .. } => panic!("{bad}"),
            })
            .collect();
        let expected: Vec<Option<String>> =
            values.iter().map(|text| akgate_rules::leak::LeakPlace::new(None, None, Some(text)).path).collect();
        prop_assert_eq!(files, expected);
    }
}

fn samples() -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples")
}

#[test]
fn every_sample_is_read() {
    let text = std::fs::read_to_string(samples().join("pairs.tsv")).unwrap();
    let pairs: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let expected = std::fs::read_to_string(samples().join("expected.tsv")).unwrap();
    let mut missed = Vec::new();
    let mut count = 0;
    for line in expected.lines().filter(|line| line.starts_with("reports/")) {
        let columns: Vec<&str> = line.split('\t').collect();
        let Some((name, what)) = columns[1].split_once(':') else {
            continue;
        };
        let pair = pairs.iter().find(|pair| pair[0] == name).unwrap();
        let file = std::fs::read(samples().join(columns[0])).unwrap();
        let opened = OpenedReport::new(file.as_slice()).unwrap();
        let Detected::Format(format) = opened.detected else {
            missed.push(format!("{}: {:?}", columns[0], opened.detected));
            continue;
        };
        let (mut ids, mut secrets) = (Vec::new(), Vec::new());
        for entry in format.entries(opened.input, SecretLengths::default()) {
            match entry {
                ReportEntry::Reports(reports) => {
                    for report in reports {
                        ids.extend(report.access_key_id.map(|id| id.as_str().to_owned()));
                        secrets.extend(report.secret.map(|secret| secret.expose().to_owned()));
                    }
                }
                ReportEntry::Rejected { bad, .. } => missed.push(format!("{}: {bad}", columns[0])),
            }
        }
        ids.dedup();
        secrets.dedup();
        let has_id = what == "secret" || ids.iter().any(|id| id == pair[1]);
        if !has_id || secrets != [pair[2]] {
            missed.push(format!("{}: {format} {ids:?} {secrets:?}", columns[0]));
        }
        count += 1;
    }
    assert!(count >= 40, "{count}");
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn table_is_read_as_people_make_it() {
    let both = format!("{ID} {SECRET} - - a,b 2026-10-01");
    for text in [
        format!("AccessKey ID,AccessKey Secret,File,Date\r\n{ID},{SECRET},\"a,b\",2026-10-01\r\n"),
        format!(
            "sep=;\r\n\"Access_Key_Id\";\"a\nnote\";\"SECRET ACCESS KEY\";path;\"first seen\"\r\n{ID};x;{SECRET};a,b;2026/10/1\r\n"
        ),
        format!("\u{feff}ak\tsk\tpath\ttime\r{ID}\t{SECRET}\ta,b\t2026-10-01 00:00"),
        format!("ID,access_key_id,密钥,文件,日期\n7,{ID},{SECRET},\"a,b\",2026年10月1日\n"),
    ] {
        assert_eq!(detected(&text), Some(ReportFormat::Csv), "{text}");
        assert_eq!(
            read(ReportFormat::Csv, &text),
            std::slice::from_ref(&both),
            "{text}"
        );
    }
    let gbk = encoding(&format!(
        "access_key_id,密钥,路径\n{ID},{SECRET},密钥.env\n"
    ));
    let opened = OpenedReport::new(gbk.as_slice()).unwrap();
    assert_eq!(opened.detected, Detected::Format(ReportFormat::Csv));
    let entries: Vec<_> = ReportFormat::Csv
        .entries(opened.input, SecretLengths::default())
        .collect();
    let [ReportEntry::Reports(reports)] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(reports[0].place.path.as_deref(), Some("密钥.env"));
}

/// A text in GBK.
fn encoding(text: &str) -> Vec<u8> {
    let codes = [
        ('密', [0xc3, 0xdc]),
        ('钥', [0xd4, 0xbf]),
        ('路', [0xc2, 0xb7]),
        ('径', [0xbe, 0xb6]),
    ];
    let code = |c: char| {
        codes
            .iter()
            .find(|(own, _)| *own == c)
            .map_or(vec![c as u8], |(_, code)| code.to_vec())
    };
    text.chars().flat_map(code).collect()
}

#[test]
fn bad_lines_of_a_table_are_named_by_their_numbers() {
    for end in ["\n", "\r\n", "\r"] {
        let text = format!(
            "access_key_id,first_seen{end}{ID},bad{end}{end}{ID},2026-10-01{end}\"{ID}\",\"b{end}c\"{end}{ID},bad"
        );
        let numbers: Vec<String> = read(ReportFormat::Csv, &text)
            .iter()
            .filter_map(|said| Some(said.split_once(": ")?.0.to_owned()))
            .collect();
        assert_eq!(numbers, ["line 2", "line 5", "line 7"], "{end:?}");
    }
}
