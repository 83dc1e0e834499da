//! Named points at which a test makes the machine fail: out of space, killed, or stopped.
//!
//! They are always compiled in, so that what is tested is what is shipped, and cost one atomic load while none is armed.
//! The rim arms them from `OUTLAST_FAILPOINTS`, for example `blob.synced=kill` or `journal.append=nospace@3`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The process is killed, as by `kill -9`.
    Kill,
    /// The device has no space left (ENOSPC).
    NoSpace,
    /// The device is broken (EIO).
    Broken,
    /// The task that passes has a bug and panics.
    Panic,
    /// The process is stopped, as by `kill -STOP`, until a test lets it go on.
    Stop,
}

#[derive(Debug)]
struct Armed {
    point: String,
    failure: Failure,
    /// Passes left before it strikes: 1 strikes at the next.
    countdown: u32,
    /// Whether it strikes at every pass from then on; a kill needs no second.
    is_lasting: bool,
}

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());

/// Arms points from `NAME=kill|nospace|broken|panic|stop[@N][+]`, separated by commas.
///
/// `@N` strikes at the Nth pass only, which is the first unless told; a `+` at the end strikes at every later pass too.
pub fn arm(spec: &str) -> Result<(), BadFailpoint> {
    let mut armed = Vec::new();
    for text in spec.split(',').filter(|text| !text.is_empty()) {
        armed.push(parse(text).ok_or_else(|| BadFailpoint { text: text.to_owned() })?);
    }
    let is_armed = !armed.is_empty();
    *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = armed;
    IS_ARMED.store(is_armed, Ordering::Release);
    Ok(())
}

/// Passes a point: does nothing, fails, or never returns.
pub fn pass(point: &str) -> io::Result<()> {
    if !IS_ARMED.load(Ordering::Acquire) {
        return Ok(());
    }
    strike(point)
}

/// A part of `OUTLAST_FAILPOINTS` that means nothing.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not NAME=kill|nospace|broken|panic|stop[@N][+]")]
pub struct BadFailpoint {
    text: String,
}

fn parse(text: &str) -> Option<Armed> {
    let (point, rest) = text.split_once('=')?;
    let (rest, is_lasting) = rest.strip_suffix('+').map_or((rest, false), |rest| (rest, true));
    let (name, countdown) = match rest.split_once('@') {
        None => (rest, 1),
        Some((name, count)) => (name, count.parse().ok().filter(|count| *count > 0)?),
    };
    let failure = match name {
        "kill" => Failure::Kill,
        "nospace" => Failure::NoSpace,
        "broken" => Failure::Broken,
        "panic" => Failure::Panic,
        "stop" => Failure::Stop,
        _ => return None,
    };
    Some(Armed { point: point.to_owned(), failure, countdown, is_lasting })
}

#[cold]
fn strike(point: &str) -> io::Result<()> {
    let failure = {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(armed) = armed.iter_mut().find(|armed| armed.point == point && armed.countdown > 0) else {
            return Ok(());
        };
        if armed.countdown > 1 {
            armed.countdown -= 1;
            return Ok(());
        }
        if !armed.is_lasting {
            armed.countdown = 0;
        }
        armed.failure
    };
    match failure {
        Failure::Kill => {
            signal_this_process("-9");
            std::process::abort();
        }
        Failure::Stop => {
            signal_this_process("-STOP");
            Ok(())
        }
        Failure::NoSpace => Err(io::Error::from(io::ErrorKind::StorageFull)),
        Failure::Panic => panic!("failure point `{point}`"),
        Failure::Broken => Err(io::Error::other("input/output error (failure point)")),
    }
}

/// Sends a signal to the process itself; with `kill -9` no destructor runs and nothing is flushed.
#[expect(
    clippy::disallowed_methods,
    reason = "std has no kill; without unsafe code the `kill` program is the way"
)]
fn signal_this_process(signal: &str) {
    let _ = std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_strikes_when_it_was_told_to() {
        arm("test.once=nospace@2,test.lasting=broken@2+").unwrap();
        let passes = |point| (0..4).map(|_| pass(point).is_ok()).collect::<Vec<_>>();
        assert_eq!(passes("test.once"), [true, false, true, true]);
        assert_eq!(passes("test.lasting"), [true, false, false, false]);
        assert!(pass("test.other").is_ok());
        arm("").unwrap();
        assert!(pass("test.lasting").is_ok());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["a", "a=explode", "a=kill@0", "a=kill@x"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
