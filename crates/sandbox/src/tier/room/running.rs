//! A command that runs in a room, and what is left when it has ended.

use std::io;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;

use super::accept::{self, Terminated};
use super::openings::{Opening, Openings, View};
use super::refusals::Refusals;
use super::watch::Watching;
use super::{Helper, Room, awaited, dns, helper_is_gone};
use crate::events::Events;
use crate::exit::{Exit, RoomError};
use crate::names::Names;
use crate::signals::Signals;
use crate::stopping::Stopping;
use crate::wire::{FromRoom, Socket, ToRoom, frame, frame_length};

/// A running command. Dropped, it is killed with everything it started.
#[derive(Debug)]
pub struct Running {
    /// The names that are looked up in the room.
    pub names: Names,
    signals: Signals,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    // Below the two ends of its socket: the helper ends when they are closed, and is waited for.
    helper: Helper,
    tasks: JoinSet<()>,
    watching: Watching,
    openings: Openings,
    program: String,
    project: Option<PathBuf>,
}

/// A command that has ended, with every process and mount of its room; only the copies are left.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// What may have led past Outlast meanwhile. If there is any, the command was not sealed.
    pub openings: Vec<Opening>,
    project: Option<PathBuf>,
    // Declared first: the helper ends when these are closed, and is waited for.
    ends: Option<(OwnedReadHalf, OwnedWriteHalf)>,
    helper: Option<Helper>,
}

pub(super) async fn start(room: Room, events: Arc<dyn Events>) -> Result<Running, RoomError> {
    let Room { names, mut helper, mut signals, sockets, plan, project, before, .. } = room;
    let broken = |error: io::Error| RoomError::Broken { why: error.to_string() };
    let control: BlockingStream = helper.control.take().ok_or_else(helper_is_gone)?;
    control.set_nonblocking(true).map_err(broken)?;
    let (from, to) = UnixStream::from_std(control).map_err(broken)?.into_split();
    let (mut tasks, mut watching) = (JoinSet::new(), Watching::default());
    let mut view = View::default();
    let refusals = Arc::new(Refusals::new(Arc::clone(&events), names.clone()));
    for (socket, descriptor) in sockets {
        let (events, names) = (Arc::clone(&events), names.clone());
        match socket {
            Socket::Port(port) => {
                let forwards = plan.local_ports.contains(&port);
                let listener = accept::listener(descriptor).map_err(broken)?;
                tasks.spawn(accept::terminated(Terminated {
                    listener,
                    port,
                    forwards,
                    events,
                    names,
                    refusals: Arc::clone(&refusals),
                }));
            }
            Socket::Local(port) => {
                let listener = accept::listener(descriptor).map_err(broken)?;
                tasks.spawn(accept::local(listener, port));
            }
            Socket::DnsStream => {
                let listener = accept::listener(descriptor).map_err(broken)?;
                tasks.spawn(dns::serve_streams(listener, events, names));
            }
            Socket::Dns => {
                let socket = awaited(descriptor).map_err(broken)?;
                tasks.spawn(dns::serve_datagrams(socket, events, names));
            }
            Socket::Watch => {
                watching = Watching::begin(awaited(descriptor).map_err(broken)?, Arc::clone(&refusals));
            }
            Socket::Root => view.root = Some(descriptor),
            Socket::Mounts => view.mounts = Some(descriptor),
        }
    }
    let openings = Openings::begin(before, view);
    signals.catch_all().map_err(broken)?;
    let program = plan.command.first().map(|program| program.display().to_string()).unwrap_or_default();
    let mut running =
        Running { names, helper, signals, from, to, tasks, watching, openings, program, project };
    let go = frame(&ToRoom::Go).map_err(broken)?;
    running.to.write_all(&go).await.map_err(|_| helper_is_gone())?;
    Ok(running)
}

impl Running {
    /// Waits until the command has ended and nothing of the room is left but the copies of a fresh one.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] or [`RoomError::NotRunnable`] if the program could not be executed.
    pub async fn wait(self) -> Result<Ended, RoomError> {
        let Self {
            helper,
            mut signals,
            mut from,
            mut to,
            mut tasks,
            watching,
            openings,
            program,
            project,
            ..
        } = self;
        let stopping = Stopping::default();
        let outcome = {
            // Never dropped halfway through a message, as a single read would be.
            let mut conversation = std::pin::pin!(outcome_of(&mut from, &program, &stopping));
            loop {
                tokio::select! {
                    outcome = &mut conversation => break outcome,
                    arrived = signals.next() => {
                        let Ok(arrived) = arrived else { continue };
                        if arrived.is_for_command() && let Ok(frame) = frame(&ToRoom::Signal(arrived.number)) {
                            // If it cannot be said the room is gone, and the conversation ends.
                            let _ = to.write_all(&frame).await;
                        }
                        stopping.arrived(arrived);
                    }
                }
            }
        };
        tasks.shutdown().await;
        watching.finish().await;
        let openings = openings.finish().await;
        let mut ended =
            Ended { exit: Exit { code: 0 }, openings, project, ends: Some((from, to)), helper: Some(helper) };
        if ended.project.is_none() || outcome.is_err() {
            ended.end().await;
        }
        ended.exit = outcome?;
        Ok(ended)
    }
}

impl Ended {
    /// Returns where the copy of the project lies until this value is cleaned or dropped; none for a run on the project.
    pub fn project(&self) -> Option<&Path> {
        self.project.as_deref()
    }

    /// Returns how much space the copies take, with what the command made of them; none if that cannot be told.
    pub fn copies_bytes(&self) -> Option<u64> {
        crate::scratch::size_bytes(self.project.as_deref()?.parent()?)
    }

    /// Begins to remove the copies, and does not wait: dropping this value does.
    pub fn let_go(&mut self) {
        self.project = None;
        self.ends = None;
        if let Some(helper) = &mut self.helper {
            helper.control = None;
        }
    }

    /// Removes the copies; returns when they are gone.
    pub async fn clean(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        self.let_go();
        if let Some(helper) = self.helper.take() {
            let _ = tokio::task::spawn_blocking(move || drop(helper)).await;
        }
    }
}

/// Hears the helper out, and returns how the command ended.
async fn outcome_of(from: &mut OwnedReadHalf, program: &str, stopping: &Stopping) -> Result<Exit, RoomError> {
    let mut outcome = Err(helper_is_gone());
    while let Ok(message) = hear(from).await {
        match message {
            FromRoom::Ended { code } => outcome = Ok(Exit { code }),
            FromRoom::NotFound => outcome = Err(RoomError::NotFound { program: program.to_owned() }),
            FromRoom::NotRunnable { why } => {
                outcome = Err(RoomError::NotRunnable { program: program.to_owned(), why });
            }
            FromRoom::Stopped { signal } => stopping.stopped(signal),
            FromRoom::Continued => stopping.continued(),
            FromRoom::Closed => break,
            _ => {}
        }
    }
    outcome
}

async fn hear(from: &mut OwnedReadHalf) -> io::Result<FromRoom> {
    let mut header = [0; 4];
    from.read_exact(&mut header).await?;
    let mut body = vec![0; frame_length(header)?];
    from.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}
