//! How a pair stands in files that people write: `ID` and `SECRET` are replaced.

/// Name and text of each carrier.
pub const CARRIERS: [(&str, &str); 44] = [
    (
        "dotenv",
        "ALIBABA_CLOUD_ACCESS_KEY_ID=ID\nALIBABA_CLOUD_ACCESS_KEY_SECRET=SECRET\n",
    ),
    ("dotenv_short", "AK=ID\nSK=SECRET\n"),
    (
        "shell",
        "export ALIYUN_AK=\"ID\"\nexport ALIYUN_SK=\"SECRET\"\n",
    ),
    (
        "ini",
        "[default]\naccess_key_id = ID\naccess_key_secret = SECRET\nregion = cn-hangzhou\n",
    ),
    (
        "properties",
        "aliyun.oss.accessKeyId=ID\naliyun.oss.accessKeySecret=SECRET\n",
    ),
    ("yaml", "aliyun:\n  access-key: ID\n  secret-key: SECRET\n"),
    (
        "yaml_list",
        "accessKeyId:\n  - ID\naccessKeySecret:\n  - SECRET\n",
    ),
    (
        "json",
        "{\n  \"accessKeyId\": \"ID\",\n  \"accessKeySecret\": \"SECRET\"\n}\n",
    ),
    (
        "json_line",
        "{\"user\":\"ci\",\"ak\":\"ID\",\"sk\":\"SECRET\",\"region\":\"cn-beijing\"}\n",
    ),
    ("toml", "[oss]\nid = 'ID'\nsecret = 'SECRET'\n"),
    (
        "xml",
        "<config>\n  <accessKeyId>ID</accessKeyId>\n  <accessKeySecret>SECRET</accessKeySecret>\n</config>\n",
    ),
    (
        "xml_attributes",
        "<add key=\"AccessKeyId\" value=\"ID\" />\n<add key=\"AccessKeySecret\" value=\"SECRET\" />\n",
    ),
    (
        "plist",
        "<key>AccessKeyID</key>\n<string>ID</string>\n<key>AccessKeySecret</key>\n<string>SECRET</string>\n",
    ),
    (
        "java",
        "    private static final String ACCESS_KEY_ID = \"ID\";\n    private static final String ACCESS_KEY_SECRET = \"SECRET\";\n",
    ),
    (
        "java_call",
        "new DefaultCredentialProvider(\"ID\", \"SECRET\");\n",
    ),
    (
        "go",
        "client, err := oss.New(endpoint, \"ID\", \"SECRET\")\n",
    ),
    ("python", "auth = oss2.Auth('ID', 'SECRET')\n"),
    (
        "python_keywords",
        "Config(access_key_id='ID', access_key_secret='SECRET')\n",
    ),
    (
        "javascript",
        "new OSS({ accessKeyId: 'ID', accessKeySecret: 'SECRET' })\n",
    ),
    (
        "php",
        "$config = ['accessKeyId' => 'ID', 'accessKeySecret' => 'SECRET'];\n",
    ),
    (
        "ruby",
        "Aliyun::OSS::Client.new(:access_key_id => 'ID', :access_key_secret => 'SECRET')\n",
    ),
    (
        "csharp",
        "const string AccessKeyId = @\"ID\"; const string AccessKeySecret = @\"SECRET\";\n",
    ),
    (
        "c",
        "#define ACCESS_ID \"ID\"\n#define ACCESS_KEY_SECRET \"SECRET\"\n",
    ),
    (
        "rust",
        "const ID: &str = \"ID\";\nconst SECRET_KEY: &str = \"SECRET\";\n",
    ),
    (
        "terraform",
        "provider \"alicloud\" {\n  access_key = \"ID\"\n  secret_key = \"SECRET\"\n}\n",
    ),
    (
        "dockerfile",
        "ENV ACCESS_KEY_ID ID\nENV ACCESS_KEY_SECRET SECRET\n",
    ),
    (
        "compose",
        "    environment:\n      - OSS_AK=ID\n      - OSS_SK=SECRET\n",
    ),
    ("kubernetes", "stringData:\n  id: ID\n  secret: SECRET\n"),
    (
        "command",
        "aliyun configure set --access-key-id ID --access-key-secret SECRET --region cn-hangzhou\n",
    ),
    (
        "command_short",
        "ossutil config -e oss-cn-hangzhou.aliyuncs.com -i ID -k SECRET\n",
    ),
    ("url_user", "curl https://ID:SECRET@registry.example/v2/\n"),
    (
        "url_query",
        "GET /login?ak=ID&sk=SECRET&next=home HTTP/1.1\n",
    ),
    ("csv", "AccessKey ID,AccessKey Secret\nID,SECRET\n"),
    ("tsv", "user\tid\tsecret\nalice\tID\tSECRET\n"),
    (
        "markdown",
        "| key | secret |\n| --- | --- |\n| `ID` | `SECRET` |\n",
    ),
    (
        "sql",
        "INSERT INTO keys VALUES (7, 'ID', 'SECRET', NOW());\n",
    ),
    (
        "log",
        "2026-11-30 10:00:00 INFO [main] login with id=ID, secret=SECRET, ok\n",
    ),
    ("form", "AccessKeyId=ID&AccessKeySecret=SECRET\n"),
    ("note", "阿里云账号\nAccessKey：ID\n密钥：SECRET\n"),
    ("note_sentence", "测试环境的密钥是ID和SECRET，请勿外传。\n"),
    ("colon", "ID:SECRET\n"),
    (
        "html",
        "<input name=\"ak\" value=\"ID\"><input name=\"sk\" value=\"SECRET\">\n",
    ),
    ("diff", "--- a/.env\n+++ b/.env\n+AK=ID\n+SK=SECRET\n"),
    (
        "process_list",
        "root 7 0.1 java -DaccessKey=ID -DsecretKey=SECRET -jar app.jar\n",
    ),
];

/// The text of a carrier with a pair in it.
pub fn fill(carrier: &str, id: &str, secret: &str) -> String {
    let marked = |text: &str, mark: &str, with: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(mark) {
            let before = rest[..at].chars().next_back();
            let after = rest[at + mark.len()..].chars().next();
            let is_word =
                |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
            // `const ID: …` and `AccessKey ID,` are names.
            let is_name = matches!(after, Some(':')) && rest[at..].starts_with("ID: &")
                || rest[..at].ends_with("AccessKey ");
            out.push_str(&rest[..at]);
            let is_mark = !is_word(before) && !is_word(after) && !is_name;
            out.push_str(if is_mark { with } else { mark });
            rest = &rest[at + mark.len()..];
        }
        out + rest
    };
    // Names contain the marks: whole words alone are replaced.
    marked(&marked(carrier, "SECRET", secret), "ID", id)
}
