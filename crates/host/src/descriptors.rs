//! How many files and connections this process may have open at once.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises it as far as the system allows: programs that are started by hand often have 1024 unless they ask for more.
pub fn raise() -> io::Result<()> {
    let (now, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if now < most {
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    }
    Ok(())
}
