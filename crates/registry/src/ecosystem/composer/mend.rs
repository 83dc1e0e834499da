//! A package's document in which some versions stand as they stood.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{self, Expanded, Form, UNSET};
use super::index::{Package, subject};
use crate::class::IndexRequest;
use crate::splice::{Items, Splice, member};

/// Returns `new` with these versions as `held` has them: republished ones in their place, vanished ones at the end. An
/// entry keeps its bytes unless it, or the one before from which it inherits, is another one now.
pub(super) fn with_versions(
    request: &IndexRequest,
    new: &[u8],
    held: &[u8],
    versions: &BTreeSet<&str>,
) -> Option<Vec<u8>> {
    if versions.is_empty() {
        return Some(new.to_vec());
    }
    let name = subject(request)?;
    let (new, held) = (std::str::from_utf8(new).ok()?, std::str::from_utf8(held).ok()?);
    let (new_document, held_document): (Package<'_>, Package<'_>) =
        (serde_json::from_str(new).ok()?, serde_json::from_str(held).ok()?);
    let before = wanted(&held_document, &name, versions)?;
    let list = new_document.list(&name)?;
    let entries: Items<'_> = serde_json::from_str(list).ok()?;
    let form = new_document.form();

    let mut splice = Splice::of(new);
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
    let mut appended = Vec::new();
    for (_, version) in before.iter().filter(|(name, _)| !found.contains(*name)) {
        appended.push(written(version, &is, form));
        is = version.clone();
    }
    splice.append(list, &appended);
    Some(splice.apply().into_bytes())
}

/// Returns the versions that are wanted, by name; nothing if one of them is not there.
fn wanted<'a>(
    document: &Package<'a>,
    name: &str,
    versions: &BTreeSet<&str>,
) -> Option<BTreeMap<String, Expanded<'a>>> {
    let entries: Items<'a> = serde_json::from_str(document.list(name)?).ok()?;
    let mut found = BTreeMap::new();
    entry::expand(&entries, document.form(), |version| {
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
