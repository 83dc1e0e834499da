//! Brings second copies up to date: asked for once, or again and again while a server runs.

use std::time::Duration;

use host::Clock;
use model::Event;
use serde::Serialize;
use store::{CopyReport, Look, Store};
use tokio::task::JoinHandle;

use crate::command_line::Global;
use crate::config::Copy;
use crate::copies::{self, Destination};
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, say, size};

/// How often a copy is asked for everything that it should have; in between for what is new.
const LOOK_AT_ALL_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How often a server looks whether second copies were written into its configuration.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What became of one second copy. Its JSON is what `outlast store copy --json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Copied {
    #[serde(flatten)]
    report: CopyReport,
    /// Whether it lies on the disk that holds the home.
    shares_disk: bool,
}

impl Copied {
    /// Returns whether everything that is kept is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.report.damaged.is_empty()
    }

    /// Says what was done, and what is wrong with it.
    pub(crate) fn say(&self, global: &Global) {
        let CopyReport { to, n_entries, n_blobs, size_bytes, n_healed, damaged, .. } = &self.report;
        let healed = if *n_healed > 0 {
            format!(", {n_healed} of them in place of damaged ones")
        } else {
            String::new()
        };
        say(
            global,
            &format_args!(
                "outlast: `{to}` has everything: {} and {} of {} were new to it{healed}",
                count(*n_entries, "line"),
                count(*n_blobs, "blob"),
                size(*size_bytes)
            ),
        );
        for sha256 in damaged {
            say(
                global,
                &format_args!(
                    "outlast: except blob {sha256}, which is damaged here; hint: `outlast store verify --heal`"
                ),
            );
        }
        if self.shares_disk {
            say(
                global,
                &format_args!("outlast: `{to}` is on the home's own disk; what takes one takes both"),
            );
        }
    }
}

/// Brings one second copy up to date, and notes in the journal that it is. Waits for disks and networks.
pub(crate) fn once(
    global: &Global,
    home: &Home,
    store: &Store,
    place: &Destination,
    look: Look,
    begin: bool,
) -> Result<Copied, Failure> {
    let to = place.open(home, store, begin)?;
    let bar = speak::bar(global, "copying {bar:30} {pos} of {len} lines, {msg}");
    let report = store.copy_to(&*to, look, &mut |progress| {
        bar.set_length(progress.last_seq);
        bar.set_position(progress.seq);
        bar.set_message(format!("{} given", size(progress.size_bytes)));
    });
    bar.finish_and_clear();
    let report = report.map_err(copies::failed)?;
    note(home, store, &report)?;
    Ok(Copied { report, shares_disk: place.shares_disk(home) })
}

/// Notes that a copy has everything, unless that is known: a note that is copied must not be a reason for the next one.
fn note(home: &Home, store: &Store, report: &CopyReport) -> Result<(), Failure> {
    let CopyReport { to, seq, n_blobs, size_bytes, .. } = report;
    let is_of_it = |event: &Event| matches!(event, Event::Copied { to: other, .. } if other == to);
    let is_known = store.copies()?.iter().any(|(entry, n_behind)| is_of_it(&entry.event) && *n_behind == 0);
    if !is_known && report.damaged.is_empty() {
        let (to, seq, n_blobs, size_bytes, at) = (to.clone(), *seq, *n_blobs, *size_bytes, home.clock.now());
        store.record(vec![Event::Copied { to, seq, n_blobs, size_bytes, at }])?;
        store.flush()?;
    }
    Ok(())
}

/// What a running server knows of the copy at one place; times are those of its clock.
#[derive(Debug)]
struct Known {
    copy: Copy,
    is_under_way: bool,
    begun_at: Duration,
    /// When the last one was begun that looked at all of it, and came to its end.
    looked_at: Option<Duration>,
}

/// When each copy is due.
#[derive(Debug, Default)]
struct Schedule(Vec<Known>);

impl Schedule {
    /// Forgets what the configuration names no more; what is under way goes on.
    fn keep(&mut self, copies: &[Copy]) {
        self.0.retain(|known| known.is_under_way || copies.contains(&known.copy));
    }

    /// Returns how closely a copy is to be looked at now, and takes it for begun; nothing while it is not due or the one before
    /// goes on, however the configuration names that place by now.
    fn begin(&mut self, copy: &Copy, now: Duration) -> Option<Look> {
        let last = self.0.iter().find(|known| known.copy.to == copy.to);
        let looked_at = match last {
            Some(known) if known.is_under_way => return None,
            Some(known) if known.copy == *copy => {
                if now.saturating_sub(known.begun_at) < copy.every {
                    return None;
                }
                known.looked_at
            }
            _ => None,
        };
        self.0.retain(|known| known.copy.to != copy.to);
        self.0.push(Known { copy: copy.clone(), is_under_way: true, begun_at: now, looked_at });
        let is_known = looked_at.is_some_and(|at| now.saturating_sub(at) < LOOK_AT_ALL_EVERY);
        Some(if is_known { Look::New } else { Look::There })
    }

    /// Notes how the one that was begun ended: one that failed has looked at nothing.
    fn end(&mut self, to: &str, look: Look, was_made: bool) {
        for known in self.0.iter_mut().filter(|known| known.copy.to == to) {
            known.is_under_way = false;
            if was_made && look != Look::New {
                known.looked_at = Some(known.begun_at);
            }
        }
    }
}

/// Brings the copies that the configuration names up to date, each as often as it says, for as long as a server runs.
pub(crate) async fn again_and_again(global: Global, store: Store, clock: Clock) {
    let quiet = Global { quiet: true, ..global.clone() };
    let mut schedule = Schedule::default();
    let mut under_way: Vec<(Copy, Look, JoinHandle<bool>)> = Vec::new();
    loop {
        for (copy, look, copying) in under_way.extract_if(.., |(_, _, copying)| copying.is_finished()) {
            // One that panicked was not made.
            schedule.end(&copy.to, look, copying.await.unwrap_or(false));
        }
        let mut rest = LOOK_EVERY;
        // Read each time: the configuration may have changed. Whoever reads it for the server says what is wrong with it.
        if let Ok(home) = Home::find(&global) {
            schedule.keep(&home.config.copies);
            for copy in &home.config.copies {
                rest = rest.min(copy.every);
                let Some(look) = schedule.begin(copy, clock.elapsed()) else { continue };
                let (quiet, home, store, of) = (quiet.clone(), home.clone(), store.clone(), copy.clone());
                // One that takes long holds up nobody else.
                let copying =
                    tokio::task::spawn_blocking(move || scheduled(&quiet, &home, &store, &of, look));
                under_way.push((copy.clone(), look, copying));
            }
        }
        tokio::time::sleep(rest).await;
    }
}

/// Returns whether it was made.
fn scheduled(global: &Global, home: &Home, store: &Store, copy: &Copy, look: Look) -> bool {
    let copied =
        Destination::configured(copy).and_then(|place| once(global, home, store, &place, look, false));
    match copied {
        Ok(copied) => {
            copied.say(global);
            true
        }
        Err(failure) => {
            // Also where nobody asked for more words: a copy that is not made is no copy.
            failure.context("the second copy was not brought up to date").report();
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn copy(to: &str, every: Duration) -> Copy {
        Copy { to: to.to_owned(), every, token_file: None }
    }

    #[test]
    fn a_place_has_one_copy_under_way_however_long_it_takes() {
        let (mut schedule, slow, other) = (Schedule::default(), copy("slow", HOUR), copy("other", HOUR));
        assert_eq!(schedule.begin(&slow, HOUR), Some(Look::There));
        assert_eq!(schedule.begin(&other, HOUR), Some(Look::There), "others are not held up");
        for n in 2..9 {
            assert_eq!(schedule.begin(&slow, n * HOUR), None, "{n}");
        }
        // Also where the configuration forgot it and named it anew, or in another way.
        schedule.keep(&[]);
        assert_eq!(schedule.begin(&copy("slow", HOUR / 2), 9 * HOUR), None);
        schedule.end("slow", Look::There, true);
        assert_eq!(schedule.begin(&slow, 9 * HOUR), Some(Look::New), "it has been due for long");
        schedule.end("slow", Look::New, true);
        assert_eq!(
            schedule.begin(&slow, 10 * HOUR - HOUR / 9),
            None,
            "not before an hour after it was begun"
        );
        assert_eq!(schedule.begin(&slow, 10 * HOUR), Some(Look::New));
    }

    #[test]
    fn only_what_was_looked_at_to_the_end_rests_for_a_day() {
        let (mut schedule, copy) = (Schedule::default(), copy("second", HOUR));
        let mut hour = 0;
        let mut goes = |was_made: bool| {
            hour += 1;
            let look = schedule.begin(&copy, hour * HOUR).unwrap();
            schedule.end("second", look, was_made);
            look
        };
        assert_eq!((goes(false), goes(false), goes(true)), (Look::There, Look::There, Look::There));
        assert!((0..23).all(|_| goes(true) == Look::New));
        assert_eq!((goes(false), goes(true), goes(true)), (Look::There, Look::There, Look::New));
    }

    #[test]
    fn what_the_configuration_says_anew_is_tried_at_once() {
        let mut schedule = Schedule::default();
        let with_token = Copy { token_file: Some("token".into()), ..copy("second", HOUR) };
        assert!(schedule.begin(&copy("second", HOUR), HOUR).is_some());
        schedule.end("second", Look::There, false);
        assert_eq!(schedule.begin(&copy("second", HOUR), HOUR), None);
        assert_eq!(schedule.begin(&with_token, HOUR), Some(Look::There));
        assert_eq!(schedule.0.len(), 1);
    }
}
