//! Whether this process was given a standard output: before `main`, Rust's runtime puts `/dev/null` where none is open.
//!
//! It is no part of a room, and lies here because `unsafe` may be nowhere else.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Refuses with the error that writing would give if standard output was closed when this process began: what is written
/// there now goes nowhere.
pub fn check_stdout() -> io::Result<()> {
    if WAS_CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(())
}

// SAFETY: the loader calls what this section points to once, before the runtime begins; `look` needs nothing of it.
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: asks the kernel about a descriptor, which does not have to be open.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    WAS_CLOSED.store(flags < 0, Ordering::Relaxed);
}
