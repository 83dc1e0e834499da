//! The helper process, `outlast __room`: single-threaded, because a process with threads may not enter a user namespace.
//!
//! Three processes, each with one duty. The *warden* (this file) stays outside in the caller's namespaces: it makes the
//! copies, starts the room and, when nothing of it is left, removes the copies. The *init* of the room ([`init`]) builds
//! it and holds the conversation with Outlast. The *command* ([`command`]) seals itself off and executes the program.
//! The control socket is the truth: when Outlast's end closes, init ends, the kernel kills what is left, and the warden
//! removes the copies. When the warden dies, init dies with it.

mod aliases;
mod bpf;
mod capabilities;
mod command;
mod copies;
mod devices;
mod failure;
mod homes;
mod init;
mod machine;
mod mounts;
mod namespaces;
mod network;
mod pins;
mod seal;
mod sockets;
mod table;
pub(crate) mod terminal;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sys::wait::{WaitStatus, waitpid};

use self::copies::Copies;
use self::failure::Failure;
use self::machine::Machine;
use self::namespaces::Side;
use crate::plan::Plan;
use crate::wire::{BuildOrder, FromRoom, Raw, ToRoom, receive, receive_bytes, send};

/// The argument that makes the binary a helper.
pub(crate) const ARGUMENT: &str = "__room";
/// The descriptor on which the helper finds its control socket.
pub(crate) const CONTROL: i32 = 3;

/// Returns the other paths of this machine under which a folder or a part of it shows.
pub(crate) fn other_paths(folder: &Path) -> Vec<PathBuf> {
    aliases::of(folder, &table::read())
}

/// Returns where a path of another process may show among the mounts of this one.
pub(crate) fn paths_here(path: &Path, process: u32) -> Vec<PathBuf> {
    aliases::of_another(path, &table::read_of(&process.to_string()), &table::read())
}

/// Feeds bytes to every parser here.
#[cfg(test)]
pub(crate) fn no_panic(bytes: &[u8]) {
    use std::os::unix::ffi::OsStrExt;
    drop(table::parse_all(bytes));
    machine::no_panic(std::ffi::OsStr::from_bytes(bytes));
}

/// Becomes the helper if this process was started as one; the binary then returns from `main` at once.
///
/// Must be called before any thread exists. Returns false in every other process.
pub fn run_helper_if_asked() -> bool {
    if std::env::args_os().nth(1).is_none_or(|argument| argument != ARGUMENT) {
        return false;
    }
    // SAFETY: only asks whether the descriptor is open and takes it at its word for the length of this call.
    let candidate = unsafe { BorrowedFd::borrow_raw(CONTROL) };
    if nix::sys::socket::getsockopt(&candidate, nix::sys::socket::sockopt::SockType).is_err() {
        return true;
    }
    // SAFETY: the descriptor is open, was passed to this process by the one that started it, and nothing else uses it.
    let control = unsafe { OwnedFd::from_raw_fd(CONTROL) };
    if let Ok((ToRoom::Build(order), _)) = receive(control.as_fd())
        && let Ok(order) = read_order(&control, *order)
    {
        watch_over(&control, &order);
    }
    true
}

/// [`BuildOrder`], complete.
struct Order {
    plan: Plan,
    blocked: Vec<i32>,
    elsewhere: Vec<PathBuf>,
}

fn read_order(control: &OwnedFd, order: BuildOrder) -> std::io::Result<Order> {
    let content = receive_bytes(control.as_fd(), order.plan.n_content_bytes()?)?;
    Ok(Order {
        plan: order.plan.into_plan(&content)?,
        blocked: order.blocked,
        elsewhere: order.elsewhere.into_iter().map(Raw::into_path).collect(),
    })
}

/// The warden's life. Whatever it cannot say any more, because Outlast is gone, nobody waits for.
fn watch_over(control: &OwnedFd, order: &Order) {
    // Only this process and its children are to have the socket.
    let _ = nix::fcntl::fcntl(control, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC));
    let foreground = terminal::note_foreground();
    let mut copies = None;
    if let Err(failure) = run_room(control, order, &mut copies) {
        let _ = send(control.as_fd(), &failure.into_message(), &[]);
    }
    if let Some(foreground) = foreground {
        foreground.take_back();
    }
    let _ = send(control.as_fd(), &FromRoom::Closed, &[]);
    if copies.is_some() {
        // Outlast still reads the outputs; it closes its end when it is done with them, or dies.
        while receive::<ToRoom>(control.as_fd()).is_ok() {}
    }
}

fn run_room(control: &OwnedFd, order: &Order, copies: &mut Option<Copies>) -> Result<(), Failure> {
    let Order { plan, blocked, elsewhere } = order;
    if let Some(fresh) = &plan.fresh {
        Copies::check(fresh)?;
        let made = copies.insert(Copies::begin(fresh)?);
        made.fill(fresh, &plan.directory)?;
    }
    let machine = Machine::look(plan, elsewhere);
    match namespaces::enter()? {
        Side::Init(kind) => {
            let room = init::Inside {
                control: control.as_raw_fd(),
                plan,
                blocked,
                copies: copies.as_ref(),
                machine,
                kind,
            };
            room.live()
        }
        Side::Warden(init) => {
            while let Ok(WaitStatus::StillAlive) | Err(nix::Error::EINTR) = waitpid(init, None) {}
            Ok(())
        }
    }
}
