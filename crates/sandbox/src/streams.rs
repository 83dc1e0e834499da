//! Which standard streams this process was given: before `main`, Rust's runtime puts `/dev/null` where none is open.
//!
//! A command is given the same ones. Whether there is a standard output concerns no room, and is asked here because
//! `unsafe` may be nowhere else.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

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
