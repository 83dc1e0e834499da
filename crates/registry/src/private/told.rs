//! What a client tells a registry of the packages it has: its questions and notices, without those that are a company's.

use std::borrow::Cow;

use serde_json::Value;

use model::ObjectUrl;

use super::{Placed, PrivateRegistries};
use crate::ecosystem::Ecosystem;
use crate::path;

/// What a package is called in some APIs: `pkg:npm/%40acme/lib@1.0.0`, in Composer's with two slashes more.
const PACKAGE_URL: &str = "pkg:";

impl PrivateRegistries {
    /// Returns what a client posts without each package that only a company's registry is asked for, and without what it says of
    /// it; nothing where it cannot be understood what is said.
    ///
    /// A public registry knows nothing of these: without them its answer is the same. Borrowed where there are none.
    pub fn untold<'a>(&self, ecosystem: &dyn Ecosystem, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if body.trim_ascii().is_empty() {
            return Some(body.into());
        }
        let is_private = |name: &str| self.is_private(ecosystem, name);
        if body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[") {
            let mut value: Value = serde_json::from_slice(body).ok()?;
            let is_changed = without(&mut value, &is_private);
            return Some(if is_changed { value.to_string().into_bytes().into() } else { body.into() });
        }
        let text = std::str::from_utf8(body).ok()?;
        let is_kept = |pair: &&str| {
            let value = pair.split_once('=').map_or(*pair, |(_, value)| value);
            path::decoded(value).map(|value| !is_private(&value))
        };
        let mut kept = Vec::new();
        for pair in text.split('&') {
            if is_kept(&pair)? {
                kept.push(pair);
            }
        }
        Some(kept.join("&").into_bytes().into())
    }

    /// Returns what becomes of a question that names in its query what is a company's, as a search does: nobody else hears of it.
    pub(super) fn asked_about(&self, url: &ObjectUrl) -> Option<Placed> {
        let (_, query) = url.path_and_query().split_once('?')?;
        if self.urls().any(|own| own.host() == url.host()) {
            return None;
        }
        let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let texts: Vec<String> =
            values.filter_map(|value| Some(path::decoded(value)?.replace('+', " "))).collect();
        let words =
            texts.iter().flat_map(|text| text.split(|letter: char| letter.is_whitespace() || letter == ','));
        for word in words.filter(|word| !word.is_empty()) {
            if let Some(registry) = self.0.iter().find(|registry| self.is_private(registry.ecosystem, word)) {
                return Some(Placed::Nowhere { name: word.to_owned(), registry: registry.url.clone() });
            }
        }
        None
    }

    /// Returns whether a text is a private name, perhaps with more around it.
    fn is_private(&self, ecosystem: &dyn Ecosystem, text: &str) -> bool {
        let name = match text.strip_prefix(PACKAGE_URL) {
            Some(rest) => {
                let named = rest.trim_start_matches('/').split_once('/').map_or(rest, |(_, name)| name);
                path::decoded(named).unwrap_or(Cow::Borrowed(named))
            }
            None => Cow::Borrowed(text),
        };
        // A version behind it, where there is one; the first `@` is a scope's.
        let bare = name.char_indices().skip(1).find(|(_, c)| *c == '@').map_or(&*name, |(at, _)| &name[..at]);
        ecosystem.is_name(bare) && self.owner(ecosystem, bare).is_some()
    }
}

/// Takes out what is private, and returns whether there was something.
fn without(value: &mut Value, is_private: &dyn Fn(&str) -> bool) -> bool {
    let is_of_one = |value: &Value| match value {
        Value::String(text) => is_private(text),
        Value::Object(members) => members.get("name").and_then(Value::as_str).is_some_and(is_private),
        _ => false,
    };
    match value {
        Value::Object(members) => {
            let n_before = members.len();
            members.retain(|name, value| !is_private(name) && !value.as_str().is_some_and(is_private));
            let inner =
                members.values_mut().fold(false, |changed, value| without(value, is_private) | changed);
            inner || members.len() < n_before
        }
        Value::Array(items) => {
            let n_before = items.len();
            items.retain(|item| !is_of_one(item));
            let inner = items.iter_mut().fold(false, |changed, item| without(item, is_private) | changed);
            inner || items.len() < n_before
        }
        _ => false,
    }
}
