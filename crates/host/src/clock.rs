//! The only place that reads the clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::Timestamp;

/// Tells the time: the machine's, or one that a test moves by hand.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Real(std::time::Instant),
    Manual(Arc<Mutex<(Timestamp, Duration)>>),
}

impl Clock {
    /// Returns the machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
    pub fn real() -> Self {
        Self(Kind::Real(std::time::Instant::now()))
    }

    /// Returns a clock that stands still until [`Clock::advance`] moves it.
    pub fn manual(now: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(Mutex::new((now, Duration::ZERO)))))
    }

    /// Returns the time of day.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::Real(_) => Timestamp::now(),
            Kind::Manual(time) => lock(time).0,
        }
    }

    /// Returns the time since this clock was made; it never goes back when the time of day does.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::Real(start) => start.elapsed(),
            Kind::Manual(time) => lock(time).1,
        }
    }

    /// Moves a manual clock forward; the machine's own cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(time) = &self.0 {
            let mut time = lock(time);
            time.0 = time.0.checked_add(by).unwrap_or(Timestamp::MAX);
            time.1 += by;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let copy = clock.clone();
        clock.advance(Duration::from_secs(5));
        assert_eq!(copy.now().as_second(), 5);
        assert_eq!(copy.elapsed(), Duration::from_secs(5));
    }
}
