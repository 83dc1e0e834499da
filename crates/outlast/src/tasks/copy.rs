//! Brings second copies up to date: asked for once, or again and again while a server runs.

use std::time::Duration;

use host::Clock;
use model::Event;
use serde::Serialize;
use store::{CopyReport, Look, Store};
use tokio::task::JoinSet;

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
        let CopyReport { to, n_entries, n_blobs, size_bytes, n_mended, damaged, .. } = &self.report;
        let mended = if *n_mended > 0 {
            format!(", {n_mended} of them in place of damaged ones")
        } else {
            String::new()
        };
        say(
            global,
            &format_args!(
                "outlast: `{to}` has everything: {} and {} of {} were new to it{mended}",
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

/// A second copy that was made since the server started; times are those of its clock.
#[derive(Debug)]
struct Known {
    copy: Copy,
    made_at: Duration,
    /// When all of it was looked at.
    looked_at: Duration,
}

impl Known {
    /// Returns how closely it is to be looked at now.
    fn look(&mut self, now: Duration) -> Look {
        self.made_at = now;
        if now.saturating_sub(self.looked_at) < LOOK_AT_ALL_EVERY {
            return Look::New;
        }
        self.looked_at = now;
        Look::There
    }
}

/// Brings the copies that the configuration names up to date, each as often as it says, for as long as a server runs.
pub(crate) async fn again_and_again(global: Global, store: Store, clock: Clock) {
    let quiet = Global { quiet: true, ..global.clone() };
    let mut known: Vec<Known> = Vec::new();
    let mut under_way = JoinSet::new();
    loop {
        let mut rest = LOOK_EVERY;
        // Read each time: the configuration may have changed. Whoever reads it for the server says what is wrong with it.
        if let Ok(home) = Home::find(&global) {
            let now = clock.elapsed();
            known.retain(|known| home.config.copies.contains(&known.copy));
            for copy in &home.config.copies {
                rest = rest.min(copy.every);
                let last = known.iter().position(|known| known.copy == *copy);
                if last.is_some_and(|index| now.saturating_sub(known[index].made_at) < copy.every) {
                    continue;
                }
                let look = match last {
                    Some(index) => known[index].look(now),
                    None => {
                        known.push(Known { copy: copy.clone(), made_at: now, looked_at: now });
                        Look::There
                    }
                };
                let (quiet, home, store, copy) = (quiet.clone(), home.clone(), store.clone(), copy.clone());
                // One that takes long holds up nobody else.
                under_way.spawn_blocking(move || scheduled(&quiet, &home, &store, &copy, look));
            }
        }
        while under_way.try_join_next().is_some() {}
        tokio::time::sleep(rest).await;
    }
}

fn scheduled(global: &Global, home: &Home, store: &Store, copy: &Copy, look: Look) {
    let copied =
        Destination::configured(copy).and_then(|place| once(global, home, store, &place, look, false));
    match copied {
        Ok(copied) => copied.say(global),
        // Also where nobody asked for more words: a copy that is not made is no copy.
        Err(failure) => _ = failure.context("the second copy was not brought up to date").report(),
    }
}
