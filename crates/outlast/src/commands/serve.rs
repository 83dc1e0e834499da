//! `outlast serve`: one Outlast for a whole team.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use model::ObjectUrl;
use proxy::{Purpose, SessionPlan};
use registry::Site;
use server::{Gate, Server, Settings};
use tokio::signal::unix::{SignalKind, signal};

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, say};
use crate::tokens::{Keyring, TokenFile};
use crate::wiring;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Address and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8642")]
    listen: SocketAddr,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let listen = arguments.listen;
    let tokens = TokenFile::of(&home);
    let is_open = listen.ip().is_loopback() || home.config.serve.open;
    if !is_open && tokens.read()?.is_none() {
        let error = anyhow!("whoever reaches {listen} could read everything that is kept");
        return Err(Failure::usage(error).hint(
            "make a token for each of them with `outlast token add NAME --scope read`, or write `open = true` under [serve] in \
             outlast.toml",
        ));
    }
    let gate: Option<Arc<dyn Gate>> = match home.config.serve.open {
        true => None,
        false => Some(Arc::new(Keyring::new(tokens, home.clock.clone(), is_open)?)),
    };
    if listen.ip().is_unspecified() && home.config.serve.url.is_none() {
        let error = anyhow!("{listen} is no address that a client could be sent to");
        return Err(Failure::usage(error).hint(
            "write `url = \"http://NAME:PORT\"` under [serve] in outlast.toml, or listen on one address",
        ));
    }
    super::block_on(serve(global, &home, listen, gate))
}

async fn serve(
    global: &Global,
    home: &Home,
    listen: SocketAddr,
    gate: Option<Arc<dyn Gate>>,
) -> Result<ExitCode, Failure> {
    let listener = server::listen(listen)
        .await
        .with_context(|| format!("could not listen on {listen}"))
        .map_err(|error| Failure::no(error).hint("choose another port with --listen"))?;
    let address = listener.local_addr()?;
    let url = match &home.config.serve.url {
        Some(url) => url.clone(),
        None => ObjectUrl::parse(&format!("http://{address}")).map_err(Failure::no)?,
    };
    let site = match gate.as_ref().is_some_and(|gate| !gate.may_read(&http::HeaderMap::new())) {
        true => Site::new(&url).guarded(),
        false => Site::new(&url),
    };
    let store = home.store()?;
    let plan = SessionPlan { site: Some(site.clone()), ..SessionPlan::new(Purpose::Serve) };
    let session = wiring::engine(home, &store, &wiring::trust()?, None)?.session(plan);
    let server = Server::new(Settings { site, session: session.clone(), gate });
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    speak::data(&format_args!("listening http://{address}"))?;
    say(global, &format_args!("settings for clients: {}/setup", url.as_str().trim_end_matches('/')));
    let end = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let n_cut_off = server.serve(listener, end).await;
    session.finish().await;
    store.flush()?;
    if n_cut_off > 0 {
        say(global, &format_args!("{} had to be cut off", count(n_cut_off as u64, "connection")));
    }
    Ok(ExitCode::SUCCESS)
}
