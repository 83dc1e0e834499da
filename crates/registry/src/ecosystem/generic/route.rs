//! What a request wants from a server nobody knows.

use http::{Method, header};

use super::accept;
use crate::class::{Class, Head, Redirects};

const GIT: &str = "nobody keeps this git repository";
const PUSH: &str = "a push changes something upstream";
const LFS: &str = "git LFS is not kept yet";

/// Services whose POST only asks: the answer depends on the body and on nothing else.
///
/// OSV: <https://google.github.io/osv.dev/api/> (read 2026-11).
const QUESTIONS: [(&str, &str); 2] = [("api.osv.dev", "/v1/query"), ("api.osv.dev", "/v1/querybatch")];

/// Returns what a request wants; this always has an answer.
pub(super) fn classify(head: &Head<'_>) -> Class {
    if head.headers.contains_key(header::UPGRADE)
        && head.header(&header::UPGRADE).to_ascii_lowercase().contains("websocket")
    {
        return live("a WebSocket is a conversation, not a document");
    }
    if let Some(class) = git(head) {
        return class;
    }
    let url = head.url;
    match *head.method {
        Method::GET | Method::HEAD => {
            let variant = accept::variant(head.headers);
            if variant == "text/event-stream" {
                live("an event stream has no end")
            } else {
                Class::Document { variant, redirects: Redirects::HandedBack }
            }
        }
        Method::POST if QUESTIONS.contains(&(url.host(), url.path())) => Class::Question,
        Method::POST => live("the answer to this POST may depend on more than its body"),
        Method::PUT | Method::DELETE | Method::PATCH => {
            live(&format!("a {} may change something upstream", head.method))
        }
        _ => live(&format!("answers to {} are not kept", head.method)),
    }
}

/// Smart HTTP as in gitprotocol-http(5), and the batch API of LFS.
fn git(head: &Head<'_>) -> Option<Class> {
    let path = head.url.path();
    let repository = || Class::Repository { reason: GIT.to_owned() };
    if head.is_read() {
        let asks = |service: &str| {
            path.ends_with("/info/refs") && head.query().split('&').any(|pair| pair == service)
        };
        return match () {
            () if asks("service=git-upload-pack") => Some(repository()),
            () if asks("service=git-receive-pack") => Some(live(PUSH)),
            () => None,
        };
    }
    match () {
        () if *head.method != Method::POST => None,
        () if path.ends_with("/git-upload-pack") => Some(repository()),
        () if path.ends_with("/git-receive-pack") => Some(live(PUSH)),
        () if path.ends_with("/info/lfs/objects/batch") => Some(live(LFS)),
        () => None,
    }
}

fn live(reason: &str) -> Class {
    Class::Live { reason: reason.to_owned() }
}
