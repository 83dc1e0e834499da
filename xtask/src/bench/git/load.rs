//! How long a list of refs takes while others clone.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::super::doors::{Served, listening};
use super::wire::Place;
use super::{Sizes, quantile, quartiles};
use crate::step::{cargo, run, target};

const N_CLONING: usize = 8;
const N_LISTS_A_SECOND: usize = 50;
/// They take turns, so that a slow answer holds up none of the others.
const N_LISTING: usize = 10;

/// Who clones what, while who lists.
struct Load<'a> {
    who: &'a str,
    cloned: &'a Place,
    listed: &'a Place,
    /// Whether each clone is asked for in other words.
    is_each: bool,
}

/// Measures how long a list of refs takes at each place while others clone there. The last one is measured as well with clones
/// that share nothing, and beside a server that only answers with the refs: what it takes is taken by the load on the cores.
pub(super) fn measure(sizes: &Sizes, own: &Path, places: &[(&str, &Place); 4]) -> Result<Vec<Vec<String>>> {
    let [.., (_, outlast)] = places;
    let bare = bare(own, outlast)?;
    let of = |who, cloned, listed, is_each| Load { who, cloned, listed, is_each };
    let mut loads: Vec<Load<'_>> = places.iter().map(|(who, place)| of(*who, place, place, false)).collect();
    loads.push(of("Outlast", outlast, outlast, true));
    for is_each in [false, true] {
        loads.push(of("bare hyper, beside Outlast", outlast, &bare.1, is_each));
    }
    let mut measured = vec![[const { Vec::new() }; 3]; loads.len()];
    for _ in 0..sizes.n_rounds {
        for (load, figures) in loads.iter().zip(&mut measured) {
            let all = load.measure(sizes.load).with_context(|| format!("{} under load", load.who))?;
            eprintln!("{}: {all:.1?}", load.who);
            figures.iter_mut().zip(all).for_each(|(list, figure)| list.push(figure));
        }
    }
    let row = |(load, [half, most, n_clones]): (&Load<'_>, &[Vec<f64>; 3])| {
        let what = format!(
            "refs listed {N_LISTS_A_SECOND} times a second, {N_CLONING} clone {}, ms: p50; p99; clones done",
            if load.is_each { "each in its own words" } else { "the same" }
        );
        let figures = [quartiles(half, 1), quartiles(most, 1), quartiles(n_clones, 0)].join("; ");
        vec![what, load.who.to_owned(), figures, String::new()]
    };
    Ok(loads.iter().zip(&measured).map(row).collect())
}

/// Starts a server that has the list of refs in memory, and nothing else.
fn bare(own: &Path, outlast: &Place) -> Result<(Served, Place)> {
    let file = own.join("refs");
    let (_, answer) = outlast.list()?;
    let refs = answer.split_once("\r\n\r\n").map(|(_, refs)| refs).context("no head")?;
    fs::write(&file, refs)?;
    // In a build of whose own time little shows here.
    run(&mut cargo(&["build", "--quiet", "-p", "server", "--example", "limit"]))?;
    let mut limit = Command::new(target().join("debug/examples/limit"));
    limit.arg(&file).arg("application/x-git-upload-pack-result");
    let served = listening(limit)?;
    let address = served.base.trim_start_matches("http://").to_owned();
    Ok((served, Place { address, path: String::new() }))
}

impl Load<'_> {
    /// Asks for the refs while others clone without a pause; returns the median and the 99th percentile in ms, and how many clones
    /// were done.
    fn measure(&self, time: Duration) -> Result<[f64; 3]> {
        let (is_over, n_clones) = (AtomicBool::new(false), AtomicU32::new(0));
        let clone = || {
            while !is_over.load(Ordering::Relaxed) {
                match self.is_each {
                    true => self.cloned.clone_in_order(fastrand::u64(..))?,
                    false => self.cloned.clone_all()?,
                };
                n_clones.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        };
        let took_ms = std::thread::scope(|scope| {
            let cloning: Vec<_> = (0..N_CLONING).map(|_| scope.spawn(clone)).collect();
            let listing: Vec<_> =
                (0..N_LISTING).map(|number| scope.spawn(move || lists(self.listed, time, number))).collect();
            let mut took_ms = Vec::new();
            let mut trouble = Ok(());
            for thread in listing {
                match thread.join().expect("a listing does not panic") {
                    Ok(one) => took_ms.extend(one),
                    Err(error) => trouble = Err(error),
                }
            }
            is_over.store(true, Ordering::Relaxed);
            for thread in cloning {
                thread.join().expect("a clone does not panic")?;
            }
            trouble.map(|()| took_ms)
        })?;
        let [half, most] = [0.5, 0.99].map(|part| quantile(&took_ms, part));
        Ok([half, most, f64::from(n_clones.load(Ordering::Relaxed))])
    }
}

/// Asks again and again, at moments that do not depend on the answers; returns milliseconds since each of these.
fn lists(place: &Place, load: Duration, number: usize) -> Result<Vec<f64>> {
    let every = Duration::from_secs(1) / (N_LISTS_A_SECOND / N_LISTING) as u32;
    let mut due = Instant::now() + every * number as u32 / N_LISTING as u32;
    let end = due + load;
    let mut took_ms = Vec::new();
    while due < end {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        place.list()?;
        took_ms.push(due.elapsed().as_secs_f64() * 1000.0);
        due += every;
    }
    Ok(took_ms)
}
