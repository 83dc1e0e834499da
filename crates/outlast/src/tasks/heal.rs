//! Makes damaged blobs whole again: from a second copy, or else from whoever they came from.

use std::collections::BTreeMap;

use mirror::{Copy, Mended};
use model::{ObjectUrl, RepoId, Sha256};
use proxy::{Purpose, SessionPlan, Wanted};
use serde::Serialize;
use store::{Damaged, Store};

use crate::copies::FromCopies;
use crate::failure::Failure;
use crate::home::Home;
use crate::wiring;

/// A blob that is whole again.
#[derive(Debug, Serialize)]
pub(crate) struct Healed {
    pub(crate) sha256: Sha256,
    /// A second copy, or `upstream`.
    pub(crate) from: String,
}

/// A repository whose packs are damaged, and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Refetched {
    pub(crate) repo: RepoId,
    /// Why it is as it was; nothing where everything that is served is here again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Whether everything that refs once reached is here as well.
    pub(crate) is_all: bool,
}

/// Has copies of repositories made anew of which packs were damaged: those that are whole again, and the others from their upstreams.
pub(crate) async fn refetch(
    home: &Home,
    store: &Store,
    damaged: &[Damaged],
    healed: &[Healed],
) -> Result<Vec<Refetched>, Failure> {
    let is_healed = |damaged: &Damaged| healed.iter().any(|healed| healed.sha256 == damaged.sha256);
    // Each with its packs that are lost.
    let mut repos: BTreeMap<String, Vec<Sha256>> = BTreeMap::new();
    for damaged in damaged {
        for name in damaged.belongs_to.iter().filter_map(|subject| subject.strip_prefix("repo ")) {
            let lost = repos.entry(name.to_owned()).or_default();
            lost.extend((!is_healed(damaged)).then_some(damaged.sha256));
        }
    }
    let mirror = wiring::mirror(home, store)?;
    let mut refetched = Vec::new();
    for (name, lost) in repos {
        let Ok(repo) = RepoId::from_name(&name) else { continue };
        let address = mirror.known(&repo).map_err(Failure::no)?.filter(|_| !lost.is_empty());
        let Some(address) = address else {
            // The copy may share the bytes that were damaged.
            Copy::discard(&wiring::git(), store, &repo).map_err(Failure::no)?;
            continue;
        };
        let (reason, is_all) = match mirror.mend(&address, lost).await {
            Ok(Mended::Whole { is_all, .. }) => (None, is_all),
            Ok(Mended::Not { reason }) => (Some(reason), false),
            Err(error) => (Some(error.to_string()), false),
        };
        refetched.push(Refetched { repo, reason, is_all });
    }
    Ok(refetched)
}

/// Heals what it can, and returns that; all of it is durable then, and was read back.
pub(crate) async fn heal(home: &Home, store: &Store, damaged: &[Damaged]) -> Result<Vec<Healed>, Failure> {
    let mut healed = from_copies(home, store, damaged).await?;
    healed.retain(|healed| is_whole(store, &healed.sha256));
    let rest = damaged.iter().filter(|damaged| healed.iter().all(|healed| healed.sha256 != damaged.sha256));
    let rest: Vec<&Damaged> = rest.collect();
    let urls =
        rest.iter().flat_map(|damaged| damaged.belongs_to.iter().filter_map(|subject| address(subject)));
    let wanted: Vec<Wanted> = urls.map(Wanted::At).collect();
    if !wanted.is_empty() {
        let session =
            wiring::engine(home, store, &wiring::trust()?, None)?.session(SessionPlan::new(Purpose::Adopt));
        session.adopt(wanted, |_| {}).await;
        session.finish().await;
        store.flush()?;
    }
    for Damaged { sha256, .. } in rest.into_iter().filter(|damaged| is_whole(store, &damaged.sha256)) {
        healed.push(Healed { sha256: *sha256, from: "upstream".to_owned() });
    }
    Ok(healed)
}

/// Reads a blob back, and returns whether it is what it is named after.
pub(crate) fn is_whole(store: &Store, sha256: &Sha256) -> bool {
    store.open_blob(sha256).and_then(|blob| blob.verify()).is_ok()
}

async fn from_copies(home: &Home, store: &Store, damaged: &[Damaged]) -> Result<Vec<Healed>, Failure> {
    let (copies, store) = (FromCopies(home.clone()), store.clone());
    let names: Vec<Sha256> = damaged.iter().map(|damaged| damaged.sha256).collect();
    let healing = tokio::task::spawn_blocking(move || {
        let healed = copies.heal_all(&store, names).into_iter();
        healed.map(|(sha256, from)| Healed { sha256, from }).collect()
    });
    healing.await.map_err(Failure::no)
}

/// Returns the address in the subject of an object that was asked for with GET.
fn address(subject: &str) -> Option<ObjectUrl> {
    let url = subject.strip_prefix("GET ")?.split(' ').next()?;
    ObjectUrl::parse(url).ok()
}
