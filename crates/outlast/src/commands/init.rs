//! `outlast init`: makes the home folder.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::mend;
use crate::speak::say;

/// The configuration as it is first written: every key with its default, as a comment.
const TEMPLATE: &str = r#"# Outlast's configuration. Every key may be left out; the values shown are the defaults.

# [[upstream]]                       # where a host really is, and whom to trust for it
# host = "registry.example.com"
# connect = "10.20.0.7:443"          # still TLS, still under the host's name
# ca_file = "company-ca.pem"
# credentials_file = "npm.credentials"   # for `serve` and `adopt`: one line, TOKEN or USER:PASSWORD; chmod 600

# [[registry]]                       # a company's own registry: these names are asked for there and nowhere else
# ecosystem = "npm"
# url = "https://registry.example.com/"
# names = ["@acme/*"]

[network]
# allow = ["10.20.0.0/16"]           # addresses, besides public ones, that hosts chosen by Outlast may resolve to

[exec]
# ports = [80, 443]                  # ports that a room terminates
# allow_local = []                   # ports of this machine's loopback that a room may reach: the run is then observed
# passthrough = []                   # hosts that are not looked into: the run is then observed

# [[copy]]                           # a second copy, on another disk or at another Outlast
# to = "/mnt/other/outlast"
# every = "1h"                       # how often a running server brings it up to date

[limits]
# index_fresh_for = "2m"             # how long an index is served without asking upstream
# proved_for = "30d"                 # how long a drill's proof lasts
"#;

#[derive(Debug, Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(global: &Global, _: &Arguments) -> Result<ExitCode, Failure> {
    let path = Home::path(global)?;
    crate::home::create(&path)
        .with_context(|| format!("could not make the home folder `{}`", path.display()))
        .map_err(|error| Failure::no(error).hint("choose another folder with --home or OUTLAST_HOME"))?;
    let writing = mend::writing(&path)?;
    let file = path.join("outlast.toml");
    let made_file = if file.exists() {
        false
    } else {
        host::file::write_atomically(&file, TEMPLATE.as_bytes())?;
        true
    };
    drop(writing);
    let home = Home::find(global)?;
    let (_, made_key) = home.signing_key()?;
    home.store()?.check_writable()?;
    let made = |is_made| if is_made { "made" } else { "was there already" };
    say(global, &format_args!("{}: {}", file.display(), made(made_file)));
    say(global, &format_args!("{}: {}", home.keys().display(), made(made_key)));
    say(global, &"Next, in a project:");
    say(global, &"  outlast exec --fresh -- make     record what the build fetches");
    say(global, &"  outlast drill -- make            prove that it survives with every host cut off");
    say(global, &"  outlast status                   see what is proved and what needs attention");
    say(global, &"  outlast doctor                   see what would not survive, and what mends it");
    Ok(ExitCode::SUCCESS)
}
