//! Packages that locks take from git repositories: the repositories are kept, and each commit that a lock names must be there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use host::http::Keyring;
use mirror::{Address, Mirror};
use model::RepoId;
use registry::RepoPin;
use store::Store;

use super::Thing;
use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::tasks::repositories;
use crate::wiring;

/// How many repositories of one thing are taken on; a lock may name as many as it likes, and each is fetched whole.
const N_REPOSITORIES_MAX: usize = 500;
/// And of one that somebody else sent to this server.
const N_SENT_MAX: usize = 50;

/// Why repositories are not up to date.
type Reasons = HashMap<RepoId, String>;

/// What became of the packages of one thing that lie in repositories.
#[derive(Debug, Default)]
pub(super) struct Pinned {
    /// The repositories that were brought up to date.
    pub(super) whole: BTreeSet<RepoId>,
    /// Packages that are not kept, each with where it lies and why.
    pub(super) missing: Vec<(RepoPin, String)>,
    /// The same of packages that have a file as well: the source of these is nowhere but at its host.
    pub(super) without_source: Vec<(RepoPin, String)>,
}

impl Pinned {
    fn new(store: &Store, thing: &Thing, reasons: &Reasons, whole: BTreeSet<RepoId>) -> Self {
        let (without_source, missing) =
            missing(store, thing, reasons).into_iter().partition(|(pin, _)| pin.has_file);
        Self { whole, missing, without_source }
    }
}

/// Takes on the repositories that locks name, gets all of them, and says which commits are not there.
pub(super) async fn adopt(
    global: &Global,
    home: &Home,
    store: &Store,
    thing: &Thing,
) -> Result<Pinned, Failure> {
    if thing.locks.repositories.is_empty() {
        return Ok(Pinned::default());
    }
    let (addresses, mut reasons) = addresses(store, thing)?;
    let mut whole = BTreeSet::new();
    let mirror = wiring::mirror(home, store)?;
    // Whoever sends a lock does not see with Outlast's credentials what nobody has taken on.
    let stranger = wiring::mirror(home, store)?.with_keyring(Keyring::default());
    // Nor is what everybody may see asked for with them.
    let pins = thing.locks.repositories.iter().map(|(_, pin)| pin);
    let needed: BTreeSet<&RepoId> = pins.filter(|pin| !pin.has_file).map(|pin| &pin.repo).collect();
    let is_trusted = |repo: &RepoId| {
        let is_needed = thing.sent_by.is_none() && needed.contains(repo);
        Ok::<_, Failure>(is_needed || store.repo(repo)?.is_some())
    };
    let (mut with_ours, mut without) = (Vec::new(), Vec::new());
    for (repo, address) in &addresses {
        if is_trusted(repo)? { &mut with_ours } else { &mut without }.push(address.clone());
    }
    for (mirror, asked) in [(mirror, with_ours), (stranger, without)] {
        let mirror = Arc::new(mirror);
        for one in repositories::sync(global, &mirror, asked).await {
            if one.is_followed() {
                take_on(&mirror, &addresses[&one.repo])?;
            }
            if one.is_whole {
                whole.insert(one.repo);
            } else {
                reasons.insert(one.repo, one.reasons.join("; "));
            }
        }
    }
    Ok(Pinned::new(store, thing, &reasons, whole))
}

/// Says which packages are not kept; nobody is asked for them.
pub(super) fn look(store: &Store, thing: &Thing) -> Pinned {
    Pinned::new(store, thing, &Reasons::new(), BTreeSet::new())
}

/// Returns where to ask for each repository, and why some are not asked for.
fn addresses(store: &Store, thing: &Thing) -> Result<(BTreeMap<RepoId, Address>, Reasons), Failure> {
    let (mut addresses, mut reasons) = (BTreeMap::new(), Reasons::new());
    let n_max = if thing.sent_by.is_some() { N_SENT_MAX } else { N_REPOSITORIES_MAX };
    // What a build cannot do without comes first.
    let pins = || thing.locks.repositories.iter().map(|(_, pin)| pin);
    let needed_first = pins().filter(|pin| !pin.has_file).chain(pins().filter(|pin| pin.has_file));
    for RepoPin { repo, url, .. } in needed_first {
        if addresses.contains_key(repo) {
            continue;
        }
        if addresses.len() == n_max {
            let reason = format!("more than {n_max} repositories are named");
            reasons.insert(repo.clone(), reason);
            continue;
        }
        // Who has adopted it knows best where it is.
        let known = store.repo(repo)?.and_then(|entry| Address::of(&entry.event));
        let named = || url.as_ref().and_then(|url| Address::parse(url).ok());
        match known.or_else(named) {
            Some(address) => drop(addresses.insert(repo.clone(), address)),
            None => {
                let reason = "only ssh leads to it, and no lock decides that it is asked; `outlast adopt` takes its address";
                reasons.insert(repo.clone(), reason.to_owned());
            }
        }
    }
    Ok((addresses, reasons))
}

fn take_on(mirror: &Mirror, address: &Address) -> Result<(), Failure> {
    if mirror.known(address.repo()).map_err(Failure::no)?.is_none() {
        mirror.take_on(address).map_err(Failure::no)?;
    }
    Ok(())
}

fn missing(store: &Store, thing: &Thing, reasons: &Reasons) -> Vec<(RepoPin, String)> {
    let git = wiring::git();
    let why = |pin: &RepoPin| {
        let held = |revision| tokio::task::block_in_place(|| mirror::has(&git, store, &pin.repo, revision));
        let reason = || reasons.get(&pin.repo).cloned();
        let revision = pin.commit.as_ref().map(|commit| commit.as_str()).or(pin.revision.as_deref());
        match held(revision) {
            Ok(true) => None,
            Ok(false) if matches!(held(None), Ok(true)) => {
                Some(reason().unwrap_or_else(|| "its refs do not lead there".to_owned()))
            }
            Ok(false) => Some(reason().unwrap_or_else(|| "nothing of it is kept yet".to_owned())),
            Err(error) => Some(error.to_string()),
        }
    };
    let mut seen = BTreeSet::new();
    let pins = thing.locks.repositories.iter().map(|(_, pin)| pin);
    pins.filter(|pin| seen.insert((&pin.name, &pin.repo, &pin.commit, &pin.revision, pin.has_file)))
        .filter_map(|pin| Some((pin.clone(), why(pin)?)))
        .collect()
}
