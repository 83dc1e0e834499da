//! Asking for many repositories in which nothing moved.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::super::usage::timed;
use super::corpus::{History, ask, import, init};
use super::keepers::{Keeper, Tool};
use super::upstream::Upstream;
use super::{Bench, Figure, HEAD, QUICK, Sizes, Table, WHOLE, folder, prepare};

const N_COMMITS: usize = 4;

pub(super) const BENCH: Bench = Bench {
    name: "git-poll",
    method: "2,000 repositories with 4 refs each and 200 with 1,000, in which nothing moved, asked for over plain HTTP from nginx with fcgiwrap and \
        `git-http-backend` on loopback: `git remote update --prune` in each mirror, eight at a time (`xargs -P 8`); \
        `fetch_repository` of python-github-backup 0.65.1 for each of a tenth of them; gickup, one run over all; `outlast sync`, one run \
        over all, which asks for eight at a time. Client's CPU, user and system, with all children; 3 interleaved rounds. Afterwards \
        one repository gets a commit, and each of them must get it by the same command. The server shares the cores and is not \
        counted. The last column is the median of the rounds' own ratios to git.",
    measure: || measure(&WHOLE),
    quick: Some(|| measure(&QUICK)),
};

fn measure(sizes: &Sizes) -> Result<Table> {
    let outlast = prepare(sizes)?;
    let mut rows = Vec::new();
    for (n_repositories, n_refs) in sizes.polled {
        rows.extend(poll(sizes.n_polls, &outlast, n_repositories, n_refs)?);
    }
    Ok(Table { head: HEAD, rows })
}

/// Returns the CPU time of everybody for each repository, and how many they ask for in a second.
fn poll(n_rounds: usize, outlast: &Path, n_repositories: usize, n_refs: usize) -> Result<Vec<Vec<String>>> {
    let place = folder()?;
    let upstream = Upstream::start(&place.path().join("upstream"))?;
    let names: Vec<String> = (0..n_repositories).map(|number| format!("r{number}")).collect();
    eprintln!("{} repositories with {n_refs} refs each", names.len());
    for (number, name) in names.iter().enumerate() {
        make(&upstream.repository(name), number, n_refs)?;
    }
    let keepers = Keeper::all(place.path(), outlast)?;
    for keeper in &keepers {
        let (wall, _) = timed(&mut keeper.first(&upstream, part(keeper, &names))?)?;
        eprintln!("{}: all of them for the first time in {:.1} s", keeper.name(), wall.as_secs_f64());
    }
    let mut measured = vec![[const { Vec::new() }; 2]; keepers.len()];
    for _ in 0..n_rounds {
        for (keeper, [cpu_ms, per_second]) in keepers.iter().zip(&mut measured) {
            let names = part(keeper, &names);
            let (wall, cpu) = timed(&mut keeper.again(names)?)?;
            eprintln!("{}: {cpu:.2} s of processors, {:.1} s", keeper.name(), wall.as_secs_f64());
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let n = names.len() as f64;
            cpu_ms.push(cpu * 1000.0 / n);
            per_second.push(n / wall.as_secs_f64());
        }
    }
    check_alive(&keepers, &upstream, &names)?;
    let figure = |which: usize, what: &str, n_digits| Figure {
        what: format!("{n_repositories} with {n_refs} refs each, {what}"),
        n_digits,
        sides: keepers
            .iter()
            .zip(&measured)
            .map(|(keeper, all)| (name(keeper), all[which].clone()))
            .collect(),
    };
    let figures = [figure(0, "CPU ms a repository", 2), figure(1, "repositories a second", 0)];
    Ok(figures.iter().flat_map(Figure::rows).collect())
}

/// Returns the repositories that a tool is asked for: one that starts six processes for each is asked for a tenth.
fn part<'a>(keeper: &Keeper, names: &'a [String]) -> &'a [String] {
    match keeper.tool {
        Tool::GithubBackup => &names[..names.len().div_ceil(10)],
        _ => names,
    }
}

const fn name(keeper: &Keeper) -> &'static str {
    match keeper.tool {
        Tool::Git => "`git remote update --prune`",
        _ => keeper.name(),
    }
}

/// Makes a small repository of its own.
fn make(folder: &Path, number: usize, n_refs: usize) -> Result<()> {
    init(folder)?;
    let mut history = History::with_files(number as u64, 3);
    import(folder, |mut to| history.write(N_COMMITS, &mut to))?;
    let tip = ask(folder, &["rev-parse", "main"])?;
    let names: BTreeSet<String> = (0..n_refs).map(|number| format!("refs/heads/b{number}")).collect();
    // By hand: git would first write a file for each.
    let head = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    let refs = names.iter().fold(head, |text, name| text + &format!("{tip} {name}\n"));
    fs::write(folder.join("packed-refs"), refs)?;
    Ok(())
}

/// Fails if what was measured did nothing: a commit that is new upstream arrives by the same command.
fn check_alive(keepers: &[Keeper], upstream: &Upstream, names: &[String]) -> Result<()> {
    let name = names.first().context("no repositories")?;
    let folder = upstream.repository(name);
    let message = "data 3\nnew";
    import(&folder, |to| {
        writeln!(
            to,
            "commit refs/heads/b0\ncommitter A <a@example.com> 1 +0000\n{message}\nfrom refs/heads/b0^0\n"
        )
    })?;
    let commit = ask(&folder, &["rev-parse", "refs/heads/b0"])?;
    for keeper in keepers {
        timed(&mut keeper.again(part(keeper, names))?)?;
        keeper.check_has(name, upstream, &commit)?;
    }
    Ok(())
}
