//! The table: each fault, what becomes of the copy, and what plain git does in its place.

use std::time::Duration;

use fakes::Fault as Http;
use fakes::git::Fault::{Empty, Fatal, FlippedBit, From, HalfPack, Nothing, Pack, Refused};
use fakes::git::Phase::{Advertisement, Fetch, Listing};
use fakes::git::{Fault, Phase};

use super::scene::Scene;
use crate::world::HOST;

/// What becomes of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    /// The upstream says that it has no such repository.
    Absent,
    /// It cannot be asked now.
    Unavailable,
    /// What it gave was not taken.
    NotTaken,
    /// It is followed, but what would be destroyed waits.
    Held,
    /// Nothing is wrong in what was asked.
    Whole,
    /// Nobody could know: what comes first is believed, and the row is not run.
    Believed,
}

/// What `git clone --mirror` and `git remote update --prune` do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// They have what the upstream has.
    Good,
    /// They end with an error, and everything is as it was.
    Fails,
    /// They end well, and have something else.
    Wrong,
    /// They end well, and no ref reaches some commits any more.
    Loses,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) faults: Vec<(Phase, Fault)>,
    /// Of a first mirror, and of a copy that is held.
    pub(super) becomes: [Becomes; 2],
    /// What is said to people.
    pub(super) says: &'static str,
    /// Of a clone, and of an update.
    pub(super) plain: [Plain; 2],
}

use Becomes::{Absent, Believed, Held, NotTaken, Unavailable, Whole};
use Plain::{Fails, Loses, Wrong};

/// Returns every row; a copy that is held does not ask for what the server says of itself.
pub(super) fn all(scene: &Scene) -> Vec<Row> {
    [statuses(), redirects(), listings(scene), packs(scene), silences()].into_iter().flatten().collect()
}

fn row(
    name: impl Into<String>,
    faults: Vec<(Phase, Fault)>,
    becomes: [Becomes; 2],
    says: &'static str,
) -> Row {
    Row { name: name.into(), faults, becomes, says, plain: [Fails, Fails] }
}

impl Row {
    fn plain(self, clone: Plain, update: Plain) -> Self {
        Self { plain: [clone, update], ..self }
    }
}

fn statuses() -> Vec<Row> {
    let status = |status: u16, phase: Phase| {
        (format!("{status} at {phase:?}"), vec![(phase, Http::Status(status).into())])
    };
    [
        (status(401, Listing), Absent, "lets Outlast in (status 401)"),
        (status(403, Listing), Absent, "lets Outlast in (status 403)"),
        (status(451, Listing), Absent, "withholds the repository (status 451)"),
        (status(404, Advertisement), Whole, "no such repository (status 404)"),
        (status(404, Listing), Absent, "no such repository (status 404)"),
        (status(404, Fetch), Absent, "no such repository (status 404)"),
    ]
    .into_iter()
    .map(|((name, faults), held, says)| row(name, faults, [Absent, held], says))
    .collect()
}

fn redirects() -> Vec<Row> {
    let mut rows = Vec::new();
    for (host, says) in [
        (HOST, "to another repository, `forge.example/acme/other`"),
        ("other.example", "to another repository, `other.example/acme/other`"),
    ] {
        let to = |path: &str| Fault::Http(Http::RedirectTo(format!("https://{host}/acme/other.git/{path}")));
        let all = vec![
            (Advertisement, to("info/refs?service=git-upload-pack")),
            (Listing, to("git-upload-pack")),
            (Fetch, to("git-upload-pack")),
        ];
        let only = vec![(Fetch, to("git-upload-pack"))];
        rows.push(row(format!("led to {host}"), all, [Absent, Absent], says).plain(Wrong, Loses));
        rows.push(row(format!("led to {host} at Fetch"), only, [Absent, Absent], "leads"));
    }
    rows
}

fn listings(scene: &Scene) -> Vec<Row> {
    let (before, other) = (|| From(scene.before.clone()), || From(scene.other.clone()));
    let early = "the answer ended too early";
    let says = "the upstream says: no entry";
    vec![
        row("nothing at Advertisement", vec![(Advertisement, Nothing)], [Unavailable, Whole], early),
        row("no capabilities", vec![(Advertisement, Empty)], [Unavailable, Whole], early),
        row(
            "refused at Advertisement",
            vec![(Advertisement, Refused("no entry"))],
            [Unavailable, Whole],
            says,
        ),
        row("nothing at Listing", vec![(Listing, Nothing)], [Unavailable; 2], early),
        row("refused at Listing", vec![(Listing, Refused("no entry"))], [Unavailable; 2], says),
        row("an empty list", vec![(Listing, Empty)], [Whole, Absent], "lists no refs at all any more")
            .plain(Wrong, Loses),
        row("half a list", vec![(Listing, Http::TruncatedJson.into())], [Unavailable; 2], early),
        row(
            "half a list, cut",
            vec![(Listing, Http::ShortChunked.into())],
            [Unavailable; 2],
            "the connection broke",
        ),
        // Who has nothing yet cannot know that there was more; who has, does not go back.
        row("stale refs", vec![(Listing, before())], [Whole, Held], "refs/heads/main (force)")
            .plain(Wrong, Loses),
        row("another one's refs", vec![(Listing, other())], [Unavailable; 2], "not our ref"),
        row(
            "the name is another one's now",
            vec![(Listing, other()), (Fetch, other())],
            [Believed, Held],
            "refs/heads/main (force)",
        )
        .plain(Wrong, Loses),
    ]
}

fn packs(scene: &Scene) -> Vec<Row> {
    let fetch = |fault: Fault| vec![(Fetch, fault)];
    let damaged = "the pack is damaged or incomplete";
    let missing = "objects are missing that the refs need";
    let early = "the answer ended too early";
    let lacks = scene.repository().pack(&["--all"], &[&scene.newest_blob()]);
    vec![
        row("rewritten meanwhile", fetch(From(scene.other.clone())), [Unavailable; 2], "not our ref"),
        row("half a pack, ended", fetch(HalfPack), [NotTaken; 2], damaged),
        row("half a pack, not ended", fetch(Http::TruncatedJson.into()), [Unavailable; 2], early),
        row("half a pack, cut", fetch(Http::Short.into()), [Unavailable; 2], "the connection broke"),
        row(
            "half a pack, cut in a chunk",
            fetch(Http::ShortChunked.into()),
            [Unavailable; 2],
            "the connection broke",
        ),
        row("a turned bit", fetch(FlippedBit), [NotTaken; 2], damaged),
        row("another one's pack", fetch(Pack(scene.other.pack(&["--all"], &[]))), [NotTaken; 2], missing),
        row("a pack that lacks a file", fetch(Pack(lacks)), [NotTaken; 2], missing),
        row("no pack", fetch(Empty), [NotTaken; 2], "no pack"),
        row("nothing at Fetch", fetch(Nothing), [Unavailable; 2], early),
        row("refused at Fetch", fetch(Refused("no entry")), [Unavailable; 2], "the upstream says: no entry"),
        row("fatal", fetch(Fatal("out of memory")), [Unavailable; 2], "the upstream says: out of memory"),
        row("reset", fetch(Http::Reset.into()), [Unavailable; 2], ""),
    ]
}

/// Returns what would take for ever.
fn silences() -> Vec<Row> {
    let drip = || Http::Drip { bytes: 1, every: Duration::from_millis(20) };
    let mut rows = Vec::new();
    for (phase, held) in [(Advertisement, Whole), (Listing, Unavailable), (Fetch, Unavailable)] {
        let faults = |fault: Http| vec![(phase, fault.into())];
        let becomes = [Unavailable, held];
        rows.push(row(format!("silent at {phase:?}"), faults(Http::Hang), becomes, "did not answer within"));
        rows.push(row(
            format!("stalls at {phase:?}"),
            faults(Http::StallAt { percent: 50 }),
            becomes,
            "nothing came for",
        ));
        rows.push(row(format!("drips at {phase:?}"), faults(drip()), becomes, "answered too slowly"));
    }
    rows
}

impl Row {
    /// Returns whether waiting is what it is about.
    pub(super) fn is_silence(&self) -> bool {
        ["silent", "stalls", "drips"].iter().any(|word| self.name.starts_with(word))
    }
}
