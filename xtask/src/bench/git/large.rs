//! Very many refs, and a very large file.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::super::usage::timed;
use super::super::{folder, text};
use super::clones::serve;
use super::corpus::{History, ask, import, init};
use super::first::watched;
use super::keepers::{Keeper, Tool};
use super::upstream::Upstream;
use super::{Bench, QUICK, Sizes, Table, WHOLE, plain, prepare};
use crate::step::output;

const N_COMMITS: usize = 1000;
const SEED: u64 = 11;
const REFS: &str = "refs";
const BLOB: &str = "blob";
/// What may be resident in one process while the large file comes, whatever its size.
const RESIDENT_MB_MAX: f64 = 256.0;

pub(super) const BENCH: Bench = Bench {
    name: "git-large",
    method: "A repository with 100,000 refs to 1,000 commits, and one with a file of 2 GiB that cannot be compressed, from nginx with \
        fcgiwrap and `git-http-backend` on loopback: the first copy, a look at it in which nothing moved, one after one ref moved, \
        and a clone with every ref of the copy, by git, from `outlast serve` and from nginx with git's mirror. Wall and CPU \
        time (user and system, with children) of whoever copies or clones, and what was resident at most in one of its \
        processes; each once. It fails where more than 256 MB are resident in a process of Outlast while the large file comes.",
    measure: || measure(&WHOLE),
    quick: Some(|| measure(&QUICK)),
};

fn measure(sizes: &Sizes) -> Result<Table> {
    let outlast = prepare(sizes)?;
    let place = folder()?;
    let upstream = Upstream::start(&place.path().join("upstream"))?;
    make_refs(&upstream.repository(REFS), sizes.n_refs)?;
    make_blob(&upstream.repository(BLOB), sizes.blob_mb)?;
    let keepers: Vec<Keeper> = [Tool::Git, Tool::Outlast]
        .into_iter()
        .filter_map(|tool| Keeper::find(tool, &place.path().join(format!("{tool:?}")), &outlast).transpose())
        .collect::<Result<_>>()?;
    let mut rows = Vec::new();
    for name in [REFS, BLOB] {
        let names = [name.to_owned()];
        let what = match name {
            REFS => format!("{} refs", sizes.n_refs),
            _ => format!("a file of {} MiB", sizes.blob_mb),
        };
        for keeper in &keepers {
            let used = Used::of(&keeper.first(&upstream, &names)?, keeper.own())?;
            rows.push(used.row(format!("{what}: first copy"), keeper.name()));
            if name == BLOB && keeper.tool == Tool::Outlast && used.resident_mb > RESIDENT_MB_MAX {
                bail!("{} MB were resident in a process of Outlast", used.resident_mb);
            }
            // What comes after the first copy, such as merging packs, is no part of the look.
            output(&mut keeper.again(&names)?)?;
            let used = Used::of(&keeper.again(&names)?, keeper.own())?;
            rows.push(used.row(format!("{what}: nothing moved"), keeper.name()));
        }
        let tip = move_one(&upstream.repository(name))?;
        for keeper in &keepers {
            let used = Used::of(&keeper.again(&names)?, keeper.own())?;
            keeper.check_has(name, &upstream, &tip)?;
            rows.push(used.row(format!("{what}: one ref moved"), keeper.name()));
        }
        rows.extend(cloned(place.path(), &upstream, &keepers, name, &what)?);
    }
    Ok(Table { head: &["what", "who", "wall s", "CPU s", "resident at most, MB"], rows })
}

/// What a command used.
struct Used {
    wall_s: f64,
    cpu_s: f64,
    resident_mb: f64,
}

impl Used {
    fn of(command: &Command, own: &Path) -> Result<Self> {
        let file = own.join("resident");
        let (wall, cpu_s) = timed(&mut watched(command, own, &file))?;
        let resident_kb: f64 = fs::read_to_string(&file)?.trim().parse()?;
        Ok(Self { wall_s: wall.as_secs_f64(), cpu_s, resident_mb: resident_kb / 1024.0 })
    }

    fn row(&self, what: String, who: &str) -> Vec<String> {
        eprintln!("{what}: {who}: {:.2} s, {:.0} MB", self.wall_s, self.resident_mb);
        let figures =
            [format!("{:.2}", self.wall_s), format!("{:.2}", self.cpu_s), format!("{:.0}", self.resident_mb)];
        [vec![what, who.to_owned()], figures.to_vec()].concat()
    }
}

/// Clones with every ref what each has.
fn cloned(
    place: &Path,
    upstream: &Upstream,
    keepers: &[Keeper],
    name: &str,
    what: &str,
) -> Result<Vec<Vec<String>>> {
    let outlast = keepers.iter().find(|keeper| keeper.tool == Tool::Outlast).context("no Outlast")?;
    let git = keepers.iter().find(|keeper| keeper.tool == Tool::Git).context("no git")?;
    let (_server, address) = serve(outlast)?;
    let mirror = upstream.repository(&format!("{name}-mirror"));
    std::os::unix::fs::symlink(git.copy(name, upstream), &mirror)?;
    let mut rows = Vec::new();
    for (who, url) in [
        ("git's mirror", upstream.url(&format!("{name}-mirror"))),
        ("Outlast", format!("http://{address}/git/forge.example/acme/{name}.git")),
    ] {
        let into = place.join("clone");
        let mut clone = plain(Path::new("git"), place);
        clone.args(["clone", "-q", "--mirror", &url, text(&into)?]);
        rows.push(Used::of(&clone, place)?.row(format!("{what}: a clone"), who));
        let count = |folder: &Path| ask(folder, &["for-each-ref"]).map(|refs| refs.lines().count());
        if count(&into)? != count(&upstream.repository(name))? {
            bail!("a clone from {who} has not every ref");
        }
        fs::remove_dir_all(&into)?;
    }
    Ok(rows)
}

fn make_refs(folder: &Path, n_refs: usize) -> Result<()> {
    init(folder)?;
    let mut history = History::with_files(SEED, 3);
    import(folder, |mut to| history.write(N_COMMITS, &mut to))?;
    let commits = ask(folder, &["rev-list", "main"])?;
    let mut commits = commits.lines().cycle();
    let mut lines: Vec<String> = (1..n_refs)
        .map(|number| format!("{} refs/heads/b{number}\n", commits.next().unwrap_or_default()))
        .collect();
    lines.sort_by(|one, other| one[41..].cmp(&other[41..]));
    ask(folder, &["pack-refs", "--all"])?;
    let tip = ask(folder, &["rev-parse", "main"])?;
    // By hand: git would first write a file for each.
    let head = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    let refs = lines.iter().fold(head, |text, line| text + line) + &format!("{tip} refs/heads/main\n");
    Ok(fs::write(folder.join("packed-refs"), refs)?)
}

fn make_blob(folder: &Path, blob_mb: usize) -> Result<()> {
    init(folder)?;
    ask(folder, &["config", "core.compression", "0"])?;
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut piece = vec![0; 1 << 20];
    import(folder, |to| {
        writeln!(to, "commit refs/heads/main\ncommitter A <a@example.com> 1 +0000\ndata 5\nlarge")?;
        writeln!(to, "M 100644 inline large\ndata {}", blob_mb << 20)?;
        for _ in 0..blob_mb {
            random.fill(&mut piece);
            to.write_all(&piece)?;
        }
        writeln!(to, "\n")
    })
}

/// Moves the default branch by one commit, and returns that.
fn move_one(folder: &Path) -> Result<String> {
    import(folder, |to| {
        writeln!(
            to,
            "commit refs/heads/main\ncommitter A <a@example.com> 2 +0000\ndata 3\nnew\nfrom refs/heads/main^0\n"
        )
    })?;
    ask(folder, &["rev-parse", "main"])
}
