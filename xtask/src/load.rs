//! The long form of the test with mixed traffic: the same test for longer, with a release build or a given binary.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{step, tools};

/// As long as it is to hold for; CI tries 20 s.
const SECONDS: u64 = 600;

/// Lets several clients ask a server that is killed every minute, whose upstreams come and go: `--for TIME`, `--binary FILE`.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = Asked::parse(arguments)?;
    let tools = tools::install()?;
    let binary = match asked.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => {
            step::run(&mut step::cargo(&["build", "--quiet", "--release", "-p", "outlast"]))?;
            step::target().join("release/outlast")
        }
    };
    let test = "serve::load::mixed_traffic_loses_nothing";
    let mut command =
        step::cargo(&["test", "-p", "outlast", "--test", "it", "--", "--exact", test, "--nocapture"]);
    command.env("OUTLAST_LOAD_S", asked.seconds.to_string()).env("OUTLAST_LOAD_BINARY", binary);
    step::run(command.env("OUTLAST_TEST_TOOLS", tools))
}

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    seconds: u64,
    binary: Option<PathBuf>,
}

impl Asked {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut asked = Self { seconds: SECONDS, binary: None };
        for pair in arguments.chunks(2) {
            match pair {
                ["--for", time] => asked.seconds = seconds(time)?,
                ["--binary", file] => asked.binary = Some(Path::new(file).to_owned()),
                _ => bail!("the only arguments are `--for TIME`, such as 10m or 90s, and `--binary FILE`"),
            }
        }
        Ok(asked)
    }
}

fn seconds(text: &str) -> Result<u64> {
    let (number, unit) = match (text.strip_suffix('m'), text.strip_suffix('s')) {
        (Some(minutes), _) => (minutes, 60),
        (_, Some(seconds)) => (seconds, 1),
        _ => (text, 1),
    };
    let number: u64 = number.parse().with_context(|| format!("`{text}` is no time such as 10m or 90s"))?;
    if number == 0 {
        bail!("`{text}` is no time at all");
    }
    Ok(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_as_long_as_asked_for() {
        let check = |arguments: &[&str], expected: Option<(u64, Option<&str>)>| {
            let expected =
                expected.map(|(seconds, binary)| Asked { seconds, binary: binary.map(PathBuf::from) });
            assert_eq!(Asked::parse(arguments).ok(), expected, "{arguments:?}");
        };
        check(&[], Some((600, None)));
        check(&["--for", "2m"], Some((120, None)));
        check(&["--binary", "a/b", "--for", "90s"], Some((90, Some("a/b"))));
        check(&["--for", "0m"], None);
        check(&["--for", "long"], None);
        check(&["--for"], None);
        check(&["2m"], None);
    }
}
