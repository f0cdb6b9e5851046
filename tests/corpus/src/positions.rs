//! Where in a file a carrier stands, among other text.

/// A position: its name, and what puts other text around a carrier.
pub type Position = (&'static str, fn(&str) -> String);

/// All of them.
pub const POSITIONS: [Position; 13] = [
    ("alone", |text| text.to_owned()),
    ("no_line_end", |text| text.trim_end().to_owned()),
    ("first", |text| format!("{text}{}", prose(40))),
    ("last", |text| format!("{}{text}", prose(40))),
    ("middle", |text| format!("{}{text}{}", prose(30), prose(30))),
    ("in_code", |text| format!("{}{text}{}", code(60), code(60))),
    ("blank_lines", |text| format!("\n\n\n{text}\n\n\n")),
    ("long_line_before", |text| {
        format!("{}\n{text}", "x = y; ".repeat(700))
    }),
    ("long_line_after", |text| {
        format!("{text}{}\n", "x = y; ".repeat(700))
    }),
    ("far_in", |text| format!("{}{text}", prose(600))),
    ("after_hashes", |text| format!("{}{text}", hashes(40))),
    ("between_others", |text| {
        format!(
            "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n{text}TOKEN=ghp_0000000000000000000000000000\n"
        )
    }),
    ("after_chinese", |text| {
        format!("{}{text}", "这是一个测试文件，没有别的内容。\n".repeat(20))
    }),
];

fn prose(lines: usize) -> String {
    "The quick brown fox jumps over the lazy dog, and nothing else happens on this line.\n"
        .repeat(lines)
}

fn code(lines: usize) -> String {
    (0..lines)
        .map(|line| {
            format!("    let configurationManager{line} = buildConfiguration(&options, {line})?;\n")
        })
        .collect()
}

fn hashes(lines: usize) -> String {
    (0..lines)
        .map(|line| {
            format!(
                "{:040x}  src/main/java/com/example/File{line}.java\n",
                0x1234_5678_9abc_u64 * (line + 1) as u64
            )
        })
        .collect()
}
