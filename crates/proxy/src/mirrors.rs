//! Other places of what an upstream does not give, or gives wrong: mirrors that the configuration names.
//!
//! A mirror is believed in nothing. It is asked for files alone, of which a lock or an index has a digest, and never by a room's
//! command, which asks whom it would ask without Outlast.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use model::{ObjectUrl, Proof, SafeUrl};

use crate::copy::Prior;
use crate::decide::Kind;
use crate::flight::{End, Flight};
use crate::session::{Inner, lock};
use crate::upstream::{Chooser, Question, Reply};
use crate::want::Want;
use crate::who::Who;

/// Files that are remembered for having broken off; each costs about 200 bytes.
const N_BROKEN_OFF_MAX: usize = 10_000;

/// A place where the files of a host lie as well, under the same paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMirror {
    /// The host.
    pub of: String,
    /// What stands before the paths there.
    pub base: ObjectUrl,
}

impl FileMirror {
    /// Returns where it has what lies at an address of its host; nothing where the address has secrets, which are the host's.
    fn place(&self, url: &SafeUrl) -> Option<SafeUrl> {
        let object = url.object();
        let is_its = object.authority() == self.of && url.expose() == object.as_str();
        let base = self.base.as_str().trim_end_matches('/');
        SafeUrl::parse(&format!("{base}{}", object.path_and_query())).ok().filter(|_| is_its)
    }
}

impl Inner {
    /// Takes a file from a mirror where nothing came of asking its host, as far as that can be: bytes that have left cannot be taken
    /// back, but whoever asks again is given what a mirror has.
    pub(crate) async fn or_elsewhere(
        self: &Arc<Self>,
        want: &Want,
        prior: Prior,
        flight: &Flight,
        end: End,
    ) -> End {
        if !is_nothing(&end) || !self.has_mirror(want) {
            return end;
        }
        if flight.has_begun() {
            let mut broken_off = lock(&self.broken_off);
            if broken_off.len() < N_BROKEN_OFF_MAX {
                broken_off.insert(want.key.clone());
            }
            return end;
        }
        self.elsewhere(want, prior, flight).await.unwrap_or(end)
    }

    /// Takes a file from a mirror before its host is asked, where that broke off the last time.
    pub(crate) async fn elsewhere_first(
        self: &Arc<Self>,
        want: &Want,
        prior: &Prior,
        flight: &Flight,
    ) -> Option<End> {
        let broke_off = lock(&self.broken_off).remove(&want.key);
        if broke_off { self.elsewhere(want, prior.clone(), flight).await } else { None }
    }

    async fn elsewhere(self: &Arc<Self>, want: &Want, prior: Prior, flight: &Flight) -> Option<End> {
        for place in self.engine.mirrors.iter().filter_map(|mirror| mirror.place(&want.url)) {
            let expected = self.vouched(want).await.filter(|it| it.proof == Proof::Verified)?;
            let Some(reply) = self.ask_mirror(want, place).await else { continue };
            let attempt = self.attempt(&reply.host, want.lane());
            let end = self.transfer(want, reply, prior.clone(), Some(expected), flight, &attempt).await;
            if flight.has_begun() || !is_nothing(&end) {
                return Some(end);
            }
        }
        None
    }

    /// Returns whether a file may be asked for elsewhere: one that everybody may have.
    fn has_mirror(&self, want: &Want) -> bool {
        want.kind() == Kind::File
            && want.who == Who::NOBODY
            && self.is_on_its_own()
            && !self.is_private_name(want.url.object())
            && self.engine.mirrors.iter().any(|mirror| mirror.place(&want.url).is_some())
    }

    /// Asks a mirror, with nothing of whoever asks.
    async fn ask_mirror(&self, want: &Want, place: SafeUrl) -> Option<Reply> {
        let host = place.object().host().to_owned();
        let attempt = self.attempt(&host, want.lane());
        let question = Question::bare(Method::GET, place, HeaderMap::new(), Chooser::Outlast);
        match self.begun(&host, want.lane(), question).await {
            Ok(reply) => {
                self.note_status(&attempt, reply.status, &reply.headers);
                (reply.status == StatusCode::OK).then_some(reply)
            }
            Err(error) => {
                self.note_error(&attempt, &error);
                None
            }
        }
    }
}

/// Returns whether there is nothing that a client could use.
fn is_nothing(end: &End) -> bool {
    match end {
        End::Failed { .. } => true,
        End::Passed { status, .. } => status.is_client_error() || status.is_server_error(),
        End::Landed { held, .. } => held.status >= 400,
        End::GivenUp => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_has_a_hosts_files_under_the_same_paths() {
        let mirror = |base: &str| FileMirror {
            of: "registry.npmjs.org".to_owned(),
            base: ObjectUrl::parse(base).unwrap(),
        };
        let check = |base: &str, url: &str, expected: Option<&str>| {
            let place = mirror(base).place(&SafeUrl::parse(url).unwrap());
            assert_eq!(place.as_ref().map(|place| place.object().as_str()), expected, "{base} {url}");
        };
        let file = "https://registry.npmjs.org/a/-/a-1.0.0.tgz";
        check("https://m.example", file, Some("https://m.example/a/-/a-1.0.0.tgz"));
        check("http://m.example:81/npm/", file, Some("http://m.example:81/npm/a/-/a-1.0.0.tgz"));
        check("https://m.example", "https://other.example/a/-/a-1.0.0.tgz", None);
        check("https://m.example", "https://registry.npmjs.org:8443/a", None);
        check("https://m.example", "https://registry.npmjs.org/a?token=secret", None);
    }
}
