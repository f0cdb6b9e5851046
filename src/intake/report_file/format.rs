//! The formats of report files.

akgate_rules::text_enum! {
    /// The format of a file.
    pub enum ReportFormat {
        /// gitleaks 7 and 8 and betterleaks
        Gitleaks = "gitleaks",
        /// SARIF 2.1.0, of any scanner
        Sarif = "sarif",
        /// TruffleHog 3
        Trufflehog = "trufflehog",
        /// TruffleHog 2
        TrufflehogV2 = "trufflehog-v2",
        /// trufflehog3, of PyPI
        Trufflehog3 = "trufflehog3",
        /// Secret-scanning alerts of GitHub
        Github = "github-alerts",
        /// The secret detection report of GitLab
        Gitlab = "gitlab-report",
        /// Kingfisher
        Kingfisher = "kingfisher",
        /// Nosey Parker
        Noseyparker = "noseyparker",
        /// ggshield
        Ggshield = "ggshield",
        /// Semgrep
        Semgrep = "semgrep",
        /// Rusty Hog
        RustyHog = "rusty-hog",
        /// Talisman
        Talisman = "talisman",
        /// secretlint
        Secretlint = "secretlint",
        /// A header line, then a finding per line
        Csv = "csv",
        /// JSON objects
        Ndjson = "ndjson",
    }
}
