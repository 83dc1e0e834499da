//! Tells those who ask apart by their credentials, without keeping any of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use http::{HeaderMap, header};
use model::{SafeUrl, Sha256, Sha256Hasher};
use ring::hmac;

use crate::headers::CREDENTIALS;

/// How many credentials of one host a session tells apart; what comes with more is passed on and not kept.
const N_CREDENTIALS_MAX: usize = 100_000;
/// The most hosts at which credentials are told apart.
const N_HOSTS_MAX: usize = 10_000;

/// How many cookies a session remembers; what is sent with more is somebody's.
const N_COOKIES_MAX: usize = 10_000;

/// What the variant of an answer to somebody says of them.
const MARK: &str = "with credentials";

/// A secret of the home, with which credentials are turned into names: whoever has the copies and not this key can try no
/// password on them.
#[derive(Clone)]
pub struct CredentialKey(hmac::Key);

impl CredentialKey {
    /// Takes 32 bytes that nobody can guess.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Returns who Outlast itself is at a host at which the configuration has credentials for it, whatever these are.
    pub(crate) fn principal(&self, host: &str) -> Who {
        let mut hasher = Sha256Hasher::new();
        // No client's credentials are hashed like this: theirs begin with a length.
        hasher.update(b"configured credentials of ");
        hasher.update(host.as_bytes());
        self.name(&hasher.finish())
    }

    fn name(&self, credentials: &Sha256) -> Who {
        let mut name = [0; 8];
        name.copy_from_slice(&hmac::sign(&self.0, credentials.as_bytes()).as_ref()[..8]);
        Who(Some(u64::from_be_bytes(name)))
    }
}

impl fmt::Debug for CredentialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialKey")
    }
}

/// Who asks: nobody in particular, or whoever has certain credentials, by the first 64 bits of their HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Who(Option<u64>);

impl Who {
    pub(crate) const NOBODY: Self = Self(None);

    /// Returns the variant of an answer to them: kept apart from what everybody gets, and only for somebody with credentials.
    pub(crate) fn partition(self, variant: &str) -> String {
        let separator = if variant.is_empty() { "" } else { ", " };
        self.0.map_or_else(|| variant.to_owned(), |name| format!("{variant}{separator}{MARK} {name:016x}"))
    }

    /// Returns whether what is kept under a variant is what everybody gets.
    pub(crate) fn is_everybodys(kept: &str) -> bool {
        !kept.contains(MARK)
    }

    /// Returns who got what is kept under `kept`, where it is the answer to the same question to somebody with credentials.
    pub(crate) fn of(variant: &str, kept: &str) -> Option<Self> {
        let rest = kept.strip_prefix(variant)?;
        let rest = if variant.is_empty() { rest } else { rest.strip_prefix(", ")? };
        // The numbers of journals before 2026-11-24, nothing for the first, are names of nobody who asks today.
        let name = match rest.strip_prefix(MARK)? {
            "" => "0",
            rest => rest.strip_prefix(' ')?,
        };
        u64::from_str_radix(name, 16).ok().map(|name| Self(Some(name)))
    }
}

/// What a session did with the credentials that it was asked with at one host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CredentialUse {
    /// Different ones.
    pub n_used: usize,
    /// Answers that somebody with other credentials had got.
    pub n_lent: u64,
}

#[derive(Debug, Default)]
struct AtHost {
    used: HashSet<Who>,
    /// Those for whom nothing was kept when they asked for something that others had got.
    strangers: HashSet<Who>,
    n_lent: u64,
}

/// The credentials that a session has seen, by name.
#[derive(Debug)]
pub(crate) struct Seen {
    key: CredentialKey,
    by_host: HashMap<String, AtHost>,
    /// Cookies that upstreams gave in this session, each with the host and whom it was given to.
    cookies: HashMap<Sha256, (String, Who)>,
}

impl Seen {
    pub(crate) fn new(key: CredentialKey) -> Self {
        Self { key, by_host: HashMap::new(), cookies: HashMap::new() }
    }

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
        let who = self.key.name(&digest);
        if self.by_host.len() >= N_HOSTS_MAX && !self.by_host.contains_key(host) {
            return None;
        }
        let used = &mut self.by_host.entry(host.to_owned()).or_default().used;
        if !used.contains(&who) {
            if used.len() == N_CREDENTIALS_MAX {
                return None;
            }
            used.insert(who);
        }
        Some(who)
    }

    /// Returns which of `others`, newest first, each with what they got, may stand for `who`, who has nothing of their own.
    ///
    /// A rotated token must not lose the copy: what the newest of the others got is most likely theirs, unless they ask in this
    /// very session. Where several ask who are not known, nobody can tell which answer is whose: then only one that all got.
    pub(crate) fn stand_in<T: PartialEq>(
        &mut self,
        host: &str,
        who: Who,
        others: &[(Who, T)],
    ) -> Option<usize> {
        let at_host = self.by_host.entry(host.to_owned()).or_default();
        at_host.strangers.insert(who);
        let absent: Vec<usize> =
            (0..others.len()).filter(|index| !at_host.used.contains(&others[*index].0)).collect();
        let newest = *absent.first()?;
        let is_clear =
            at_host.strangers.len() == 1 || absent.iter().all(|index| others[*index].1 == others[newest].1);
        if is_clear {
            at_host.n_lent += 1;
        }
        is_clear.then_some(newest)
    }

    /// Returns what was done with credentials, by host.
    pub(crate) fn uses(&self) -> BTreeMap<String, CredentialUse> {
        let count = |at_host: &AtHost| CredentialUse { n_used: at_host.used.len(), n_lent: at_host.n_lent };
        self.by_host.iter().map(|(host, at_host)| (host.clone(), count(at_host))).collect()
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

    fn seen(key: u8) -> Seen {
        Seen::new(CredentialKey::new(&[key; 32]))
    }

    fn who(seen: &mut Seen, url: &str, authorization: &str) -> Who {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(http::header::AUTHORIZATION, authorization.parse().unwrap());
        }
        seen.who(&SafeUrl::parse(url).unwrap(), &headers).unwrap()
    }

    #[test]
    fn credentials_have_names_that_only_this_home_gives() {
        let (mut first, mut later, mut another) = (seen(1), seen(1), seen(2));
        let url = "https://a.example/x";
        assert_eq!(who(&mut first, url, ""), Who::NOBODY);
        let (alice, bob) = (who(&mut first, url, "Bearer alice"), who(&mut first, url, "Bearer bob"));
        assert_ne!(alice, bob);
        assert_eq!(who(&mut later, url, "Bearer bob"), bob, "in whatever order they come");
        assert_eq!(who(&mut later, "https://a.example/y", "Bearer alice"), alice, "wherever they ask");
        assert_ne!(who(&mut another, url, "Bearer alice"), alice);
        let token = |value: &str| format!("https://a.example/x?{value}");
        let carol = who(&mut first, &token("private_token=carol"), "");
        assert!(![alice, bob, Who::NOBODY].contains(&carol));
        let tokens = ["token=1", "token=2"].map(|value| who(&mut first, &token(value), ""));
        assert_eq!(tokens[0], tokens[1], "its name tells it apart");
        assert_ne!(who(&mut first, "https://dave@a.example/x", ""), Who::NOBODY);
        assert_eq!(first.uses()["a.example"], CredentialUse { n_used: 5, n_lent: 0 });
        assert!(!format!("{first:?}").contains("alice"));
    }

    #[test]
    fn a_cookie_says_who_got_it() {
        let mut seen = seen(1);
        let send = |seen: &mut Seen, host: &str, cookie: &str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]);
            seen.who(&SafeUrl::parse(&format!("https://{host}/")).unwrap(), &headers).unwrap()
        };
        seen.note_cookie("a.example", b"s=1; Path=/; HttpOnly", Who::NOBODY);
        assert_eq!(send(&mut seen, "a.example", "s=1"), Who::NOBODY, "anybody gets it");
        assert_eq!(send(&mut seen, "files.a.example", "s=1"), Who::NOBODY);
        let mine = send(&mut seen, "a.example", "mine=2");
        assert_eq!(send(&mut seen, "a.example", "s=1; mine=2"), mine);
        seen.note_cookie("a.example", b"t=1", mine);
        assert_eq!(send(&mut seen, "a.example", "s=1; t=1"), mine, "it was given to them");
        assert_ne!(send(&mut seen, "b.example", "t=1"), mine, "somebody at another host");
        assert_ne!(send(&mut seen, "a.example", "s=2"), mine);
    }

    #[test]
    fn what_is_kept_says_whose_it_is() {
        let who = Who(Some(0x2a));
        assert_eq!(Who::NOBODY.partition("a"), "a");
        for variant in ["", "a", "a, b"] {
            assert_eq!(Who::of(variant, &who.partition(variant)), Some(who), "{variant}");
            assert_eq!(Who::of("c", &who.partition(variant)), None, "{variant}");
        }
        let kept = who.partition("a");
        for other in ["a", "", "b, with credentials", "a, with credentials x", &format!("{kept}, as sent")] {
            assert_eq!(Who::of("a", other), None, "{other}");
        }
        for earlier in ["a, with credentials", "a, with credentials 2"] {
            assert!(Who::of("a", earlier).is_some_and(|other| other != who), "{earlier}");
        }
    }

    #[test]
    fn who_is_not_known_gets_what_is_clear() {
        let [alice, bob, carol, dave] = [1, 2, 3, 4].map(|name| Who(Some(name)));
        let mut seen = seen(1);
        let got = [(alice, "new"), (bob, "other"), (alice, "old")];
        assert_eq!(seen.stand_in("a.example", carol, &got), Some(0), "the newest");
        assert_eq!(seen.stand_in("a.example", dave, &got), None, "one of two");
        assert_eq!(seen.stand_in("a.example", dave, &got[..1]), Some(0), "only one answer is there");
        assert_eq!(seen.stand_in("b.example", dave, &got), Some(0), "another host");
        seen.by_host.get_mut("b.example").unwrap().used.insert(alice);
        assert_eq!(seen.stand_in("b.example", dave, &got), Some(1), "alice asks for herself");
        assert_eq!(seen.stand_in("b.example", dave, &got[..0]), None);
        assert_eq!(seen.uses()["a.example"].n_lent, 2);
    }
}
