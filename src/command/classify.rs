//! `akgate classify`: what an operation would change, and whether a restricted AccessKey may call it.
//!
//! Judged as in mode `enforce`, without self-remediation. Exit status 0, or 2 if the product does not have this
//! version.

use std::{io, path::PathBuf};

use serde::Serialize;

use super::CommandExit;
use crate::config::load_effects;
use akgate_rules::{
    operation::{Blocklist, Catalogue, Effect, Operation},
    verdict::{Profile, ProfileJudgement, judge_by_profile},
};

/// The verdict on an operation whose effect nobody has said.
const NOT_JUDGED: &str = "not_judged";

/// Show what an operation changes and whether a restricted AccessKey may call it.
#[derive(Debug, clap::Args)]
pub struct ClassifyArgs {
    /// Product code, in any case: RAM, IMS, STS, ResourceManager, Ecs…
    pub product: String,
    /// Version of the product's API, for example 2015-05-01
    pub version: String,
    /// Action, exactly as in the call, for example CreateUser
    pub action: String,
    /// Configuration file, for the effects that it gives to operations of other products
    #[arg(long, value_name = "FILE", env = "AKGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Classifies an operation: the answer goes to `out`, a usage error to `err`.
///
/// # Errors
/// Where an output cannot be written, or the data that comes with this build is wrong.
pub fn run_classify(
    args: &ClassifyArgs,
    out: &mut dyn io::Write,
    err: &mut dyn io::Write,
) -> io::Result<CommandExit> {
    let effects = match args.config.as_deref().map(load_effects).transpose() {
        Ok(effects) => effects.unwrap_or_default(),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            return Ok(CommandExit::Usage);
        }
    };
    let catalogue = Catalogue::built_in().map_err(io::Error::other)?;
    let catalogue = catalogue.with_effects(effects);
    let strict = Blocklist::strict().map_err(io::Error::other)?;
    match find_operation(&catalogue, args) {
        Ok(operation) => {
            let answer = Classification::of(&strict, &operation);
            answer.write(args.json, out)?;
            Ok(CommandExit::Ok)
        }
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(CommandExit::Usage)
        }
    }
}

fn find_operation(catalogue: &Catalogue, args: &ClassifyArgs) -> Result<Operation, String> {
    let ClassifyArgs {
        product,
        version,
        action,
        ..
    } = args;
    if action.is_empty() {
        return Err("ACTION must not be empty".to_owned());
    }
    catalogue
        .named(product, version, action)
        .map_err(|fault| fault.to_string())
}

#[derive(Serialize)]
struct Classification<'a> {
    product: &'a str,
    version: &'a str,
    action: &'a str,
    /// `null` where nobody has judged it.
    effect: Option<&'static str>,
    /// Whether a list names exactly this operation: the catalogue, the effects of other products, or a profile.
    known: bool,
    profiles: VerdictByProfile,
}

#[derive(Serialize)]
struct VerdictByProfile {
    mutations: &'static str,
    strict: &'static str,
}

impl<'a> Classification<'a> {
    fn of(strict: &Blocklist, operation: &'a Operation) -> Self {
        let effect = operation.effect();
        let known = match effect {
            Effect::Uncatalogued => strict.lists(operation),
            Effect::Unknown => false,
            Effect::Read | Effect::Disclose | Effect::Mutate(_) | Effect::MintSession => true,
        };
        Self {
            product: operation.product().code(),
            version: operation.version(),
            action: operation.action(),
            effect: (effect != Effect::Uncatalogued).then(|| effect.as_str()),
            known,
            profiles: VerdictByProfile {
                mutations: verdict_text(strict, operation, Profile::Mutations),
                strict: verdict_text(strict, operation, Profile::Strict),
            },
        }
    }

    fn write(&self, json: bool, out: &mut dyn io::Write) -> io::Result<()> {
        if json {
            serde_json::to_writer(&mut *out, self)?;
            return writeln!(out);
        }
        let effect = match (self.effect, self.known) {
            (Some(effect), true) => effect.to_owned(),
            (Some(effect), false) => {
                format!("{effect}: not in the catalogue, treated as a mutation")
            }
            (None, true) => "not judged, but the operation is listed in a profile".to_owned(),
            (None, false) => "not judged: nobody has said what it changes".to_owned(),
        };
        writeln!(out, "{} {} {}", self.product, self.version, self.action)?;
        writeln!(out, "effect     {effect}")?;
        writeln!(out, "For a restricted AccessKey, by profile")?;
        let spoken = |verdict: &str| verdict.replace('_', " ");
        writeln!(out, "mutations  {}", spoken(self.profiles.mutations))?;
        writeln!(out, "strict     {}", spoken(self.profiles.strict))?;
        match [self.profiles.mutations, self.profiles.strict].contains(&NOT_JUDGED) {
            true => writeln!(
                out,
                "A call that is not judged passes: give the operation an effect in [[upstreams.other]]."
            ),
            false => Ok(()),
        }
    }
}

fn verdict_text(strict: &Blocklist, operation: &Operation, profile: Profile) -> &'static str {
    match judge_by_profile(strict, operation, profile, false) {
        ProfileJudgement::Refuse => "refuse",
        ProfileJudgement::Allow => "allow",
        ProfileJudgement::NotJudged => NOT_JUDGED,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: ClassifyArgs,
    }

    fn classify(line: &str) -> (CommandExit, String, String) {
        let words = std::iter::once("classify").chain(line.split_whitespace());
        let args = Cli::try_parse_from(words).unwrap().args;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run_classify(&args, &mut out, &mut err).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (code, text(out), text(err))
    }

    #[test]
    fn classification_as_json_is_one_line_with_every_field() {
        for (line, json) in [
            (
                "RAM 2015-05-01 CreateUser",
                r#"{"product":"RAM","version":"2015-05-01","action":"CreateUser","effect":"Mutate(Identity)","known":true,"profiles":{"mutations":"refuse","strict":"refuse"}}"#,
            ),
            (
                "ram 2015-05-01 ListUsers",
                r#"{"product":"RAM","version":"2015-05-01","action":"ListUsers","effect":"Read","known":true,"profiles":{"mutations":"allow","strict":"refuse"}}"#,
            ),
            (
                "STS 2015-04-01 AssumeRole",
                r#"{"product":"STS","version":"2015-04-01","action":"AssumeRole","effect":"MintSession","known":true,"profiles":{"mutations":"allow","strict":"allow"}}"#,
            ),
            (
                "IMS 2019-08-15 createUser",
                r#"{"product":"IMS","version":"2019-08-15","action":"createUser","effect":"Unknown","known":false,"profiles":{"mutations":"refuse","strict":"refuse"}}"#,
            ),
            (
                "Ecs 2014-05-26 RunInstances",
                r#"{"product":"Ecs","version":"2014-05-26","action":"RunInstances","effect":null,"known":true,"profiles":{"mutations":"not_judged","strict":"refuse"}}"#,
            ),
            (
                "Ecs 2014-05-26 DescribeInstances",
                r#"{"product":"Ecs","version":"2014-05-26","action":"DescribeInstances","effect":null,"known":false,"profiles":{"mutations":"not_judged","strict":"not_judged"}}"#,
            ),
            (
                "kms 2016-01-20 GetSecretValue",
                r#"{"product":"kms","version":"2016-01-20","action":"GetSecretValue","effect":"Disclose","known":true,"profiles":{"mutations":"refuse","strict":"refuse"}}"#,
            ),
        ] {
            let (code, out, err) = classify(&format!("{line} --json"));
            assert_eq!(
                (code, out, err.as_str()),
                (CommandExit::Ok, format!("{json}\n"), "")
            );
        }
    }

    #[test]
    fn classification_as_text_is_readable() {
        let (_, unknown, _) = classify("IMS 2019-08-15 NoSuchAction");
        insta::assert_snapshot!(unknown, @r"
        IMS 2019-08-15 NoSuchAction
        effect     Unknown: not in the catalogue, treated as a mutation
        For a restricted AccessKey, by profile
        mutations  refuse
        strict     refuse
        ");
        let (_, listed, _) = classify("Rds 2014-08-15 DescribeBackups");
        insta::assert_snapshot!(listed, @r"
        Rds 2014-08-15 DescribeBackups
        effect     not judged, but the operation is listed in a profile
        For a restricted AccessKey, by profile
        mutations  not judged
        strict     refuse
        A call that is not judged passes: give the operation an effect in [[upstreams.other]].
        ");
    }

    #[test]
    fn wrong_version_is_a_usage_error_that_names_the_right_one() {
        for (line, message) in [
            (
                "RAM 2019-08-15 CreateUser",
                "error: RAM has version 2015-05-01, not 2019-08-15\n",
            ),
            (
                "sts 2020-01-01 AssumeRole --json",
                "error: STS has version 2015-04-01, not 2020-01-01\n",
            ),
            (
                "Ecs 2015-05-01 RunInstances",
                "error: version 2015-05-01 belongs to RAM, not to Ecs\n",
            ),
        ] {
            let (code, out, err) = classify(line);
            assert_eq!(
                (code, out.as_str(), err.as_str()),
                (CommandExit::Usage, "", message)
            );
        }
    }

    #[test]
    fn empty_part_is_a_usage_error() {
        for (product, version, action) in [
            ("RAM", "2015-05-01", ""),
            ("", "2014-05-26", "RunInstances"),
            ("Ecs", "", "RunInstances"),
        ] {
            let args = ClassifyArgs {
                product: product.to_owned(),
                version: version.to_owned(),
                action: action.to_owned(),
                config: None,
                json: false,
            };
            let (mut out, mut err) = (Vec::new(), Vec::new());
            assert_eq!(
                run_classify(&args, &mut out, &mut err).unwrap(),
                CommandExit::Usage
            );
            assert!(out.is_empty() && err.ends_with(b"must not be empty\n"));
        }
    }
}
