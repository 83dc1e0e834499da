//! Keeps what projects need before anybody asks for it.

mod left;
mod pinned;
mod report;
mod sent;
mod taken;
mod thing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use mirror::Address;
use model::Event;
use proxy::{Adopted, Engine, LastResort, Purpose, Session, SessionPlan};
use store::{Entry, Store};

use self::left::Left;
use self::pinned::Pinned;
pub(crate) use self::report::Report;
pub(crate) use self::sent::{at_server, tell};
pub(crate) use self::taken::Adopting;
pub(crate) use self::thing::Thing;
use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, size};
use crate::tasks::repositories;
use crate::wiring;

/// Letters of a name that are shown, which a lock may make as long as it likes; addresses have under 1000.
const N_LETTERS_MAX: usize = 1000;
/// Missing things that the journal names.
const N_NOTED_MAX: usize = 20;
/// How soon a server notices that there is something to adopt.
const UNCONFIGURED: Duration = Duration::from_secs(10);

/// Keeps what is named, and returns what became of it; when this returns, all that is kept is durable, and the journal says
/// what is kept for each thing.
pub(crate) async fn once(
    global: &Global,
    home: &Home,
    store: &Store,
    things: Vec<Thing>,
) -> Result<Report, Failure> {
    let (engine, mut whole) = (wiring::engine(home, store, &wiring::trust()?, None)?, Report::default());
    for thing in things {
        if let Some(address) = &thing.repository {
            whole.add(repository(global, home, store, address).await?);
            continue;
        }
        let pinned = pinned::adopt(global, home, store, &thing).await?;
        let report = each(global, &engine, Purpose::Adopt, &thing, pinned).await;
        // What is kept comes before the word that it is.
        store.flush()?;
        note(home, store, &thing, &report)?;
        whole.add(report);
    }
    store.flush()?;
    Ok(whole)
}

/// Takes a repository on and gets all of it.
async fn repository(
    global: &Global,
    home: &Home,
    store: &Store,
    address: &Address,
) -> Result<Report, Failure> {
    let mirror = Arc::new(wiring::mirror(home, store)?);
    let known = mirror.known(address.repo()).map_err(Failure::no)?.filter(|known| known != address);
    if let Some(known) = known.as_ref().filter(|known| !known.agrees_with(address)) {
        let error =
            anyhow!("`{}` is followed at `{}`, which is another account's", known.repo(), known.as_str());
        return Err(Failure::no(error).hint("keep the other one in a home of its own, with OUTLAST_HOME"));
    }
    // One that works is not given up for one that may not.
    let is_new =
        known.is_none() && mirror.take_on(address).map_err(Failure::no)? && is_unheard_of(store, address)?;
    let mut report = Report::default();
    for mut one in repositories::sync(global, &mirror, vec![address.clone()]).await {
        if is_new && one.is_absent {
            // Mistyped, or not for us: nobody wants it asked for again and again.
            mirror.leave(address).map_err(Failure::no)?;
            one.reasons.push("nothing of it is kept, and it is not followed".to_owned());
        }
        if let Some(known) = &known {
            if one.is_whole && one.n_held == 0 {
                mirror.take_on(address).map_err(Failure::no)?;
            } else {
                one.is_whole = false;
                one.reasons.push(format!("it stays at `{}`", known.as_str()));
            }
        }
        report.add(Report::of_repository(one));
    }
    Ok(report)
}

/// Returns whether an upstream has never said what it has.
fn is_unheard_of(store: &Store, address: &Address) -> Result<bool, Failure> {
    Ok(store.newest_refs(address.repo())?.is_none())
}

/// Says what of a thing is kept; nobody is asked for what is not.
pub(crate) async fn look(home: &Home, store: &Store, thing: &Thing) -> Result<Report, Failure> {
    let engine = wiring::engine(home, store, &wiring::trust()?, None)?;
    let global = Global { quiet: true, ..Global::default() };
    Ok(each(&global, &engine, Purpose::Inspect, thing, pinned::look(store, thing)).await)
}

async fn each(global: &Global, engine: &Engine, purpose: Purpose, thing: &Thing, pinned: Pinned) -> Report {
    let left = Arc::new(Left::here(Path::new(&thing.name)));
    let last_resort = Some(left.clone() as Arc<dyn LastResort>).filter(|_| purpose == Purpose::Adopt);
    let plan = SessionPlan { pins: thing.locks.pins.clone(), last_resort, ..SessionPlan::new(purpose) };
    let session = engine.session(plan);
    let adopted = fetch(global, &session, thing).await;
    session.finish().await;
    let mut report = Report::new(thing, adopted, pinned);
    if !report.missing.is_empty() && purpose == Purpose::Adopt {
        report.of_no_use = left.of_no_use(thing.locks.pins.iter().map(|(_, pin)| pin));
    }
    report
}

/// Notes in the journal what is kept for a thing, where that is news.
fn note(home: &Home, store: &Store, thing: &Thing, report: &Report) -> Result<(), Failure> {
    let missing = report.missing.iter().map(|it| format!("{}: {}", it.named.name, it.reason));
    let missing = missing.chain(report.unread.iter().cloned());
    let event = |at| Event::Adopted {
        thing: thing.name.clone(),
        sent_by: thing.sent_by.clone(),
        locks: thing.locks.read.clone(),
        n_kept: report.n_kept,
        n_first_seen: report.first_seen.len() as u64,
        n_missing: report.n_missing(),
        missing: missing.take(N_NOTED_MAX).map(|text| speak::in_line(&text, N_LETTERS_MAX)).collect(),
        at,
    };
    let event = event(home.clock.now());
    let adopted = store.adopted()?;
    let is_of_thing =
        |entry: &Entry| matches!(&entry.event, Event::Adopted { thing: other, .. } if *other == thing.name);
    // A mistyped address is no project: nothing of it was ever kept.
    let is_nothing = report.n_kept == 0 && thing.locks.read.is_empty() && !adopted.iter().any(is_of_thing);
    let is_known = adopted.iter().any(|entry| says_the_same(&entry.event, &event));
    if !is_known && !is_nothing {
        store.record(vec![event])?;
    }
    Ok(())
}

fn says_the_same(one: &Event, other: &Event) -> bool {
    let timeless = |event: &Event| match event.clone() {
        Event::Adopted { thing, sent_by, locks, n_kept, n_first_seen, n_missing, missing, .. } => {
            Some((thing, sent_by, locks, n_kept, n_first_seen, n_missing, missing))
        }
        _ => None,
    };
    timeless(one) == timeless(other)
}

/// Keeps what the configuration names, and looks at it again and again: for as long as a server runs.
pub(crate) async fn again_and_again(global: Global, store: Store) {
    let quiet = Global { quiet: true, ..global.clone() };
    loop {
        // Read each time: the configuration may have changed, and so may the locks.
        let rest = match Home::find(&global) {
            Ok(home) if home.config.adopt.things.is_empty() => UNCONFIGURED,
            Ok(home) => {
                let mut whole = Report::default();
                for name in &home.config.adopt.things {
                    // One that is not there holds up none of the others.
                    let adopted = match Thing::find(name) {
                        Ok(thing) => once(&quiet, &home, &store, vec![thing]).await,
                        Err(failure) => Err(failure),
                    };
                    match adopted {
                        Ok(report) => whole.add(report),
                        Err(failure) => whole.unread.push(failure.to_string()),
                    }
                }
                whole.say(&global);
                whole.warn();
                home.config.adopt.every
            }
            // Whoever reads it for the server says what is wrong with it.
            Err(_) => UNCONFIGURED,
        };
        tokio::time::sleep(rest).await;
    }
}

/// Fetches what is wanted and not here yet, and shows how far it is.
async fn fetch(global: &Global, session: &Session, thing: &Thing) -> Vec<Adopted> {
    let bar = speak::bar(global, "adopting {bar:30} {pos} of {len}, {msg} fetched, {eta} left");
    bar.set_message(size(0));
    let adopted = session
        .adopt(thing.wanted(), |progress| {
            bar.set_length(progress.n_wanted as u64);
            bar.set_position(progress.n_done as u64);
            bar.set_message(size(progress.n_bytes));
        })
        .await;
    bar.finish_and_clear();
    adopted
}
