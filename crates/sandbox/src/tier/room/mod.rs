//! A sealed room: namespaces, built by the helper process, in which every address is Outlast.

mod accept;
mod dns;
mod elsewhere;
mod openings;
mod refusals;
mod running;
mod start;
mod watch;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;

use tokio::io::unix::AsyncFd;

use self::openings::Before;
pub use self::openings::Opening;
pub use self::running::{Ended, Running};
use crate::events::Events;
use crate::exit::RoomError;
use crate::names::{Names, SERVER_V4};
use crate::plan::{PlacedFile, Plan};
use crate::signals::{self, Signals};
use crate::wire::{BuildOrder, Built, FromRoom, Raw, Socket, ToRoom, WirePlan, receive, send, send_bytes};

/// A room in which nothing runs yet. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Room {
    /// The names that are looked up in the room.
    pub names: Names,
    /// The paths of the machine that the command does not see, or sees empty.
    pub masked: Vec<PathBuf>,
    helper: Helper,
    signals: Signals,
    sockets: Vec<(Socket, OwnedFd)>,
    plan: Arc<Plan>,
    project: Option<PathBuf>,
    before: Before,
}

/// The helper process and the socket on which it listens; it ends when the socket closes.
#[derive(Debug)]
struct Helper {
    control: Option<UnixStream>,
    child: Child,
    /// Where the copies are made; the warden removes them unless it is killed itself.
    scratch: Option<PathBuf>,
}

/// Builds a room for a plan; `helper` is this binary, which calls [`crate::run_helper_if_asked`].
///
/// From here to the end of the run, signals to this process are held back or handed on. One room at a time.
///
/// # Errors
/// [`RoomError::NotPossible`] where the machine does not allow one; then [`crate::run_observed`] is left.
pub async fn open(plan: &Plan, helper: &Path) -> Result<Room, RoomError> {
    let (mut plan, helper) = (plan.clone(), helper.to_path_buf());
    let resolver = Path::new("/etc/resolv.conf");
    if !plan.files.iter().any(|file| file.path == resolver) {
        let bytes = format!("nameserver {SERVER_V4}\n").into_bytes();
        plan.files.push(PlacedFile { path: resolver.to_path_buf(), bytes: bytes.into(), mode: 0o644 });
    }
    let built = tokio::task::spawn_blocking(move || build(plan, &helper)).await;
    built.map_err(|error| RoomError::Broken { why: error.to_string() })?
}

fn build(plan: Plan, helper: &Path) -> Result<Room, RoomError> {
    check(&plan)?;
    let broken = |error: std::io::Error| RoomError::Broken { why: error.to_string() };
    let signals = Signals::catch().map_err(broken)?;
    host::failpoint::pass("room.caught").map_err(broken)?;
    // Before the helper looks what is to be covered: what appears between the two is covered, or new.
    let mut before = Before::look();
    let (control, theirs) = UnixStream::pair().map_err(broken)?;
    let child = start::helper(helper, theirs, plan.stdout)
        .map_err(|source| RoomError::Helper { path: helper.to_path_buf(), source })?;
    let helper = Helper {
        control: Some(control),
        child,
        scratch: plan.fresh.as_ref().map(|fresh| fresh.scratch.clone()),
    };
    let control = helper.control.as_ref().map(std::os::fd::AsFd::as_fd).ok_or_else(helper_is_gone)?;
    let (wire, content) = WirePlan::of(&plan);
    // While the helper begins: it takes some 10 µs for each process of the machine.
    let elsewhere = before.look_elsewhere().iter().map(Raw::of).collect();
    let order = BuildOrder { plan: wire, blocked: signals::blocked(), elsewhere };
    send(control, &ToRoom::Build(Box::new(order)), &[]).map_err(|_| helper_is_gone())?;
    send_bytes(control, &content, &[]).map_err(|_| helper_is_gone())?;
    match receive::<FromRoom>(control).map_err(|_| helper_is_gone())? {
        (FromRoom::Built(Built { sockets, masked, project }), descriptors)
            if sockets.len() == descriptors.len() =>
        {
            if let Some(arrived) = signals.already_come() {
                return Err(RoomError::Interrupted { signal: arrived.number });
            }
            Ok(Room {
                names: Names::default(),
                masked: masked.into_iter().map(Raw::into_path).collect(),
                helper,
                signals,
                sockets: sockets.into_iter().zip(descriptors).collect(),
                plan: Arc::new(plan),
                project: project.map(Raw::into_path),
                before,
            })
        }
        (FromRoom::NotPossible { why }, _) => Err(RoomError::NotPossible { why }),
        (FromRoom::Copies { why }, _) => Err(RoomError::Copies { why }),
        (FromRoom::BadPlan { why }, _) => Err(RoomError::BadPlan { why }),
        _ => Err(helper_is_gone()),
    }
}

/// Feeds bytes to every parser here.
#[cfg(test)]
pub(crate) fn no_panic(bytes: &[u8]) {
    dns::no_panic(bytes);
    watch::no_panic(bytes);
}

fn check(plan: &Plan) -> Result<(), RoomError> {
    let bad = |why: &str| Err(RoomError::BadPlan { why: why.to_owned() });
    if plan.command.is_empty() {
        return bad("there is no command");
    }
    let fresh =
        plan.fresh.iter().flat_map(|fresh| fresh.homes.iter().chain([&fresh.project.at, &fresh.scratch]));
    let paths = plan.files.iter().map(|file| &file.path).chain(&plan.masked).chain(fresh);
    if paths.chain([&plan.directory]).any(|path| !path.is_absolute()) {
        return bad("a path is not absolute");
    }
    Ok(())
}

fn helper_is_gone() -> RoomError {
    RoomError::Broken { why: "the helper process ended without a word".to_owned() }
}

/// Registers a descriptor with the runtime.
fn awaited(descriptor: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` stays open and stays the same descriptor until `AsyncFd`, which owns it, drops it, and that
    // takes it from the runtime first.
    unsafe { AsyncFd::register(descriptor) }.map_err(std::io::Error::from)
}

impl Room {
    /// Runs the command, and from now on tells `events` what it does.
    pub async fn start(self, events: Arc<dyn Events>) -> Result<Running, RoomError> {
        running::start(self, events).await
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.control = None;
        // It has only to kill the room and to remove the copies.
        let _ = self.child.wait();
        if let Some(scratch) = &self.scratch {
            crate::scratch::remove_left_behind(scratch);
        }
    }
}
