//! Mistakes on the command line: what is wrong, as clap says it, and the next step.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use crate::command_line::CommandLine;
use crate::speak;

/// Options that take the word behind them.
const WITH_VALUE: [&str; 2] = ["--home", "--config"];
/// The verbs that run a command.
const RUNNERS: [&str; 2] = ["exec", "drill"];

/// Reports a mistake on the command line: help is data on stdout, the rest goes to stderr with exit code 2.
pub(crate) fn explain(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        let told = speak::to_stdout(|| error.print());
        return told.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS);
    }
    // Nothing better can be done about a closed stderr.
    let _ = error.print();
    speak::tell(&format!("hint: {}", hint(error.kind(), arguments)));
    ExitCode::from(2)
}

fn hint(kind: ErrorKind, arguments: &[OsString]) -> String {
    let verbs = verbs(arguments);
    let help = [&["outlast".to_owned()], &verbs[..], &["--help".to_owned()]].concat().join(" ");
    let is_runner = verbs.first().is_some_and(|verb| RUNNERS.contains(&verb.as_str()));
    let has_separator = arguments.iter().any(|argument| argument == "--");
    match kind {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            format!("name one of its commands; `{help}` tells more")
        }
        ErrorKind::UnknownArgument | ErrorKind::MissingRequiredArgument if is_runner && !has_separator => {
            let verb = verbs.join(" ");
            format!(
                "the command to run goes after `--`, as in `outlast {verb} -- make`; `{help}` shows the rest"
            )
        }
        _ => format!("`{help}` shows how it is used"),
    }
}

/// Returns the verb that was meant, and what of it: `evidence verify`.
fn verbs(arguments: &[OsString]) -> Vec<String> {
    let (root, mut verbs) = (CommandLine::command(), Vec::new());
    let mut command = &root;
    let mut words = arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    while let Some(word) = words.next().filter(|word| word != "--") {
        if WITH_VALUE.contains(&word.as_ref()) {
            words.next();
        } else if let Some(found) = command.find_subcommand(word.as_ref()) {
            verbs.push(found.get_name().to_owned());
            command = found;
        }
    }
    verbs
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let error = CommandLine::try_parse_from(&arguments).expect_err(line);
        assert_eq!(hint(error.kind(), &arguments), expected, "{line}");
    }

    #[test]
    fn a_hint_names_the_help_of_what_was_meant() {
        let after = |verb: &str| {
            format!(
                "the command to run goes after `--`, as in `outlast {verb} -- make`; `outlast {verb} --help` shows the rest"
            )
        };
        let shows = |verb: &str| format!("`outlast {verb}--help` shows how it is used");
        check("outlast", "name one of its commands; `outlast --help` tells more");
        check("outlast store", "name one of its commands; `outlast store --help` tells more");
        check("outlast fly", &shows(""));
        check("outlast --fly", &shows(""));
        check("outlast exec", &after("exec"));
        check("outlast exec make", &after("exec"));
        check("outlast -q exec npm ci", &after("exec"));
        check("outlast drill --fly", &after("drill"));
        check("outlast drill --fly -- status", &shows("drill "));
        check("outlast --home store exec --cut a=b -- make", &shows("exec "));
        check("outlast drill --at x -- make", &shows("drill "));
        check("outlast evidence verify", &shows("evidence verify "));
        check("outlast status --since", &shows("status "));
        check("outlast completions tcl", &shows("completions "));
    }
}
