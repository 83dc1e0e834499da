//! How a request at a server's door is spelled: all of it that says what is wanted, as bytes. Whoever spells the same wants the same,
//! so that nothing of it has to be understood twice.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, header};

use crate::ask::{self, Dress};
use crate::shelf::forms;

/// Longer ones are understood each time; the longest of real clients has about 300 bytes.
const SPELLING_BYTES_MAX: usize = 1 << 10;

/// A spelling that is kept, to be known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spelling(pub(crate) Arc<[u8]>);

/// Room for one spelling, so that looking for it allocates nothing.
#[derive(Debug)]
pub(crate) struct Speller {
    bytes: [u8; SPELLING_BYTES_MAX],
    n_bytes: usize,
}

impl Speller {
    /// Spells a request; nothing where it is no ordinary one: what is no GET, a part, or a word of the upstream's.
    ///
    /// What is left out here must change nothing but what an upstream is sent, as `Accept-Language` does, or be judged anew each
    /// time, as whether the client has it already.
    pub(crate) fn spell(path: &str, method: &Method, client: &HeaderMap) -> Option<Self> {
        if *method != Method::GET || client.contains_key(header::RANGE) || ask::insists(client) {
            return None;
        }
        let mut speller = Self { bytes: [0; SPELLING_BYTES_MAX], n_bytes: 0 };
        speller.add(&[u8::from(forms::accepts_gzip(client)), Dress::of(client) as u8])?;
        speller.add(path.as_bytes())?;
        // Ecosystems tell by these what is wanted: `Head::header`.
        for name in [header::ACCEPT, header::USER_AGENT] {
            // No path and no header has a zero.
            speller.add(&[0])?;
            speller.add(only(client, &name)?)?;
        }
        Some(speller)
    }

    /// Returns the spelling.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.n_bytes]
    }

    /// Returns the spelling, to be kept.
    pub(crate) fn keep(&self) -> Spelling {
        Spelling(self.bytes().into())
    }

    fn add(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.n_bytes + bytes.len();
        self.bytes.get_mut(self.n_bytes..end)?.copy_from_slice(bytes);
        self.n_bytes = end;
        Some(())
    }
}

/// Returns a header, empty where it is absent; nothing where there are several of it.
fn only<'a>(client: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut all = client.get_all(name).iter();
    let first = all.next().map_or(&b""[..], |value| value.as_bytes());
    all.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PATH: &str = "/npm/left-pad";

    fn spelled(path: &str, method: &Method, headers: &[(&'static str, &str)]) -> Option<Spelling> {
        let mut client = HeaderMap::new();
        for (name, value) in headers {
            client.append(HeaderName::from_static(name), HeaderValue::try_from(*value).unwrap());
        }
        Speller::spell(path, method, &client).map(|speller| speller.keep())
    }

    #[test]
    fn whatever_says_what_is_wanted_is_spelled() {
        let all: Vec<_> = [
            spelled(PATH, &Method::GET, &[]),
            spelled("/npm/left-pad?x", &Method::GET, &[]),
            spelled(PATH, &Method::GET, &[("accept", "a")]),
            spelled(PATH, &Method::GET, &[("user-agent", "a")]),
            spelled(PATH, &Method::GET, &[("accept-encoding", "gzip")]),
            spelled(PATH, &Method::GET, &[("outlast-via", "1")]),
            spelled(PATH, &Method::GET, &[("outlast-via", "client")]),
        ]
        .into_iter()
        .map(Option::unwrap)
        .collect();
        for (number, one) in all.iter().enumerate() {
            assert!(!all[..number].contains(one), "{one:?}");
        }
        let with_more =
            [("accept-language", "de"), ("if-none-match", "x"), ("accept-encoding", "br"), ("cookie", "a")];
        assert_eq!(spelled(PATH, &Method::GET, &with_more).as_ref(), Some(&all[0]));
    }

    #[test]
    fn what_is_no_ordinary_request_is_not() {
        assert_eq!(spelled(PATH, &Method::HEAD, &[]), None);
        for headers in [
            &[("range", "bytes=0-1")][..],
            &[("cache-control", "max-age=0, no-cache")],
            &[("accept", "a"), ("accept", "b")],
            &[("user-agent", "a"), ("user-agent", "b")],
        ] {
            assert_eq!(spelled(PATH, &Method::GET, headers), None, "{headers:?}");
        }
        assert_eq!(spelled(&"a".repeat(SPELLING_BYTES_MAX), &Method::GET, &[]), None);
        assert!(spelled(&"a".repeat(SPELLING_BYTES_MAX - 4), &Method::GET, &[]).is_some());
    }
}
