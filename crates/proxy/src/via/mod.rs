//! The team's server, which is asked before the origin. When it is gone, slow or has nothing, the origin is asked as ever.
//!
//! What it gives is judged as an upstream's answer is, and kept with the age that it has there: an answer that it could not have
//! confirmed is no fresher here.

pub(crate) mod standing;

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use host::http::Outgoing;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use model::{Freshness, Held, ObjectUrl, SafeUrl, Secret};
use registry::{Placed, PrivateRegistries, Site};

use crate::decide;
use crate::door::FORWARDED;
use crate::fetch::said;
use crate::health::breaker::{Attempt, Gate, Lane, Outcome};
use crate::limits::FIRST_BYTE_TIMEOUT;
use crate::origin::NoReply;
use crate::session::{Inner, lock};
use crate::upstream::{Chooser, Giver, Question, Reply, Standing};
use crate::via::standing::{leads_outwards, standing};
use crate::want::{Shape, Want};
use crate::who::Who;

/// Says to a server that whoever asks is an Outlast: documents are given as their upstreams have them.
pub(crate) const AS_SENT: HeaderName = HeaderName::from_static("outlast-via");
/// Says to another Outlast that what it asks for is a company's by its name, so that nobody else may hear of it.
pub(crate) const IS_PRIVATE: HeaderName = HeaderName::from_static("outlast-private");
/// How long the origin waits for the server: what it has comes in a millisecond, what it has to fetch may come later.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long a body may pause before the rest of it is asked of the origin: together that is less than a second.
const STOPPED: Duration = Duration::from_millis(700);
/// How long a server that is there may take to say so.
const SIGN_OF_LIFE: Duration = Duration::from_millis(400);

/// A team's server, as a run is told of it.
#[derive(Debug, Clone)]
pub struct TeamServer {
    /// Its addresses.
    pub site: Site,
    /// What it lets in by, as it is sent.
    pub authorization: Option<Secret<HeaderValue>>,
    /// What it says is a company's by its name: it alone is asked for that.
    pub names: PrivateRegistries,
}

/// What came of asking a team's server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerUse {
    /// Answers that were used, or could have been.
    pub n_answers: u64,
    /// Why it gave none, the last time that it could not be asked.
    pub trouble: Option<String>,
}

/// A team's server, and how it is known here.
#[derive(Debug, Clone)]
pub(crate) struct Via {
    used: Arc<Mutex<ServerUse>>,
    /// Addresses of which the server has said that they are a company's.
    private: Arc<Mutex<HashSet<ObjectUrl>>>,
    site: Site,
    authorization: Option<Secret<HeaderValue>>,
    names: PrivateRegistries,
    /// Its name and port, by which its health is known.
    host: String,
}

type Asking = Pin<Box<dyn Future<Output = Option<(Reply, Standing)>> + Send>>;

impl Via {
    pub(crate) fn new(server: TeamServer) -> Self {
        let TeamServer { site, authorization, names } = server;
        let host = ObjectUrl::parse(site.base())
            .map_or_else(|_| site.base().to_owned(), |url| url.authority().to_owned());
        Self { used: Arc::default(), private: Arc::default(), site, authorization, names, host }
    }

    /// Returns what of a request the server is told, and who asks.
    fn sent(&self, headers: &HeaderMap) -> HeaderMap {
        let mut sent = HeaderMap::new();
        for name in FORWARDED.iter().chain([&header::ACCEPT_ENCODING, &header::IF_RANGE, &header::RANGE]) {
            if let Some(value) = headers.get(name) {
                sent.insert(name, value.clone());
            }
        }
        sent.extend(self.authorization.as_ref().map(|value| (header::AUTHORIZATION, value.expose().clone())));
        sent
    }

    /// Returns where the server has what lies at an address, unless the address has secrets: they are the origin's alone.
    fn place(&self, url: &SafeUrl) -> Option<SafeUrl> {
        let has_secrets = url.expose() != url.object().as_str();
        let address = self.site.address(url.object().as_str()).filter(|_| !has_secrets)?;
        SafeUrl::parse(&address).ok()
    }
}

impl Inner {
    /// Returns what came of asking the server, if there is one.
    pub(crate) fn server_use(&self) -> Option<ServerUse> {
        let ServerUse { n_answers, trouble } = lock(&self.via.as_ref()?.used).clone();
        let git = self.repositories.as_ref().map(|it| it.server_use()).unwrap_or_default();
        Some(ServerUse { n_answers: n_answers + git.n_answers, trouble: trouble.or(git.trouble) })
    }

    /// Returns whether a name is a company's, by the configuration here or by the server's word.
    pub(crate) fn is_known_private(&self, url: &ObjectUrl) -> bool {
        let says_so = |via: &Via| via.names.place(url) != Placed::Public || lock(&via.private).contains(url);
        self.is_private_name(url) || self.via.as_ref().is_some_and(says_so)
    }

    /// Returns whether a name is the team's server's.
    pub(crate) fn is_server(&self, host: &str) -> bool {
        self.via.as_ref().is_some_and(|via| via.host == host)
    }

    /// Asks the server, then the origin; both, once the server takes long. The first answer that can be used is taken; one that
    /// the server could not have confirmed only where the origin gives none.
    pub(crate) async fn ask_either(
        self: &Arc<Self>,
        want: &Want,
        held: Option<&Held>,
        headers: &HeaderMap,
        origin: impl Future<Output = Result<(Reply, Attempt), NoReply>>,
    ) -> Result<(Reply, Attempt), NoReply> {
        // A company's name goes to the team's server alone, which knows where it is to be asked for.
        let is_private = self.via.is_some() && self.is_known_private(want.url.object());
        let silent = || NoReply::NotAsked("only the team's server is asked for a private name".to_owned());
        let Some((mut asking, attempt)) = self.ask_server(want, headers) else {
            return if is_private { Err(silent()) } else { origin.await };
        };
        if is_private {
            return asking.await.map(|(reply, _)| (reply, attempt)).ok_or_else(silent);
        }
        let mut origin = std::pin::pin!(origin);
        let mut origins = None;
        let early = tokio::time::timeout(PATIENCE, &mut asking).await;
        let servers = match early {
            Ok(servers) => servers,
            Err(_) => tokio::select! {
                servers = &mut asking => servers,
                asked = &mut origin => {
                    if is_usable(&asked) {
                        return asked;
                    }
                    origins = Some(asked);
                    // Whatever the server says is better than nothing.
                    asking.await
                }
            },
        };
        // Whatever the server has of what is a company's is better than what somebody else calls so.
        let is_private = self.is_known_private(want.url.object());
        let servers = match servers {
            Some((reply, _)) if is_private => return Ok((reply, attempt)),
            None if is_private => return Err(silent()),
            servers => servers,
        };
        match servers {
            Some((reply, standing)) if standing.freshness == Freshness::Fresh => Ok((reply, attempt)),
            servers => {
                let asked = match origins {
                    Some(asked) => asked,
                    None => origin.await,
                };
                // What is here already may be newer.
                let is_news =
                    |standing: Standing| held.is_none_or(|held| held.confirmed_at < standing.confirmed_at);
                match servers.filter(|(_, standing)| is_news(*standing)) {
                    Some((reply, _)) if !is_usable(&asked) => Ok((reply, attempt)),
                    _ => asked,
                }
            }
        }
    }

    /// Asks the server for the rest of what broke off, if it may have it.
    pub(crate) async fn ask_server_for_rest(
        self: &Arc<Self>,
        want: &Want,
        headers: &HeaderMap,
    ) -> Option<Reply> {
        let (asking, _) = self.ask_server(want, headers)?;
        Some(tokio::time::timeout(PATIENCE, asking).await.ok().flatten()?.0)
    }

    /// Asks the server a question that nobody's credentials matter to.
    pub(crate) async fn ask_server_question(
        self: &Arc<Self>,
        url: &SafeUrl,
        client: &HeaderMap,
        body: Bytes,
    ) -> Option<(Reply, Standing)> {
        let via = self.via.as_ref()?;
        let place = via.place(url).filter(|_| !self.is_shut(&via.host, Lane::Questions))?;
        let mut headers: HeaderMap = via.sent(client);
        headers.remove(AS_SENT);
        let question = Question {
            method: Method::POST,
            url: place,
            headers,
            body: host::http::whole(body),
            chooser: Chooser::Command,
        };
        let attempt = self.attempt(&via.host, Lane::Questions);
        match self.line.ask_server(question, &via.host).await {
            Ok(reply) => {
                self.note_outcome(&attempt, Outcome::Answered, "");
                let standing = standing(&reply.headers, self.engine.clock.now())?;
                Some((Reply { giver: Giver::Server(standing), ..reply }, standing))
            }
            Err(error) => {
                self.note_error(&attempt, &error);
                None
            }
        }
    }

    /// Returns whether the server is asked before the origin, now.
    pub(crate) fn has_server(&self, lane: Lane) -> bool {
        self.via.as_ref().is_some_and(|via| !self.is_shut(&via.host, lane))
    }

    /// Begins to ask the server, unless it was found down a moment ago, or only the origin can know.
    fn ask_server(self: &Arc<Self>, want: &Want, headers: &HeaderMap) -> Option<(Asking, Attempt)> {
        let via = self.via.clone()?;
        let url = via.place(&want.url)?;
        // What everybody gets may be another thing than what this one gets, unless a lock says what it is.
        if want.who != Who::NOBODY && !self.is_pinned(want) {
            return None;
        }
        match self.take_turn(&via.host, want.lane()) {
            Gate::Open => {}
            Gate::Probe => {
                self.look_after_server(&via, want.lane());
                return None;
            }
            Gate::Shut => return None,
        }
        let mut sent = via.sent(headers);
        sent.insert(AS_SENT, HeaderValue::from_static("1"));
        let attempt = self.attempt(&via.host, want.lane());
        let (inner, who, of) = (self.clone(), want.who, attempt.clone());
        let asked_for = want.url.object().clone();
        let asking = async move {
            let question = Question::bare(Method::GET, url, sent, Chooser::Command);
            let asked = tokio::select! {
                asked = inner.line.ask_server(question, &of.host) => asked,
                () = inner.no_sign_of_life(&via, of.lane) => return None,
            };
            match asked {
                Ok(reply) => {
                    inner.note_outcome(&of, Outcome::Answered, "");
                    if reply.headers.contains_key(IS_PRIVATE) {
                        lock(&via.private).insert(asked_for);
                    }
                    let usable = inner.usable(reply, who);
                    lock(&via.used).n_answers += u64::from(usable.is_some());
                    usable
                }
                Err(error) => {
                    inner.note_error(&of, &error);
                    lock(&via.used).trouble = Some(said(&error));
                    None
                }
            }
        };
        Some((Box::pin(asking), attempt))
    }

    fn is_pinned(&self, want: &Want) -> bool {
        let Shape::File(file) = &want.shape else { return false };
        self.vouchers.by_lock(file.coordinate.as_ref(), want.url.object()).is_some()
    }

    /// Returns an answer of the server's that says how it stands; any other is a page of something before it, or none.
    fn usable(&self, reply: Reply, who: Who) -> Option<(Reply, Standing)> {
        let standing = standing(&reply.headers, self.engine.clock.now())?;
        let is_fresh = standing.freshness == Freshness::Fresh;
        let is_one = match reply.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED => true,
            // What the server could not ask for is no absence; and it asks for everybody, not for this one.
            StatusCode::NOT_FOUND | StatusCode::GONE => is_fresh && who == Who::NOBODY,
            status => decide::is_redirect(status) && who == Who::NOBODY && leads_outwards(&reply.headers),
        };
        let mut headers = reply.headers;
        headers.remove("outlast-state");
        let (giver, body) = (Giver::Server(standing), hasty(reply.body));
        is_one.then_some((Reply { giver, headers, body, ..reply }, standing))
    }

    /// Waits for ever, unless the server does not answer a question that costs it nothing: then it is down.
    async fn no_sign_of_life(&self, via: &Via, lane: Lane) {
        tokio::time::sleep(PATIENCE).await;
        if self.is_alive(via, lane).await {
            // It has to fetch what it was asked for. Nobody waits longer for an upstream.
            tokio::time::sleep(FIRST_BYTE_TIMEOUT).await;
        }
    }

    /// Finds out beside whether the server is back.
    fn look_after_server(self: &Arc<Self>, via: &Via, lane: Lane) {
        let (inner, via) = (self.clone(), via.clone());
        self.go_on_beside(async move { _ = inner.is_alive(&via, lane).await });
    }

    async fn is_alive(&self, via: &Via, lane: Lane) -> bool {
        let attempt = self.attempt(&via.host, lane);
        let Ok(url) = SafeUrl::parse(&format!("{}/healthz", via.site.base())) else { return false };
        let question = Question::bare(Method::GET, url, HeaderMap::new(), Chooser::Command);
        let sign = tokio::time::timeout(SIGN_OF_LIFE, self.line.ask_server(question, &via.host)).await;
        let is_alive = matches!(sign, Ok(Ok(_)));
        let outcome = if is_alive { Outcome::Answered } else { Outcome::Hung };
        if !is_alive {
            lock(&via.used).trouble = Some("it gives no sign of life".to_owned());
        }
        self.note_outcome(&attempt, outcome, "the team's server gives no sign of life");
        is_alive
    }
}

/// Returns whether an origin's answer is one.
fn is_usable(asked: &Result<(Reply, Attempt), NoReply>) -> bool {
    asked.as_ref().is_ok_and(|(reply, _)| !reply.is_played() && !decide::is_trouble(reply.status))
}

/// Breaks a body off that stops for as long as nobody would wait for a server: the rest then comes from the origin.
fn hasty(body: Outgoing) -> Outgoing {
    let frames = stream::unfold(body, |mut body| async move {
        match tokio::time::timeout(STOPPED, body.frame()).await {
            Ok(None) => None,
            Ok(Some(frame)) => Some((frame, body)),
            Err(_) => Some((Err("the team's server stopped in the middle".into()), body)),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_secrets_is_no_affair_of_the_servers() {
        let via = Via::new(TeamServer {
            site: Site::new(&ObjectUrl::parse("http://10.0.0.1:8642").unwrap()),
            authorization: None,
            names: PrivateRegistries::default(),
        });
        let place = |url: &str| via.place(&SafeUrl::parse(url).unwrap()).map(|url| url.object().to_string());
        assert_eq!(via.host, "10.0.0.1:8642");
        assert_eq!(place("https://pypi.org/simple/six/").unwrap(), "http://10.0.0.1:8642/pypi/simple/six/");
        assert_eq!(place("https://a.example/x?token=secret"), None);
        assert_eq!(place("https://me:secret@a.example/x"), None);
        assert_eq!(place("http://a.example/x"), None);
    }
}
