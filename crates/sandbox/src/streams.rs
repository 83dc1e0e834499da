//! Which standard streams this process was given: before `main`, Rust's runtime puts `/dev/null` where none is open.
//!
//! A command is given the same ones. Whether there is a standard output concerns no room, and is asked here because
//! `unsafe` may be nowhere else.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::atomic::{AtomicU8, Ordering};

use nix::sys::socket::{AddressFamily, SockaddrLike as _, SockaddrStorage, getsockname};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::close;

/// The three.
pub(crate) const ALL: [i32; 3] = [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];

/// A bit for each stream that was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Refuses with the error that writing would give if standard output was closed when this process began: what is written
/// there now goes nowhere.
pub fn check_stdout() -> io::Result<()> {
    if was_closed(libc::STDOUT_FILENO) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(())
}

/// Returns which of the streams lead the command past everything, and where to: it is given them as they are.
pub fn ways_out() -> Vec<String> {
    let names = ["standard input", "standard output", "standard error"];
    let open = ALL.into_iter().zip(names).filter(|(stream, _)| !was_closed(*stream));
    open.filter_map(|(stream, name)| Some(format!("{name} is {}", way_out(stream)?))).collect()
}

fn way_out(stream: i32) -> Option<&'static str> {
    // SAFETY: the standard streams stay open as long as this process runs.
    let stream = unsafe { BorrowedFd::borrow_raw(stream) };
    match SFlag::from_bits_truncate(fstat(stream).ok()?.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFDIR => Some("a folder, in which the command sees what the room hides"),
        SFlag::S_IFSOCK => {
            let family = getsockname::<SockaddrStorage>(stream.as_raw_fd()).ok()?.family()?;
            (family != AddressFamily::Unix).then_some("a connection to the world")
        }
        _ => None,
    }
}

/// Closes those of the streams again that were closed when this process began, in a child that is about to execute a
/// program.
pub(crate) fn close_again(streams: &[i32]) {
    for stream in streams.iter().filter(|stream| was_closed(**stream)) {
        let _ = close(*stream);
    }
}

fn was_closed(stream: i32) -> bool {
    CLOSED.load(Ordering::Relaxed) & (1 << stream) != 0
}

// SAFETY: the loader calls what this section points to once, before the runtime begins; `look` needs nothing of it.
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    for stream in ALL {
        // SAFETY: asks the kernel about a descriptor, which does not have to be open.
        if unsafe { libc::fcntl(stream, libc::F_GETFD) } < 0 {
            CLOSED.fetch_or(1 << stream, Ordering::Relaxed);
        }
    }
}
