//! Tells those who ask apart by their credentials, within one session and without keeping any of them.

use std::collections::HashMap;

use http::{HeaderMap, header};
use model::{SafeUrl, Sha256, Sha256Hasher};

use crate::headers::CREDENTIALS;

/// How many credentials of one host a session tells apart; what comes with more is passed on and not kept.
const N_CREDENTIALS_MAX: u32 = 100_000;

/// How many cookies a session remembers; what is sent with more is somebody's.
const N_COOKIES_MAX: usize = 10_000;

/// Who asks: nobody in particular, or whoever has the first, the second … credentials that a session used at a host.
///
/// The number is what an answer is kept by: a rotated token must not lose the copy, and two people's answers must not be
/// mistaken for each other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Who(u32);

impl Who {
    pub(crate) const NOBODY: Self = Self(0);

    /// Returns the variant of an answer to them: kept apart from what everybody gets, and only for somebody with credentials.
    pub(crate) fn partition(self, variant: &str) -> String {
        let separator = if variant.is_empty() { "" } else { ", " };
        match self.0 {
            0 => variant.to_owned(),
            1 => format!("{variant}{separator}with credentials"),
            number => format!("{variant}{separator}with credentials {number}"),
        }
    }

    /// Returns whether what is kept under `kept` is the answer to the same question by somebody else with credentials.
    pub(crate) fn is_anothers(self, variant: &str, kept: &str) -> bool {
        let first = Self(1).partition(variant);
        let is_number = |rest: &str| rest.strip_prefix(' ').is_some_and(|rest| rest.parse::<u32>().is_ok());
        self != Self::NOBODY
            && self.partition(variant) != kept
            && kept.strip_prefix(&first).is_some_and(|rest| rest.is_empty() || is_number(rest))
    }
}

/// The credentials that a session has seen, as digests.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    by_host: HashMap<String, HashMap<Sha256, u32>>,
    /// Cookies that upstreams gave in this session, each with the host and whom it was given to.
    cookies: HashMap<Sha256, (String, Who)>,
}

impl Seen {
    /// Returns who asks; nothing where there are too many to be told apart.
    pub(crate) fn who(&mut self, url: &SafeUrl, client: &HeaderMap) -> Option<Who> {
        let host = url.object().host();
        let mut given = Who::NOBODY;
        let mut own_cookies = Vec::new();
        for pair in client.get_all(header::COOKIE).iter().flat_map(|value| pairs(value.as_bytes())) {
            match self.cookies.get(&Sha256::of(pair)) {
                Some((_, Who::NOBODY)) => {}
                Some((giver, who)) if giver == host => given = *who,
                _ => own_cookies.push(pair),
            }
        }
        let Some(digest) = digest(url, client, &own_cookies) else { return Some(given) };
        let known = self.by_host.entry(host.to_owned()).or_default();
        if let Some(number) = known.get(&digest) {
            return Some(Who(*number));
        }
        let number = u32::try_from(known.len()).ok().filter(|n_known| *n_known < N_CREDENTIALS_MAX)? + 1;
        known.insert(digest, number);
        Some(Who(number))
    }

    /// Takes down a cookie that an upstream gave: whoever sends it back is who got it, and no more than that. A replay gives
    /// no cookies, so what was asked with one that everybody gets must be found without it.
    pub(crate) fn note_cookie(&mut self, host: &str, set_cookie: &[u8], who: Who) {
        if self.cookies.len() < N_COOKIES_MAX
            && let Some(pair) = pairs(set_cookie).next()
        {
            self.cookies.insert(Sha256::of(pair), (host.to_owned(), who));
        }
    }
}

/// Returns the pairs of a cookie header; of a `Set-Cookie`, the first is the cookie.
fn pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

/// Returns the digest of everything that says who asks, if something does.
fn digest(url: &SafeUrl, client: &HeaderMap, cookies: &[&[u8]]) -> Option<Sha256> {
    let mut hasher = Sha256Hasher::new();
    let mut is_there = false;
    let mut take = |name: &str, value: &[u8]| {
        is_there = true;
        for part in [name.as_bytes(), value] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    };
    cookies.iter().for_each(|pair| take("cookie", pair));
    for name in CREDENTIALS.iter().filter(|name| **name != header::COOKIE) {
        client.get_all(name).iter().for_each(|value| take(name.as_str(), value.as_bytes()));
    }
    url.each_credential(|name, value| take(name, value.as_bytes()));
    is_there.then(|| hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(seen: &mut Seen, url: &str, authorization: &str) -> u32 {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(http::header::AUTHORIZATION, authorization.parse().unwrap());
        }
        seen.who(&SafeUrl::parse(url).unwrap(), &headers).unwrap().0
    }

    #[test]
    fn credentials_are_numbered_for_each_host() {
        let mut seen = Seen::default();
        let url = "https://a.example/x";
        assert_eq!(who(&mut seen, url, ""), 0);
        assert_eq!(who(&mut seen, url, "Bearer alice"), 1);
        assert_eq!(who(&mut seen, url, "Bearer bob"), 2);
        assert_eq!(who(&mut seen, "https://a.example/y", "Bearer alice"), 1, "wherever they ask");
        assert_eq!(who(&mut seen, "https://b.example/x", "Bearer bob"), 1);
        assert_eq!(who(&mut seen, "https://a.example/x?private_token=carol", ""), 3);
        assert_eq!(who(&mut seen, "https://a.example/x?token=1", ""), 4);
        assert_eq!(who(&mut seen, "https://a.example/x?token=2", ""), 4, "its name tells it apart");
        assert_eq!(who(&mut seen, "https://dave@a.example/x", ""), 5);
        assert!(!format!("{seen:?}").contains("alice"));
    }

    #[test]
    fn a_cookie_says_who_got_it() {
        let mut seen = Seen::default();
        let send = |seen: &mut Seen, host: &str, cookie: &str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]);
            seen.who(&SafeUrl::parse(&format!("https://{host}/")).unwrap(), &headers).unwrap().0
        };
        seen.note_cookie("a.example", b"s=1; Path=/; HttpOnly", Who::NOBODY);
        assert_eq!(send(&mut seen, "a.example", "s=1"), 0, "anybody gets it");
        assert_eq!(send(&mut seen, "files.a.example", "s=1"), 0);
        assert_eq!(send(&mut seen, "a.example", "s=1; mine=2"), 1);
        assert_eq!(send(&mut seen, "a.example", "mine=2"), 1);
        seen.note_cookie("a.example", b"t=1", Who(1));
        assert_eq!(send(&mut seen, "a.example", "s=1; t=1"), 1, "it was given to the first");
        assert_eq!(send(&mut seen, "b.example", "t=1"), 1, "another host's first");
        assert_eq!(send(&mut seen, "a.example", "s=2"), 2);
    }

    #[test]
    fn what_is_kept_says_whose_it_is_by_number() {
        assert_eq!(Who::NOBODY.partition("a"), "a");
        assert_eq!(Who(1).partition(""), "with credentials");
        assert_eq!(Who(3).partition("a"), "a, with credentials 3");
        for kept in ["a, with credentials", "a, with credentials 2"] {
            assert!(Who(3).is_anothers("a", kept), "{kept}");
            assert!(!Who::NOBODY.is_anothers("a", kept), "{kept}");
        }
        for kept in ["a", "", "a, with credentials 3", "b, with credentials", "a, with credentials, as sent"]
        {
            assert!(!Who(3).is_anothers("a", kept), "{kept}");
        }
    }
}
