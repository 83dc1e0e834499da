//! A packument in which some versions stand as they stood.

use std::collections::BTreeSet;

use crate::splice::{Members, Splice, member};

/// Returns `new` with these versions as `held` has them. The tags stay those of `new`: what is newest is the registry's
/// to say.
pub(super) fn with_versions(new: &[u8], held: &[u8], versions: &BTreeSet<&str>) -> Option<Vec<u8>> {
    let (new, held) = (std::str::from_utf8(new).ok()?, std::str::from_utf8(held).ok()?);
    let (new_top, held_top) = (Members::read(new)?, Members::read(held)?);
    let held_versions = Members::read(held_top.get("versions")?)?;
    let list = new_top.get("versions");
    let listed = list.map_or(Some(Members::default()), Members::read)?;
    let mut splice = Splice::of(new);
    let mut appended = Vec::new();
    for version in versions {
        let entry = held_versions.get(version)?;
        match listed.get(version) {
            None => appended.push(member(version, entry)),
            Some(_) => {
                let all = listed.0.iter().filter(|(name, _)| name == version);
                all.for_each(|(_, there)| splice.replace(there, entry.to_owned()));
            }
        }
    }
    match list {
        Some(list) => splice.append(list, &appended),
        None => splice.append(new.trim(), &[member("versions", &format!("{{{}}}", appended.join(",")))]),
    }
    add_times(&mut splice, &new_top, &held_top, versions);
    Some(splice.apply().into_bytes())
}

/// In the full form each version has its time, which clients sort by.
fn add_times(splice: &mut Splice<'_>, new: &Members<'_>, held: &Members<'_>, versions: &BTreeSet<&str>) {
    let Some(list) = new.get("time") else { return };
    let (Some(times), Some(before)) = (Members::read(list), held.get("time").and_then(Members::read)) else {
        return;
    };
    let missing = versions.iter().filter(|version| times.get(version).is_none());
    let added: Vec<String> =
        missing.filter_map(|version| Some(member(version, before.get(version)?))).collect();
    splice.append(list, &added);
}
