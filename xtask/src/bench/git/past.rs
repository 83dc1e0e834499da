//! Clones of what a repository was.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::super::folder;
use super::clones::serve;
use super::corpus::ask;
use super::first;
use super::keepers::{Keeper, Tool};
use super::upstream::Upstream;
use super::wire::{self, Place};
use super::{Bench, QUICK, Sizes, Table, WHOLE, prepare, quartiles};
use crate::step::output;

const NAME: &str = "past";
/// An address names whole seconds.
const SECOND: Duration = Duration::from_millis(1100);

pub(super) const BENCH: Bench = Bench {
    name: "git-past",
    method: "Branches of the generated repository are moved 10,000 times, one at a time, and `outlast sync` follows \
        each move. Then a client asks `outlast serve` for 20 of these states, spread evenly, by their time \
        (`/git/….git@TIME`): for the refs, which must be those of the moment, and for all objects; milliseconds \
        of both up to the first byte of the pack. Nobody else can give past states, so nobody stands beside it.",
    measure: || measure(&WHOLE),
    quick: Some(|| measure(&QUICK)),
};

/// A moment, and where a branch was then.
struct Moment {
    time: String,
    branch: String,
    commit: String,
}

/// Moves branches many times, one at a time, and asks for some of the states that were.
fn measure(sizes: &Sizes) -> Result<Table> {
    let outlast = prepare(sizes)?;
    let place = folder()?;
    let upstream = Upstream::start(&place.path().join("upstream"))?;
    let source = upstream.repository(NAME);
    first::make(sizes, &source)?;
    let keepers = Keeper::all(place.path(), &outlast)?;
    let outlast = keepers.iter().find(|keeper| keeper.tool == Tool::Outlast).context("no Outlast")?;
    let names = [NAME.to_owned()];
    let listed = ask(&source, &["rev-list", "--first-parent", "--reverse", "main"])?;
    let commits: Vec<&str> = listed.lines().collect();
    let n_branches = sizes.n_states.div_ceil(commits.len());
    output(&mut outlast.first(&upstream, &names)?)?;
    let every = (sizes.n_states / sizes.n_moments).max(1);
    let mut moments = Vec::new();
    for number in 0..sizes.n_states {
        let (branch, commit) = (format!("moving{}", number % n_branches), commits[number / n_branches]);
        fs::write(source.join("refs/heads").join(&branch), format!("{commit}\n"))?;
        output(&mut outlast.again(&names)?)?;
        if number % every == every / 2 {
            std::thread::sleep(SECOND);
            let time = output(Command::new("date").args(["-u", "+%Y%m%dT%H%M%SZ"]))?.trim().to_owned();
            moments.push(Moment { time, branch: format!("refs/heads/{branch}"), commit: commit.to_owned() });
            std::thread::sleep(SECOND);
            eprintln!("{number} of {} states", sizes.n_states);
        }
    }
    let (_server, address) = serve(outlast)?;
    let (mut first_ms, mut again_ms) = (Vec::new(), Vec::new());
    for moment in &moments {
        first_ms.push(first_byte_ms(&address, moment)?);
        again_ms.push(first_byte_ms(&address, moment)?);
    }
    let slowest = format!("{:.0}", super::quantile(&first_ms, 1.0));
    let row = |what: &str, measured: String| vec![what.to_owned(), measured];
    let rows = vec![
        row("never asked for before", quartiles(&first_ms, 0)),
        row("the slowest of these", slowest),
        row("asked for again", quartiles(&again_ms, 0)),
    ];
    Ok(Table { head: &["a past state", "first byte of the pack, ms (quartiles)"], rows })
}

/// Clones what was at a moment: refs, then objects.
fn first_byte_ms(address: &str, moment: &Moment) -> Result<f64> {
    let path = format!("/git/forge.example/acme/{NAME}.git@{}", moment.time);
    let place = Place { address: address.to_owned(), path };
    let (took, listed) = place.list()?;
    if wire::find(&listed, &moment.branch) != Some(&*moment.commit) {
        bail!("`{}` is not what `{}` was at {}", moment.commit, moment.branch, moment.time);
    }
    let answered = place.fetch(&wire::ids(&listed))?;
    Ok((took + answered.first).as_secs_f64() * 1000.0)
}
