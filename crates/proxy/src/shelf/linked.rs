//! Large documents that are linked to the server and still on their way to clients: whoever wants the same meanwhile gets the same
//! bytes. Each of a crowd would otherwise have a copy of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use model::{ObjectUrl, Sha256};

use crate::session::lock;

/// Smaller ones lie on the shelf, or cost less than to look for them.
const LARGE_BYTES: u64 = 2 << 20;

/// A document as the server offers it, and the tag of these bytes.
#[derive(Debug, Clone)]
pub(crate) struct Linked {
    pub(crate) bytes: Bytes,
    pub(crate) tag: Arc<str>,
}

/// Those on their way.
#[derive(Debug, Default)]
pub(crate) struct OnTheirWay {
    /// By the upstream's document and the address that it was asked for at.
    all: Mutex<HashMap<(Sha256, ObjectUrl), Weak<Sent>>>,
}

/// What lives as long as somebody still sends it.
#[derive(Debug)]
struct Sent {
    document: Vec<u8>,
    tag: Arc<str>,
}

/// Keeps it alive for as long as there are bytes of it.
struct Owner(Arc<Sent>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0.document
    }
}

impl OnTheirWay {
    /// Returns a document that is on its way, or makes it. Large ones are made one at a time: each takes twice its size.
    pub(crate) fn share(
        &self,
        sha256: Sha256,
        url: &ObjectUrl,
        size_bytes: u64,
        make: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Linked> {
        if size_bytes < LARGE_BYTES {
            let document = make()?;
            let tag = tag_of(&document);
            return Some(Linked { bytes: document.into(), tag });
        }
        let mut all = lock(&self.all);
        all.retain(|_, sent| sent.strong_count() > 0);
        let key = (sha256, url.clone());
        let sent = match all.get(&key).and_then(Weak::upgrade) {
            Some(sent) => sent,
            None => {
                let document = make()?;
                let tag = tag_of(&document);
                let sent = Arc::new(Sent { document, tag });
                all.insert(key, Arc::downgrade(&sent));
                sent
            }
        };
        let tag = sent.tag.clone();
        Some(Linked { bytes: Bytes::from_owner(Owner(sent)), tag })
    }
}

fn tag_of(document: &[u8]) -> Arc<str> {
    format!("\"{}\"", &Sha256::of(document).to_string()[..32]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_is_made_once_while_somebody_has_it() {
        let (sent, url) = (OnTheirWay::default(), ObjectUrl::parse("https://a.example/x").unwrap());
        let mut n_made = 0;
        let mut share = |sha256: &[u8], size_bytes: u64| {
            let make = || {
                n_made += 1;
                Some(vec![7; 10])
            };
            let linked = sent.share(Sha256::of(sha256), &url, size_bytes, make).unwrap();
            (linked, n_made)
        };
        let (first, _) = share(b"1", LARGE_BYTES);
        let (second, n_made) = share(b"1", LARGE_BYTES);
        assert_eq!((n_made, first.bytes.as_ptr()), (1, second.bytes.as_ptr()));
        assert_eq!(first.tag.len(), 34);
        assert_eq!(share(b"2", LARGE_BYTES).1, 2, "another document");
        let part = first.bytes.slice(3..5);
        drop((first, second));
        assert_eq!(share(b"1", LARGE_BYTES).1, 2, "a part of it is still sent");
        drop(part);
        assert_eq!(share(b"1", LARGE_BYTES).1, 3, "nobody has it any more");
        assert_eq!((share(b"3", 10).1, share(b"3", 10).1), (4, 5), "small ones are not looked for");
        assert!(sent.share(Sha256::of(b"4"), &url, LARGE_BYTES, || None).is_none());
    }
}
