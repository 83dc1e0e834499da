//! The first copy of a repository.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::super::folder;
use super::super::usage::timed;
use super::corpus::{History, ask, import, init, pack};
use super::keepers::{Keeper, Tool};
use super::upstream::Upstream;
use super::{Bench, Figure, HEAD, QUICK, Sizes, Table, WHOLE, disk_mb, plain, prepare};
use crate::step::{output, root};

const SEED: u64 = 7;
/// More repositories to measure with, besides a generated one and our own.
const REPOSITORIES: &str = "OUTLAST_BENCH_REPOSITORIES";

pub(super) const BENCH: Bench = Bench {
    name: "git-first",
    method: "The first copy of a generated repository of 5,000 commits, of our own, and of those that `OUTLAST_BENCH_REPOSITORIES` names, from nginx with fcgiwrap and \
        `git-http-backend` over plain HTTP on loopback, packed as `git repack -adf` does it: `git clone \
        --mirror`, which python-github-backup runs as well; gickup with `mirror`; `outlast adopt` with an empty \
        home, which syncs what it keeps to the disk and writes it into its journal. CPU of the client with its \
        children, user and system; what was resident at most in one of its processes; the disk of everything \
        that is kept; 5 interleaved rounds after one that is not counted, each in a new folder. The server \
        shares the cores and is not counted.",
    measure: || measure(&WHOLE),
    quick: Some(|| measure(&QUICK)),
};

/// Makes the repository that is served, kept and looked back at.
pub(super) fn make(sizes: &Sizes, folder: &Path) -> Result<History> {
    init(folder)?;
    let mut history = History::new(SEED);
    import(folder, |mut to| history.write(sizes.n_commits, &mut to))?;
    pack(folder)?;
    Ok(history)
}

/// Returns the CPU and wall time, memory and disk of everybody.
fn measure(sizes: &Sizes) -> Result<Table> {
    let outlast = prepare(sizes)?;
    let place = folder()?;
    let upstream = Upstream::start(&place.path().join("upstream"))?;
    make(sizes, &upstream.repository("generated"))?;
    let mut names = vec!["generated".to_owned()];
    let mut real = vec![root().to_owned()];
    if let Some(more) = std::env::var_os(REPOSITORIES) {
        real.extend(std::env::split_paths(&more));
    }
    for (number, folder) in real.iter().enumerate() {
        let name = if number == 0 { "our own".to_owned() } else { named(folder)? };
        let path = upstream.repository(&name.replace(' ', "-"));
        output(
            plain(Path::new("git"), place.path()).args(["clone", "-q", "--mirror"]).arg(folder).arg(&path),
        )?;
        ask(&path, &["repack", "-adq"])?;
        names.push(name);
    }
    let keepers = Keeper::all(place.path(), &outlast)?;
    let mut rows = Vec::new();
    for name in &names {
        rows.extend(repository(sizes, place.path(), &upstream, &keepers, name)?);
    }
    Ok(Table { head: HEAD, rows })
}

fn named(folder: &Path) -> Result<String> {
    let folder = folder.file_name().and_then(|name| name.to_str()).context("a repository without a name")?;
    Ok(folder.trim_end_matches(".git").to_owned())
}

fn repository(
    sizes: &Sizes,
    place: &Path,
    upstream: &Upstream,
    keepers: &[Keeper],
    shown: &str,
) -> Result<Vec<Vec<String>>> {
    let name = shown.replace(' ', "-");
    let source = upstream.repository(&name);
    let tip = ask(&source, &["rev-parse", "HEAD"])?;
    // github-backup runs the same `git clone --mirror`.
    let keepers: Vec<&Keeper> = keepers.iter().filter(|keeper| keeper.tool != Tool::GithubBackup).collect();
    let mut measured = vec![[const { Vec::new() }; 4]; keepers.len()];
    for round in 0..=sizes.n_rounds {
        for (keeper, figures) in keepers.iter().zip(&mut measured) {
            let own = place.join(format!("{:?} {name} {round}", keeper.tool).replace(' ', "-"));
            let keeper = keeper.elsewhere(&own)?;
            let resident = own.join("resident");
            let mut command = watched(&keeper.first(upstream, std::slice::from_ref(&name))?, &own, &resident);
            let (wall, cpu) = timed(&mut command)?;
            let resident: f64 = std::fs::read_to_string(&resident)?.trim().parse()?;
            keeper.check_has(&name, upstream, &tip)?;
            if round > 0 {
                let disk = disk_mb(&own)?;
                let all = [cpu, wall.as_secs_f64(), resident / 1024.0, disk];
                figures.iter_mut().zip(all).for_each(|(list, figure)| list.push(figure));
            }
            std::fs::remove_dir_all(&own)?;
        }
    }
    let kinds = [("CPU s", 2), ("wall s", 2), ("resident at most, MB", 0), ("on disk, MB", 1)];
    let figure = |(which, (what, n_digits)): (usize, (&str, usize))| Figure {
        what: format!("{shown}: {what}"),
        n_digits,
        sides: keepers.iter().zip(&measured).map(|(keeper, all)| (who(keeper), all[which].clone())).collect(),
    };
    let mut rows = vec![vec![shown.to_owned(), "its shape".to_owned(), shape(&source)?, String::new()]];
    rows.extend(kinds.into_iter().enumerate().map(figure).flat_map(|figure| figure.rows()));
    Ok(rows)
}

const fn who(keeper: &Keeper) -> &'static str {
    match keeper.tool {
        Tool::Git => "`git clone --mirror`",
        Tool::Outlast => "Outlast, `adopt`",
        _ => keeper.name(),
    }
}

/// Returns a command that also writes down, in kB, what was resident at most in one of its processes.
pub(super) fn watched(command: &Command, own: &Path, file: &Path) -> Command {
    let mut time = plain(Path::new("time"), own);
    time.args(["-f", "%M", "-o"]).arg(file).arg(command.get_program()).args(command.get_args());
    time
}

/// Says what a history is like.
pub(super) fn shape(folder: &Path) -> Result<String> {
    let counted = ask(folder, &["count-objects", "-v"])?;
    let number = |key: &str| -> Result<f64> {
        let line = counted.lines().find_map(|line| line.strip_prefix(key)).context("no such count")?;
        Ok(line.trim().parse()?)
    };
    let (n_objects, kilobytes) = (number("in-pack: ")?, number("size-pack: ")?);
    let n_commits: f64 = ask(folder, &["rev-list", "--all", "--count"])?.parse()?;
    let n_merges: f64 = ask(folder, &["rev-list", "--all", "--count", "--merges"])?.parse()?;
    Ok(format!(
        "{n_commits} commits, {:.0} % of them merges, {n_objects} objects of {:.0} bytes packed",
        100.0 * n_merges / n_commits,
        1024.0 * kilobytes / n_objects
    ))
}
