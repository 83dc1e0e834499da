//! A package's document in which some versions stand as they stood.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{self, Expanded, Form, UNSET};
use super::index::{Package, entries_of};
use super::route::{Document, document_of};
use crate::class::IndexRequest;
use crate::splice::{Members, Splice, member};

/// Keys under which a root names other documents, in which a package that it does not name may be.
const ELSEWHERE_KEYS: [&str; 5] =
    ["metadata-url", "providers-url", "providers-lazy-url", "provider-includes", "includes"];

/// Versions as they stood, by name.
type Stood<'a> = BTreeMap<String, Expanded<'a>>;

/// Returns `new` with these versions as `held` has them: republished ones in their place, vanished ones at the end. An
/// entry keeps its bytes unless it, or the one before from which it inherits, is another one now.
///
/// Why files of the first protocol are not mended: their names say what their bytes are, so another one has another name.
pub(super) fn with_versions(
    request: &IndexRequest,
    new: &[u8],
    held: &[u8],
    versions: &BTreeSet<&str>,
) -> Option<Vec<u8>> {
    if versions.is_empty() {
        return Some(new.to_vec());
    }
    let (new, held) = (std::str::from_utf8(new).ok()?, std::str::from_utf8(held).ok()?);
    let mut splice = Splice::of(new);
    match document_of(&request.url)?.0 {
        Document::Package { name, .. } => {
            let (new, held): (Package<'_>, Package<'_>) =
                (serde_json::from_str(new).ok()?, serde_json::from_str(held).ok()?);
            let stood = wanted(held.list(&name)?, held.form(), versions)?;
            mend(&mut splice, new.list(&name)?, new.form(), &stood)?;
        }
        Document::Root => mend_root(&mut splice, new, held, versions)?,
        Document::Addressed(_) | Document::Answer(_) => return None,
    }
    Some(splice.apply().into_bytes())
}

/// Mends each package that is inside a root. Their versions are named with them: `vendor/name 1.0.0`.
///
/// Why a package that a root no longer names is not always put back: where others are in documents of their own, it may
/// have moved there, and named in the root it would hide all its other versions.
fn mend_root<'a>(
    splice: &mut Splice<'a>,
    new: &'a str,
    held: &'a str,
    versions: &BTreeSet<&str>,
) -> Option<()> {
    let (new, held) = (Members::read(new)?, Members::read(held)?);
    let (list, held) = (new.get("packages")?, Members::read(held.get("packages")?)?);
    // PHP writes an empty map as a list.
    let packages = Members::read(list).unwrap_or_default();
    let mut by_package: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for version in versions {
        let (name, version) = version.split_once(' ')?;
        by_package.entry(name).or_default().insert(version);
    }
    let mut gone = Vec::new();
    for (name, versions) in by_package {
        let stood = wanted(held.get(name)?, Form::Whole, &versions)?;
        if let Some(list) = packages.get(name) {
            mend(splice, list, Form::Whole, &stood)?;
            continue;
        }
        if ELSEWHERE_KEYS.iter().any(|key| new.get(key).is_some()) {
            return None;
        }
        let entries: Vec<String> =
            stood.values().map(|version| written(version, &Expanded::default(), Form::Whole)).collect();
        gone.push(member(name, &format!("[{}]", entries.join(","))));
    }
    if packages.0.is_empty() && !gone.is_empty() {
        splice.replace(list, format!("{{{}}}", gone.join(",")));
    } else {
        splice.append(list, &gone);
    }
    Some(())
}

/// Lets these versions stand in a list or map as they stood.
fn mend<'a>(splice: &mut Splice<'a>, list: &'a str, form: Form, before: &Stood<'a>) -> Option<()> {
    let entries = entries_of(list).ok()?;
    let mut found = BTreeSet::new();
    // What the entry before is in `new`, and what it is in the result.
    let (mut number, mut was, mut is) = (0, Expanded::default(), Expanded::default());
    entry::expand(&entries, form, |version| {
        let now = version.version().and_then(|name| {
            let (known, stood) = before.get_key_value(name.as_str())?;
            found.insert(known.clone());
            Some(stood)
        });
        let now = now.unwrap_or(version).clone();
        let inherits_the_same = form == Form::Whole || was == is;
        if now != *version || !inherits_the_same {
            splice.replace(entries.0[number], written(&now, &is, form));
        }
        (number, was, is) = (number + 1, version.clone(), now);
    })
    .ok()?;
    let map = Members::read(list);
    let mut appended = Vec::new();
    for (name, version) in before.iter().filter(|(name, _)| !found.contains(*name)) {
        let entry = written(version, &is, form);
        appended.push(match &map {
            None => entry,
            // A key that is there twice has one value only, and which one depends on who reads.
            Some(map) if map.get(name).is_some() => return None,
            Some(_) => member(name, &entry),
        });
        is = version.clone();
    }
    splice.append(list, &appended);
    Some(())
}

/// Returns the versions that are wanted, by name; nothing if one of them is not there.
fn wanted<'a>(list: &'a str, form: Form, versions: &BTreeSet<&str>) -> Option<Stood<'a>> {
    let mut found = BTreeMap::new();
    entry::expand(&entries_of(list).ok()?, form, |version| {
        if let Some(name) = version.version().filter(|name| versions.contains(name.as_str())) {
            found.insert(name, version.clone());
        }
    })
    .ok()?;
    (found.len() == versions.len()).then_some(found)
}

/// Returns an entry with all its keys spelled out, so that it means the same whatever comes before.
fn written(version: &Expanded<'_>, before: &Expanded<'_>, form: Form) -> String {
    let mut members: Vec<String> = version.0.iter().map(|(key, value)| member(key, value)).collect();
    if form == Form::Minified {
        let inherited = before.0.iter().filter(|(key, _)| version.get(key).is_none());
        members.extend(inherited.map(|(key, _)| member(key, UNSET)));
    }
    format!("{{{}}}", members.join(","))
}
