//! Ways to destroy an origin or to interrupt a mirror, beside what people keep repositories with today: commits that are lost, whether
//! the refs can be had back, and whether anybody was told.

mod origin;
mod play;
mod scene;
mod server;
mod table;
mod ways;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};

use self::origin::Made;
use self::play::{Cell, play};
use self::scene::{Ended, Side};
use self::table::{head, row, shown, sums, title};
use self::ways::{Harm, Way};
use crate::bench;
use crate::bench::git::keepers::{Keeper, Tool};
use crate::step::{self, output, root};

const DOCUMENT: &str = "docs/COMPARISON-GIT.md";
/// Set where mounts are seen by nobody else.
const INSIDE: &str = "OUTLAST_DESTROY_INSIDE";
const N_THREADS: usize = 4;
/// More runs than gickup keeps generations.
const N_RUNS_A_MONTH: usize = 6;
/// Outlast's come first.
const SIDES: [(Tool, server::Way); 7] = [
    (Tool::Outlast, server::Way::Http),
    (Tool::Outlast, server::Way::Daemon),
    (Tool::Outlast, server::Way::Ssh),
    (Tool::Git, server::Way::Http),
    (Tool::GithubBackup, server::Way::Http),
    (Tool::Gickup, server::Way::Http),
    (Tool::GickupKeep, server::Way::Http),
];
const QUICK_SIDES: [(Tool, server::Way); 2] = [SIDES[0], SIDES[3]];

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    is_written: bool,
    is_quick: bool,
    /// Only ways whose names have this in them.
    only: Option<String>,
}

impl Asked {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut asked = Self::default();
        for argument in arguments {
            match *argument {
                "--write" => asked.is_written = true,
                "--quick" => asked.is_quick = true,
                word if !word.starts_with('-') && asked.only.is_none() => asked.only = Some(word.to_owned()),
                _ => bail!("the only arguments are `--write`, `--quick`, and a part of the names of ways"),
            }
        }
        if asked.is_written && (asked.is_quick || asked.only.is_some()) {
            bail!("a part of it is not worth writing down; hint: leave out all but `--write`");
        }
        Ok(asked)
    }
}

/// Plays every way on every tool.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = Asked::parse(arguments)?;
    if std::env::var_os(INSIDE).is_none() {
        return apart(&mut Command::new(std::env::current_exe()?), arguments);
    }
    let outlast = bench::git::binary("dev")?;
    let place = bench::folder()?;
    let mut sides = Vec::new();
    for (tool, server) in if asked.is_quick { &QUICK_SIDES[..] } else { &SIDES } {
        if *server == server::Way::Ssh && !server::prepare_ssh()? {
            eprintln!("without ssh: an sshd that is not installed needs root, and Debian");
            continue;
        }
        let own = place.path().join(format!("{tool:?}-{server:?}"));
        sides.extend(Keeper::find(*tool, &own, &outlast)?.map(|keeper| (keeper, *server)));
    }
    let is_asked = |way: &&Way| {
        !(asked.is_quick && way.is_slow) && asked.only.as_ref().is_none_or(|word| way.name.contains(word))
    };
    let ways: Vec<&Way> = ways::ALL.iter().filter(is_asked).collect();
    let cells = play_all(&ways, &sides, &Made::new(place.path())?, &asked)?;
    let (mut text, mut complaints) = (head(&sides), Vec::new());
    for (way, cells) in ways.iter().zip(&cells) {
        text.push_str(&row(way, cells));
        for ((_, server), cell) in
            sides.iter().zip(cells).filter(|((keeper, _), _)| keeper.tool == Tool::Outlast)
        {
            complaints.extend(cell.iter().flat_map(|cell| complain(way, *server, cell)));
        }
    }
    text.push_str(&sums(&ways, &cells));
    println!("{text}");
    if !complaints.is_empty() {
        bail!("Outlast does not do what it promises:\n{}", complaints.join("\n"));
    }
    if asked.is_written {
        let path = root().join(DOCUMENT);
        let old = fs::read_to_string(&path)?;
        let section = format!("{text}\nMeasured {}.\n", bench::circumstances()?);
        fs::write(&path, bench::put(&old, "destroy", &section))?;
    }
    Ok(())
}

/// Plays what is quick with a binary that is built already, with git alone beside it.
pub(crate) fn quick(outlast: &Path) -> Result<()> {
    let mut own = Command::new(std::env::current_exe()?);
    apart(own.env(bench::git::BINARY, outlast), &["--quick"])
}

/// Goes on where what is mounted is seen by nobody else, and where everything that was started ends with us.
fn apart(own: &mut Command, arguments: &[&str]) -> Result<()> {
    let is_root = output(Command::new("id").arg("-u"))?.trim() == "0";
    let mut unshare = Command::new("unshare");
    unshare.args([if is_root { "-m" } else { "-rm" }, "--propagation", "private"]);
    unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"]);
    unshare.arg(own.get_program()).arg("destroy").args(arguments).env(INSIDE, "1");
    let set = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    match step::status(unshare.envs(set))?.code() {
        Some(0) => Ok(()),
        _ => Err(step::Exit(1).into()),
    }
}

/// Plays ways on tools, some at a time; those in which nothing happens beside the others.
fn play_all(ways: &[&Way], sides: &[Side], made: &Made, asked: &Asked) -> Result<Vec<Vec<Option<Cell>>>> {
    let n_runs = if asked.is_quick { 1 } else { N_RUNS_A_MONTH };
    let cells = Mutex::new(BTreeMap::new());
    let all = (0..ways.len()).flat_map(|way| (0..sides.len()).map(move |side| (way, side)));
    let all = all.filter(|(way, side)| sides[*side].1 == server::Way::Http || ways[*way].is_of_any_server());
    let (slow, others): (Vec<_>, Vec<_>) = all.partition(|(way, _)| ways[*way].is_slow);
    let others = Mutex::new(others.into_iter());
    let one = |(way, side): (usize, usize)| -> Result<()> {
        let (name, who) = (ways[way].name, &sides[side]);
        let cell = play(ways[way], who, made, n_runs).with_context(|| format!("{name}: {}", title(who)))?;
        if !asked.is_quick {
            eprintln!("{name}: {}: {}", title(who), shown(ways[way], &cell));
        }
        cells.lock().expect("no thread panics").insert((way, side), cell);
        Ok(())
    };
    let next = || others.lock().expect("no thread panics").next();
    std::thread::scope(|scope| {
        let one = &one;
        let slow: Vec<_> = slow.into_iter().map(|pair| scope.spawn(move || one(pair))).collect();
        let work = || {
            while let Some(pair) = next() {
                one(pair)?;
            }
            Ok(())
        };
        let others: Vec<_> = (0..N_THREADS).map(|_| scope.spawn(work)).collect();
        slow.into_iter().chain(others).try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    let mut cells = cells.into_inner().expect("no thread panics");
    Ok((0..ways.len()).map(|way| (0..sides.len()).map(|side| cells.remove(&(way, side))).collect()).collect())
}

/// Returns what Outlast did not do that it promises.
fn complain(way: &Way, server: server::Way, cell: &Cell) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut say = |what: String| complaints.push(format!("- {} ({server:?}): {what}", way.name));
    for left in [&cell.soon, &cell.later] {
        if left.n_lost > 0 {
            say(format!("{} of {} commits are lost", left.n_lost, cell.n_commits));
        }
        if !left.is_back {
            say("the refs are not back as they were".to_owned());
        }
    }
    if cell.ended == Ended::Code(0) && !way.gives_all {
        say("a run that did not get everything ended with 0".to_owned());
    }
    if cell.ended != Ended::Code(0) && way.gives_all {
        say(format!("a run that could get everything did not: {:?}", cell.ended));
    }
    if cell.ended == Ended::Waits {
        say("a run waits for ever".to_owned());
    }
    if !is_told(way, cell) {
        say("nobody was told".to_owned());
    }
    if cell.mended.is_some_and(|ended| ended != Ended::Code(0)) {
        say(format!("the next run does not complete it: {:?}", cell.mended));
    }
    complaints
}

/// Returns whether somebody could know; who kills a tool knows it.
fn is_told(way: &Way, cell: &Cell) -> bool {
    matches!(way.harm, Harm::Killed) || cell.is_told || cell.ended != Ended::Code(0)
}

#[cfg(test)]
mod tests {
    use super::play::Left;
    use super::*;

    #[test]
    fn what_is_asked_for_is_all_or_a_part() {
        let check = |arguments: &[&str], expected: Option<(bool, bool, Option<&str>)>| {
            let expected = expected.map(|(is_written, is_quick, only)| Asked {
                is_written,
                is_quick,
                only: only.map(str::to_owned),
            });
            assert_eq!(Asked::parse(arguments).ok(), expected, "{arguments:?}");
        };
        check(&[], Some((false, false, None)));
        check(&["--write"], Some((true, false, None)));
        check(&["--quick", "pack"], Some((false, true, Some("pack"))));
        check(&["--write", "--quick"], None);
        check(&["--write", "pack"], None);
        check(&["--slow"], None);
    }

    /// Checks how many complaints there are about a cell that was changed, under a way that begins so.
    fn check(start: &str, n_expected: usize, change: impl Fn(&mut Cell)) {
        let way = ways::ALL.iter().find(|way| way.name.starts_with(start)).unwrap();
        let left = Left { n_lost: 0, is_back: true };
        let ended = if way.gives_all { Ended::Code(0) } else { Ended::Code(1) };
        let mended = (!matches!(way.harm, Harm::Destroyed(_))).then_some(Ended::Code(0));
        let mut cell = Cell { n_commits: 9, soon: left.clone(), later: left, ended, is_told: true, mended };
        assert_eq!(complain(way, server::Way::Http, &cell), Vec::<String>::new());
        change(&mut cell);
        let complaints = complain(way, server::Way::Http, &cell);
        assert_eq!(complaints.len(), n_expected, "{start}: {complaints:?}");
        assert_eq!(n_expected > 0, shown(way, &cell).contains("**"), "{start}: {}", shown(way, &cell));
    }

    #[test]
    fn every_broken_promise_is_noticed() {
        check("`main` rewound", 0, |_| {});
        check("`main` rewound", 1, |cell| cell.soon.n_lost = 1);
        check("`main` rewound", 1, |cell| cell.later.n_lost = 1);
        check("`main` rewound", 1, |cell| cell.later.is_back = false);
        check("`main` rewound", 1, |cell| cell.is_told = false);
        check("404", 1, |cell| cell.ended = Ended::Code(0));
        check("404", 1, |cell| cell.ended = Ended::Waits);
        check("half a pack", 1, |cell| cell.mended = Some(Ended::Code(1)));
        // Whoever sees it fail is told.
        check("404", 0, |cell| cell.is_told = false);
    }
}
