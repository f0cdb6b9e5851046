//! Searches a text line by line: a file, or a history as `git log -p` prints it.

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read},
};

use akgate_rules::credentials::{self, Credential};

/// How many lines may lie between an id and a secret that is reported with it.
const MAX_LINE_DISTANCE: u64 = 20;

/// Longer lines are looked at in pieces, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Words in a line that make 30 mixed characters a secret even without an id nearby.
const SECRET_HINTS: [&str; 5] = ["secret", "aliyun", "alibaba", "access_key", "accesskey"];

/// A credential and its place.
#[derive(Debug)]
pub struct ScanFinding {
    /// The file; `-` for standard input.
    pub path: String,
    /// The line in it, or in the history.
    pub line: u64,
    /// The commit that added it.
    pub commit: Option<String>,
    /// What it is.
    pub credential: Credential,
}

/// A secret that waits for an id near it.
struct PendingSecret {
    finding: ScanFinding,
    is_sure: bool,
}

/// Finds credentials in a text. A binary file has none.
pub struct Scanner<R> {
    input: R,
    path: String,
    line: u64,
    commit: Option<String>,
    is_history: bool,
    last_id: Option<u64>,
    waiting: VecDeque<PendingSecret>,
    ready: VecDeque<ScanFinding>,
    is_over: bool,
}

impl<R: BufRead> Scanner<R> {
    /// Begins at the first line.
    pub fn new(path: &str, input: R) -> Self {
        Self {
            input,
            path: path.to_owned(),
            line: 0,
            commit: None,
            is_history: false,
            last_id: None,
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            is_over: false,
        }
    }

    /// Reads one line; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let mut bytes = Vec::new();
        self.input
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() || (self.line == 0 && bytes.contains(&0)) {
            return Ok(false);
        }
        self.line += 1;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        if let Some(commit) = parse_commit(text) {
            self.leave();
            self.is_history = true;
            self.commit = Some(commit.to_owned());
        } else if self.is_history && text.starts_with("diff --git ") {
            self.leave();
        } else if self.is_history
            && let Some(path) = text.strip_prefix("+++ ")
        {
            self.path = path.strip_prefix("b/").unwrap_or(path).to_owned();
        } else if !self.is_history || text.starts_with('+') {
            self.look(text);
        }
        self.settle();
        Ok(true)
    }

    fn look(&mut self, text: &str) {
        for credential in credentials::find_credentials(text) {
            let is_id = matches!(credential, Credential::Id(_));
            if is_id {
                self.last_id = Some(self.line);
                for waiting in &mut self.waiting {
                    waiting.is_sure |= waiting.finding.line + MAX_LINE_DISTANCE >= self.line;
                }
            }
            let is_near = self
                .last_id
                .is_some_and(|id| id + MAX_LINE_DISTANCE >= self.line);
            let is_sure = is_near || names_credential(text, &credential);
            self.waiting.push_back(PendingSecret {
                finding: ScanFinding {
                    path: self.path.clone(),
                    line: self.line,
                    commit: self.commit.clone(),
                    credential,
                },
                is_sure,
            });
        }
    }

    /// Decides about pending secrets that no later line can be near.
    fn settle(&mut self) {
        while let Some(first) = self.waiting.front() {
            if !first.is_sure
                && first.finding.line + MAX_LINE_DISTANCE >= self.line
                && !self.is_over
            {
                return;
            }
            if let Some(first) = self.waiting.pop_front()
                && first.is_sure
            {
                self.ready.push_back(first.finding);
            }
        }
    }

    /// A file ends: nothing of the next one is near.
    fn leave(&mut self) {
        self.last_id = None;
        let waiting = std::mem::take(&mut self.waiting);
        let sure = waiting.into_iter().filter(|one| one.is_sure);
        self.ready.extend(sure.map(|one| one.finding));
    }
}

/// Whether a line says what a credential in it is.
fn names_credential(text: &str, credential: &Credential) -> bool {
    let around = match credential {
        Credential::Id(_) => return true,
        Credential::Secret(secret) => text.replace(secret.expose(), ""),
    };
    let around = around.to_ascii_lowercase();
    SECRET_HINTS.iter().any(|hint| around.contains(hint))
}

/// The commit of a line that begins one: `commit 8d969eef…`, whatever decorations follow.
fn parse_commit(text: &str) -> Option<&str> {
    let id = text.strip_prefix("commit ")?.split(' ').next()?;
    let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then_some(id)
}

impl<R: BufRead> Iterator for Scanner<R> {
    type Item = io::Result<ScanFinding>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(finding) = self.ready.pop_front() {
                return Some(Ok(finding));
            }
            if self.is_over {
                return None;
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => {
                    self.is_over = true;
                    self.settle();
                }
                Err(fault) => {
                    self.is_over = true;
                    return Some(Err(fault));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "LTAI5tFakeKeyForTestsOnly01";
    const SECRET: &str = "FakeSecretForTestsOnly0123abcD";

    fn found(text: &str) -> Vec<String> {
        let show = |finding: io::Result<ScanFinding>| {
            let finding = finding.unwrap();
            let what = match finding.credential {
                Credential::Id(_) => "id",
                Credential::Secret(_) => "secret",
            };
            let commit = finding.commit.unwrap_or_default();
            let commit = commit.get(..4).unwrap_or_default().to_owned();
            format!("{}:{} {what} {commit}", finding.path, finding.line)
        };
        Scanner::new("f", text.as_bytes()).map(show).collect()
    }

    #[test]
    fn secret_is_found_near_an_id_or_on_a_line_that_names_it() {
        let far = "\n".repeat(30);
        assert_eq!(
            found(&format!("{ID}\n\n{SECRET}\n")),
            ["f:1 id ", "f:3 secret "]
        );
        assert_eq!(
            found(&format!("{SECRET}\n\n{ID}\n")),
            ["f:1 secret ", "f:3 id "]
        );
        assert_eq!(found(&format!("{ID}{far}{SECRET}")), ["f:1 id "]);
        assert_eq!(found(&format!("{SECRET}{far}{ID}")), ["f:31 id "]);
        assert_eq!(found(SECRET), Vec::<String>::new());
        assert_eq!(found(&format!("secret={SECRET}")), ["f:1 secret "]);
        assert_eq!(found(&format!("\u{1f511} {ID}\r\n")), ["f:1 id "]);
        assert!(found(&format!("\0{ID}\n")).is_empty(), "binary");
        assert!(found("").is_empty());
    }

    #[test]
    fn git_history_gives_commit_and_file_of_added_lines() {
        let commit = |digit: &str| format!("commit {}", digit.repeat(40));
        let history = format!(
            "{} (HEAD -> main)\nAuthor: A <a@example.com>\n\n    message\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-{ID}\n+id = {ID}\n context {ID}\n{}\n\ndiff --git a/app/y b/app/y\n--- /dev/null\n+++ b/app/y\n@@ -0,0 +1 @@\n+{SECRET}\n+secret: {SECRET}\n",
            commit("a"),
            commit("b"),
        );
        assert_eq!(found(&history), ["x:11 id aaaa", "app/y:20 secret bbbb"]);
    }

    #[test]
    fn endless_line_is_scanned_in_pieces() {
        let text = format!("{}{ID}\n", "x ".repeat(1 << 20));
        assert_eq!(found(&text).len(), 1);
    }
}
