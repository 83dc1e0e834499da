//! Messages that Composer prints: `warnings` of a repository's documents since 2.2, of answers about advisories since 2.10.2
//! (composer/composer#12923), of refusals that are `application/json`. Each is for versions of Composer itself.

use model::ObjectUrl;
use serde_json::{Value, json};

use super::route::{Document, document_of};
use crate::splice::{Members, Splice, member};

/// Returns the field of a refusal.
pub(super) fn field(message: &str) -> (&'static str, Value) {
    ("warnings", json!([warning(message)]))
}

fn warning(message: &str) -> Value {
    json!({ "message": message, "versions": "*" })
}

/// Returns a repository's root or an answer about advisories with a message. A package's document gets none: there are
/// hundreds of them in one update, and one line is enough.
pub(super) fn with_message(url: &ObjectUrl, body: &[u8], message: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let document = Members::read(text)?;
    let is_root = document_of(url).is_some_and(|(document, _)| document == Document::Root);
    // Which address has them, a repository says itself.
    if !is_root && document.get("advisories").is_none() {
        return None;
    }
    let mut splice = Splice::of(text);
    match document.get("warnings") {
        Some(list) if list.starts_with('[') => splice.append(list, &[warning(message).to_string()]),
        Some(_) => return None,
        None => splice.append(text, &[member("warnings", &json!([warning(message)]).to_string())]),
    }
    Some(splice.apply().into_bytes())
}
