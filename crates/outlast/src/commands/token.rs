//! `outlast token`: who may ask this home's server.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::{self, Home};
use crate::speak::{self, say};
use crate::tokens::TokenFile;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token and print it, once
    Add {
        /// Of the person or the machine it is for
        name: String,
        /// What it allows
        #[arg(long)]
        scope: Scope,
    },
    /// Name all tokens
    List,
    /// Take a token away; a running server refuses it within a second
    Revoke {
        /// The name it was made with
        name: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// Read what is kept
    Read,
    /// And name what is to be kept
    Adopt,
    /// Everything
    Admin,
}

pub(crate) fn run(global: &Global, arguments: Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let file = TokenFile::of(&home);
    match arguments.what {
        What::Add { name, scope } => {
            home::create(&home.path)?;
            let scope = match scope {
                Scope::Read => server::Scope::Read,
                Scope::Adopt => server::Scope::Adopt,
                Scope::Admin => server::Scope::Admin,
            };
            let (now, random) = (home.clock.now(), host::random::bytes());
            let token = file.change(|tokens| {
                tokens.add(&name, scope, now, random).map_err(|error| {
                    Failure::usage(error).hint("`outlast token list` names those that there are")
                })
            })?;
            speak::data(token.expose())?;
            say(
                global,
                &"it is not shown again; clients send it as a password or a bearer token, a room as OUTLAST_TOKEN",
            );
        }
        What::List => {
            let tokens = file.read()?.unwrap_or_default();
            if global.json {
                let list = tokens.all().iter().map(|token| {
                    serde_json::json!({ "name": token.name, "scope": token.scope, "created_at": token.created_at })
                });
                speak::json(&list.collect::<Vec<_>>())?;
            } else {
                for token in tokens.all() {
                    let scope = token.scope.to_string();
                    let made = token.created_at.strftime("%Y-%m-%d");
                    speak::data(&format_args!("{:<30} {scope:<6} made {made}", token.name))?;
                }
            }
        }
        What::Revoke { name } => {
            let was_there = file.change(|tokens| Ok(tokens.revoke(&name)))?;
            if !was_there {
                return Err(Failure::no(anyhow!("there is no token called `{name}`"))
                    .hint("`outlast token list` names those that there are"));
            }
            say(global, &format_args!("`{name}` is revoked"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
