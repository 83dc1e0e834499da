//! Job control: when a stop signal has come to Outlast and the command has stopped, Outlast stops as well, so that the shell
//! sees a stopped job.
//!
//! Both must be so. A command may catch the signal and go on, and one that somebody else stops may be continued by
//! somebody who knows nothing of Outlast.

use std::sync::{Mutex, PoisonError};

use crate::signals::{Arrived, stop};

/// What is known of one command.
#[derive(Debug, Default)]
pub(crate) struct Stopping(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_asked: bool,
    stopped_by: Option<i32>,
}

impl Stopping {
    /// Hears of a signal that came to Outlast; returns when Outlast goes on.
    pub(crate) fn arrived(&self, arrived: Arrived) {
        self.change(|state| {
            if arrived.is_stop() {
                state.is_asked = true;
            } else if arrived.number == libc::SIGCONT {
                state.is_asked = false;
            }
        });
    }

    /// Hears that the command was stopped by a signal; returns when Outlast goes on.
    pub(crate) fn stopped(&self, signal: i32) {
        self.change(|state| state.stopped_by = Some(signal));
    }

    /// Hears that the command goes on.
    pub(crate) fn continued(&self) {
        self.change(|state| state.stopped_by = None);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if let (true, Some(signal)) = (state.is_asked, state.stopped_by) {
            *state = State::default();
            stop(signal);
        }
    }
}
