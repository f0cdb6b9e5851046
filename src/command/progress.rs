//! Files that commands read: a file or standard input, and a bar that follows how much of it was read.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
    str::FromStr,
};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use akgate_rules::text_enum::UnknownName;

/// Reads an option whose values are named: those of a `text_enum!`.
pub(super) fn one_of<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// The input, `-` for standard input, and its bar.
///
/// # Errors
/// That of the file.
pub(super) fn open_input(path: &Path) -> io::Result<(ProgressBar, Box<dyn Read + Send>)> {
    let (length, input): (Option<u64>, Box<dyn Read + Send>) = if path == Path::new("-") {
        (None, Box::new(io::stdin()))
    } else {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        (Some(length), Box::new(file))
    };
    let bar = progress_bar(length, "{bar:20} {msg}, {bytes}/{total_bytes}, {eta} left");
    let input = bar.wrap_read(input);
    Ok((bar, Box::new(input)))
}

/// Shows how many were done, and how many a second.
pub(super) fn show_rate(bar: &ProgressBar, count: usize, what: &str) {
    let rate = count as f64 / bar.elapsed().as_secs_f64().max(0.001);
    bar.set_message(format!("{count} {what}, {rate:.0}/s"));
}

/// A bar on standard error, where a person sees it.
pub(super) fn progress_bar(length: Option<u64>, form: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(length, target);
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
    bar
}
