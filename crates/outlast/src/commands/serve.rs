//! `outlast serve`: one Outlast for a whole team.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use http::HeaderMap;
use mirror::Served;
use model::ObjectUrl;
use proxy::{Purpose, SessionPlan};
use registry::Site;
use server::{Copies, Forward, Gate, Scope, Server, Settings};
use store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::authority::HomeAuthority;
use crate::command_line::Global;
use crate::complaint::Complaint;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, say};
use crate::tasks::adopt::Adopting;
use crate::tasks::{adopt, copy, repositories};
use crate::tokens::{Keyring, TokenFile};
use crate::wiring::{self, Kept};

/// How soon the settings for clients have a place for a token, once there is one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Address and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8642")]
    listen: SocketAddr,
    /// Address and port to listen on as a forward proxy as well, for clients whose locks name the registry itself
    #[arg(long, value_name = "IP:PORT")]
    proxy_listen: Option<SocketAddr>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Err(error) = host::descriptors::raise() {
        tracing::warn!("no more files and connections than usual can be open at once: {error}");
    }
    let home = Home::find(global)?;
    // What cannot be is said before anything listens.
    for address in [Some(arguments.listen), arguments.proxy_listen].into_iter().flatten() {
        gate(&home, address)?;
        if address.ip().is_unspecified() && home.config.serve.url.is_none() {
            let error = anyhow!("{address} is no address that a client could be sent to");
            return Err(Failure::usage(error).hint(
                "write `url = \"http://NAME:PORT\"` under [serve] in outlast.toml, or listen on one address",
            ));
        }
    }
    super::block_on(serve(global, &home, arguments))
}

/// Listens on an address that an option gives.
async fn listen(address: SocketAddr, option: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = server::listen(address)
        .await
        .with_context(|| format!("could not listen on {address}"))
        .map_err(|error| Failure::no(error).hint(format!("choose another port with {option}")))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn serve(global: &Global, home: &Home, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let proxies = wiring::proxies()?;
    let (listener, address) = listen(arguments.listen, "--listen").await?;
    let (proxy_listener, proxy_address) = match arguments.proxy_listen {
        Some(address) => Some(listen(address, "--proxy-listen").await?).unzip(),
        None => (None, None),
    };
    // Whoever pasted the settings for clients into this shell would have it wait for itself.
    if proxy_address.is_some_and(|address| proxies.lead_to(address)) {
        return Err(Failure::usage(anyhow!("the proxy of this environment is this server itself"))
            .hint("take `https_proxy` and `http_proxy` away from where the server is started"));
    }
    let store = home.store()?;
    let proxy = match proxy_address {
        Some(address) => Some((address, Arc::new(HomeAuthority::open(home)?))),
        None => None,
    };
    let mut serving = Serving {
        global,
        store: &store,
        address,
        proxy,
        adopter: Adopting::new(global, &store, &home.clock),
        repositories: wiring::served(&store),
        complaint: Complaint::default(),
    };
    let settings = serving.settings(home)?;
    let setup = format!("{}/setup", settings.site.base());
    let server = Server::new(settings);
    // Before anybody is told that it listens.
    let (mut hang_up, mut interrupt, mut terminate) =
        (signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    speak::data(&format_args!("listening http://{address}"))?;
    if let Some(address) = proxy_address {
        speak::data(&format_args!("proxy http://{address}"))?;
    }
    say(global, &format_args!("settings for clients: {setup}"));
    let mut look = tokio::time::interval(LOOK_EVERY);
    let end = async {
        loop {
            tokio::select! {
                _ = look.tick() => if !server.says_who_may_ask() { serving.read_again(&server) },
                _ = hang_up.recv() => {
                    // Whoever asks for it is told each time.
                    serving.complaint.settle();
                    serving.read_again(&server);
                }
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
            }
        }
    };
    let adopting = tokio::spawn(adopt::again_and_again(global.clone(), store.clone()));
    let syncing = tokio::spawn(repositories::again_and_again(global.clone(), store.clone()));
    let copying = tokio::spawn(copy::again_and_again(global.clone(), store.clone(), home.clock.clone()));
    let n_cut_off = server.serve(listener, proxy_listener, end).await;
    adopting.abort();
    syncing.abort();
    copying.abort();
    server.settings().session.finish().await;
    store.flush()?;
    if n_cut_off > 0 {
        say(global, &format_args!("{} had to be cut off", count(n_cut_off as u64, "connection")));
    }
    Ok(ExitCode::SUCCESS)
}

/// What stays the same however often the configuration is read.
struct Serving<'a> {
    global: &'a Global,
    store: &'a Store,
    address: SocketAddr,
    /// Where it is a forward proxy, and whom the clients of that trust.
    proxy: Option<(SocketAddr, Arc<HomeAuthority>)>,
    adopter: Adopting,
    repositories: Served,
    /// About the configuration, which is looked at every second.
    complaint: Complaint,
}

impl Serving<'_> {
    /// Reads the configuration again, as SIGHUP asks for. One with a mistake changes nothing.
    fn read_again(&mut self, server: &Server) {
        match Home::find(self.global).and_then(|home| self.settings(&home)) {
            Ok(settings) => {
                // What is under way holds what it needs of the session before, and lets it go at its end.
                drop(server.renew(settings));
                self.complaint.settle();
                say(self.global, &"the configuration was read again");
            }
            Err(failure) => {
                if self.complaint.is_new(&failure) {
                    failure.report();
                    say(self.global, &"the server goes on with the configuration that it had");
                }
            }
        }
    }

    /// Returns what the configuration says.
    fn settings(&self, home: &Home) -> Result<Settings, Failure> {
        let url = match &home.config.serve.url {
            Some(url) => url.clone(),
            None => ObjectUrl::parse(&format!("http://{}", self.address)).map_err(Failure::no)?,
        };
        let gate = gate(home, self.address)?;
        let forward = self.forward(home)?;
        let others = home.config.upstreams.iter();
        let others =
            others.filter_map(|upstream| Some((upstream.base.clone()?, upstream.host.clone()))).collect();
        let site = Site::new(&url).with_private(home.config.private.registries.clone(), others);
        let site = if wants_token(gate.as_ref()) { site.guarded() } else { site };
        let site = match (&self.proxy, &forward) {
            (Some((address, _)), Some(forward)) => {
                let host = if address.ip().is_unspecified() { url.host().to_owned() } else { bare(*address) };
                let authority = format!("{host}:{}", address.port());
                site.with_proxy(&authority, wants_token(forward.gate.as_ref()))
            }
            _ => site,
        };
        let engine = wiring::engine(home, self.store, &wiring::trust()?, None)?;
        let kept = Kept::new(&engine, self.repositories.clone(), home.config.tripwires.clone(), None);
        let plan = SessionPlan {
            site: Some(site.clone()),
            repositories: Some(Arc::new(kept)),
            ..SessionPlan::new(Purpose::Serve)
        };
        let session = engine.session(plan);
        let (copies, adopter) = (Arc::new(Copies::new(home.copies())), Arc::new(self.adopter.clone()));
        let repositories = self.repositories.clone();
        let pace = home.config.serve.pace;
        Ok(Settings { site, session, gate, copies, repositories, adopter, pace, forward })
    }

    /// Returns what the server is as a forward proxy.
    fn forward(&self, home: &Home) -> Result<Option<Forward>, Failure> {
        let Some((address, certifier)) = &self.proxy else { return Ok(None) };
        Ok(Some(Forward { gate: gate(home, *address)?, certifier: certifier.clone() }))
    }
}

fn wants_token(gate: Option<&Arc<dyn Gate>>) -> bool {
    gate.is_some_and(|gate| !gate.allows(&HeaderMap::new(), Scope::Read))
}

/// Returns an address without its port, as it stands in an address.
fn bare(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Returns who may ask a server that listens on `address`: anybody where that was said, on this machine as long as there is
/// no token, and else who has one.
fn gate(home: &Home, address: SocketAddr) -> Result<Option<Arc<dyn Gate>>, Failure> {
    let (tokens, is_here) = (TokenFile::of(home), address.ip().is_loopback());
    if home.config.serve.open {
        if !is_here && !home.config.private.credentials.is_empty() {
            let error = anyhow!("whoever reaches {address} could read what Outlast's credentials are for");
            return Err(Failure::usage(error).hint(
                "take `open = true` or each `credentials_file` out of outlast.toml; with tokens (`outlast token add NAME --scope \
                 read`) a server has both",
            ));
        }
        return Ok(None);
    }
    if !is_here && tokens.read()?.is_none() {
        let error = anyhow!("whoever reaches {address} could read everything that is kept");
        return Err(Failure::usage(error).hint(
            "make a token for each of them with `outlast token add NAME --scope read`, or write `open = true` under [serve] in \
             outlast.toml",
        ));
    }
    Ok(Some(Arc::new(Keyring::new(tokens, home.clock.clone(), is_here)?)))
}
