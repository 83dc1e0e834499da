//! What a clone costs the server that gives it from a copy which followed its upstream three hundred times, how it is while many
//! clone, and what such a copy takes on the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::super::doors::{Served, listening};
use super::super::usage::used_by;
use super::super::{folder, text};
use super::corpus::{History, ask, import, pack};
use super::first;
use super::keepers::{Keeper, Tool};
use super::load;
use super::upstream::Upstream;
use super::wire::Place;
use super::{Bench, Figure, HEAD, QUICK, Sizes, Table, WHOLE, disk_mb, plain, prepare};
use crate::step::output;

const NAME: &str = "followed";
/// As many as are pushed at once, mostly.
const N_COMMITS_A_SYNC: usize = 3;
/// How long a server may take to see that a child of it is done.
const SETTLE: Duration = Duration::from_millis(300);

pub(super) const BENCH: Bench = Bench {
    name: "git-clones",
    method: "A copy of the generated repository follows its upstream 300 times, each time for 3 commits: a mirror of \
        git's as it is, with what its own `gc` does behind the back; one whose `gc` never runs and which keeps \
        each pack that comes; and Outlast's. Then everything is fetched from each, by a client that throws it \
        away and asks in other words each time, 5 interleaved rounds after one that is not counted: git's \
        copies, and one that was packed anew \
        with a bitmap, which is what a forge would do, behind nginx with fcgiwrap and `git-http-backend`; \
        Outlast's by `outlast serve`. CPU is the server's with its children. Under load: 8 clients clone without \
        a pause for 8 s, in as many rounds, others ask for the refs 50 times a second on new connections, at \
        moments that do not depend on the answers; all clone the same, or each in an order of its own, so that \
        no two share an answer. \
        The control: while they clone from Outlast, the refs are asked of a bare hyper server that has \
        them in memory and does nothing else. Clients and servers share the cores. The last column is to the first line.",
    measure: || measure(&WHOLE),
    quick: Some(|| measure(&QUICK)),
};

/// A server with the copy, and how its time is known.
struct Side {
    who: &'static str,
    place: Place,
    server: Server,
}

enum Server {
    Outlast(Served),
    Nginx(Upstream),
}

impl Side {
    /// Returns the seconds of processors that it used so far.
    fn used(&self) -> Result<f64> {
        std::thread::sleep(SETTLE);
        match &self.server {
            Server::Outlast(served) => used_by(served.child.id()),
            Server::Nginx(upstream) => upstream.used(),
        }
    }
}

/// Returns clones, disk, and answers under load.
fn measure(sizes: &Sizes) -> Result<Table> {
    let binary = prepare(sizes)?;
    let place = folder()?;
    let upstream = Upstream::start(&place.path().join("upstream"))?;
    let mut history = first::make(sizes, &upstream.repository(NAME))?;
    let all = Keeper::all(place.path(), &binary)?;
    let outlast = all.iter().find(|keeper| keeper.tool == Tool::Outlast).context("no Outlast")?;
    let git = all.iter().find(|keeper| keeper.tool == Tool::Git).context("no git")?;
    let without_gc = git.elsewhere(&place.path().join("without-gc"))?;
    follow(sizes, &upstream, &mut history, [git, &without_gc, outlast])?;
    let packed = packed_anew(&upstream.repository(NAME), &place.path().join("packed.git"))?;
    let mut rows = disk(&packed, &upstream, [git, &without_gc, outlast])?;
    let sides = [
        behind_nginx("git's mirror as it is", place.path(), &git.copy(NAME, &upstream))?,
        behind_nginx("git's mirror without `gc`", place.path(), &without_gc.copy(NAME, &upstream))?,
        behind_nginx("`git repack -adf` with bitmap", place.path(), &packed)?,
        Side { who: "Outlast", ..served(outlast, &format!("/git/forge.example/acme/{NAME}.git"))? },
    ];
    rows.extend(clones(sizes, &sides)?);
    rows.extend(load::measure(sizes, place.path(), &sides.each_ref().map(|side| (side.who, &side.place)))?);
    Ok(Table { head: HEAD, rows })
}

/// Lets three copies follow an upstream in which something new comes again and again.
fn follow(sizes: &Sizes, upstream: &Upstream, history: &mut History, keepers: [&Keeper; 3]) -> Result<()> {
    let names = [NAME.to_owned()];
    let [_, without_gc, _] = keepers;
    for keeper in keepers {
        output(&mut keeper.first(upstream, &names)?)?;
    }
    for (key, value) in [("gc.auto", "0"), ("maintenance.auto", "false"), ("fetch.unpackLimit", "1")] {
        ask(&without_gc.copy(NAME, upstream), &["config", key, value])?;
    }
    let folder = upstream.repository(NAME);
    for number in 0..sizes.n_syncs {
        import(&folder, |mut to| history.write(N_COMMITS_A_SYNC, &mut to))?;
        for keeper in keepers {
            output(&mut keeper.again(&names)?)?;
        }
        if number % 50 == 0 {
            eprintln!("followed {number} times");
        }
    }
    let tip = ask(&folder, &["rev-parse", "main"])?;
    for keeper in keepers {
        keeper.check_has(NAME, upstream, &tip)?;
        // Git cleans up behind everybody's back.
        while keeper.copy(NAME, upstream).join("gc.pid").exists() {
            std::thread::sleep(SETTLE);
        }
    }
    Ok(())
}

/// Copies a repository and packs it as well as git can.
fn packed_anew(from: &Path, to: &Path) -> Result<PathBuf> {
    output(
        plain(Path::new("git"), Path::new("/"))
            .args(["clone", "-q", "--mirror", "--no-local"])
            .arg(from)
            .arg(to),
    )?;
    pack(to)?;
    Ok(to.to_owned())
}

fn disk(packed: &Path, upstream: &Upstream, keepers: [&Keeper; 3]) -> Result<Vec<Vec<String>>> {
    let [git, without_gc, outlast] = keepers;
    let copy = |keeper: &Keeper| disk_mb(&keeper.copy(NAME, upstream));
    let sides = vec![
        ("`git repack -adf` with bitmap", vec![disk_mb(packed)?]),
        ("git's mirror as it is", vec![copy(git)?]),
        ("git's mirror without `gc`", vec![copy(without_gc)?]),
        ("Outlast, the whole home", vec![disk_mb(outlast.own())?]),
        ("Outlast, what serves, which is derived", vec![copy(outlast)?]),
    ];
    Ok(Figure { what: "on disk after the syncs, MB".to_owned(), n_digits: 1, sides }.rows())
}

/// Serves a folder with nginx and git's own backend, which writes down what it used.
fn behind_nginx(who: &'static str, place: &Path, copy: &Path) -> Result<Side> {
    let own = place.join(format!("nginx {}", who.replace(['`', '\''], "")).replace(' ', "-"));
    let repositories = own.join("repositories");
    fs::create_dir_all(repositories.join("acme"))?;
    std::os::unix::fs::symlink(copy, repositories.join("acme").join(format!("{NAME}.git")))?;
    let upstream = Upstream::counting(&own, &repositories)?;
    let place = Place { address: upstream.address.clone(), path: format!("/acme/{NAME}.git") };
    Ok(Side { who, place, server: Server::Nginx(upstream) })
}

/// Starts Outlast over a home.
fn served(outlast: &Keeper, path: &str) -> Result<Side> {
    let (server, address) = serve(outlast)?;
    let place = Place { address, path: path.to_owned() };
    Ok(Side { who: "Outlast", place, server: Server::Outlast(server) })
}

/// Starts Outlast over a home; returns where it listens.
pub(super) fn serve(outlast: &Keeper) -> Result<(Served, String)> {
    let mut serve = plain(outlast.program(), outlast.own());
    serve.args(["serve", "-q", "--home", text(outlast.own())?, "--listen", "127.0.0.1:0"]);
    let server = listening(serve)?;
    let address = server.base.trim_start_matches("http://").to_owned();
    // It looks at its upstreams when it begins.
    std::thread::sleep(Duration::from_secs(2));
    Ok((server, address))
}

fn clones(sizes: &Sizes, sides: &[Side]) -> Result<Vec<Vec<String>>> {
    let mut measured = vec![[const { Vec::new() }; 3]; sides.len()];
    for round in 0..=sizes.n_rounds {
        for (side, figures) in sides.iter().zip(&mut measured) {
            let before = side.used()?;
            let answered = side.place.clone_in_order(round as u64).with_context(|| side.who)?;
            let cpu = side.used()? - before;
            eprintln!("{}: {:.1} MB in {:?}", side.who, answered.n_bytes as f64 / 1e6, answered.whole);
            if round > 0 {
                let all = [cpu, answered.first.as_secs_f64() * 1000.0, answered.whole.as_secs_f64()];
                figures.iter_mut().zip(all).for_each(|(list, figure)| list.push(figure));
            }
        }
    }
    let kinds = [("server's CPU s", 2), ("first byte of the pack, ms", 0), ("wall s", 2)];
    let figure = |(which, (what, n_digits)): (usize, (&str, usize))| Figure {
        what: format!("a clone after {} syncs, {what}", sizes.n_syncs),
        n_digits,
        sides: sides.iter().zip(&measured).map(|(side, all)| (side.who, all[which].clone())).collect(),
    };
    Ok(kinds.into_iter().enumerate().map(figure).flat_map(|figure| figure.rows()).collect())
}
