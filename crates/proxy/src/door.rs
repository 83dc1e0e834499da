//! The doors of a server: clients ask paths of it, and what they get links back to it; or they take it for their proxy, and get what
//! lies where they ask.
//!
//! Nothing of who asks goes on to an upstream: who may ask the server is the server's business, and its upstreams hear the server. A
//! proxy's client alone may have what a host gives to nobody without credentials: see `theirs`.

use std::sync::Arc;
use std::time::Duration;

use host::http::Outgoing;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use model::SafeUrl;
use registry::{Coordinate, IndexRequest, Site, Target};

use crate::ask::{Manner, TO_CLIENT};
use crate::refusal::Refusal;
use crate::session::{Inner, Session};
use crate::shelf::spelling::Speller;
use crate::theirs::Theirs;
use crate::via::{AS_SENT, IS_PRIVATE};

/// Headers of a request that say what is wanted; all others are between the client and the server.
pub(crate) const FORWARDED: [HeaderName; 13] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::RANGE,
    header::USER_AGENT,
    HeaderName::from_static("npm-command"),
    AS_SENT,
];

/// Tells the client of an archive that was asked for by its name to go on to its other address at once: after a 5xx it would ask
/// here sixteen times, for 4 s (Composer's `CurlDownloader` and `FileDownloader`, read 2026-11).
const ELSEWHERE: StatusCode = StatusCode::TOO_MANY_REQUESTS;
/// How long an archive waits for the index that says where it lies; its client has another address for it.
const INDEX_PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    /// Answers a request for a path of the server, query included, from memory; nothing where it takes longer. Whoever asks may read:
    /// the gate comes before.
    pub fn ready_at_door(
        &self,
        path: &str,
        method: &Method,
        client: &HeaderMap,
    ) -> Option<Response<Outgoing>> {
        let spelled = Speller::spell(path, method, client)?;
        self.0.give_spelled(spelled.bytes(), &Manner::of(method, client))
    }

    /// Answers a request for a path of the server, query included. Whatever goes wrong, there is an answer.
    pub async fn answer_at_door(&self, path: &str, request: Request<Outgoing>) -> Response<Outgoing> {
        // Before the address is normalised: `..` would be gone afterwards.
        if let Err(hostile) = registry::check_path(path.split('?').next().unwrap_or(path)) {
            return self.refuse_path(&hostile);
        }
        let (url, is_named) = match Site::target(path) {
            Some(Target::At(url)) => (url, false),
            Some(Target::Named { coordinate, indexes }) => {
                let (coordinate, indexes) = self.0.own.registries.named(coordinate, indexes);
                match self.0.where_lies(&coordinate, &indexes).await {
                    Ok(url) => (url, true),
                    Err(refusal) => return refusal.response(),
                }
            }
            None => return no_door().response(),
        };
        let mut response = self.answer_for(path, &url, request).await;
        if is_named && response.status().is_server_error() {
            *response.status_mut() = ELSEWHERE;
        }
        response
    }

    /// Answers a request that was sent to a proxy for a host of the world: by the rules of what lies under `/files/`, but with
    /// documents as their upstreams have them, since their links lead to where they should.
    pub async fn answer_as_proxy(
        &self,
        scheme: &'static str,
        host: &str,
        mut request: Request<Outgoing>,
    ) -> Response<Outgoing> {
        if !Site::can_be_host(host) {
            return no_host(host).response();
        }
        let path = request.uri().path();
        if let Err(hostile) = registry::check_path(path) {
            return self.refuse_path(&hostile);
        }
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let url = format!("{scheme}://{host}{path}");
        // What it says itself of this is for a server at whose door it asks.
        request.headers_mut().insert(AS_SENT, TO_CLIENT);
        let theirs = Theirs::of(&url, &request);
        let response = match self.ready_at_door(&url, request.method(), request.headers()) {
            Some(ready) => ready,
            None => self.answer_for(&url, &url, request).await,
        };
        let mut response = self.or_theirs(response, theirs).await;
        // This is for an Outlast that asks.
        response.headers_mut().remove(IS_PRIVATE);
        response
    }

    /// Answers a request for an address of the world; `spelled` is how whoever asks wrote it.
    async fn answer_for(&self, spelled: &str, url: &str, request: Request<Outgoing>) -> Response<Outgoing> {
        let Ok(url) = SafeUrl::parse(url) else { return self.refuse_address() };
        let is_private = self.0.is_private_name(url.object());
        let (mut parts, body) = request.into_parts();
        let is_as_sent = parts.headers.contains_key(AS_SENT);
        let note = |mut response: Response<Outgoing>| {
            if is_private && is_as_sent {
                response.headers_mut().insert(IS_PRIVATE, HeaderValue::from_static("1"));
            }
            response
        };
        let url = match self.0.place(url) {
            Ok(url) => url,
            Err(refusal) => return note(refusal.response()),
        };
        if let Some(spelled) = Speller::spell(spelled, &parts.method, &parts.headers) {
            parts.extensions.insert(spelled.keep());
        }
        parts.headers = forwarded(&parts.headers);
        let mut response = self.answer(url.clone(), Request::from_parts(parts, body)).await;
        if let Some(site) = self.0.site.as_ref().filter(|_| !is_as_sent) {
            relink(response.headers_mut(), &url, site);
        }
        note(response)
    }
}

impl Inner {
    /// Returns where a file lies that is asked for by its name alone: where a copy is, or else where its index says.
    async fn where_lies(
        self: &Arc<Self>,
        coordinate: &Coordinate,
        indexes: &[IndexRequest],
    ) -> Result<String, Refusal> {
        let Some(ecosystem) = registry::ecosystem(coordinate.ecosystem) else { return Err(no_door()) };
        // A reference is what it was, however old the index is that names it.
        for index in indexes {
            self.read_held(ecosystem, index);
            if let Some(url) = self.vouchers.address(coordinate) {
                return Ok(url.to_string());
            }
        }
        let mut are_read = true;
        for index in indexes {
            let fetching = tokio::time::timeout(INDEX_PATIENCE, self.held_or_fetched(ecosystem, index));
            are_read &= fetching.await.is_ok_and(|table| table.is_some());
            if let Some(url) = self.vouchers.address(coordinate) {
                return Ok(url.to_string());
            }
        }
        // An archive without a reference; a commit is never a version, whoever lists it as one.
        if !coordinate.is_of_a_commit()
            && let Some(url) = self.vouchers.address_of_version(coordinate)
        {
            return Ok(url.to_string());
        }
        if are_read {
            let reason = format!("no version of `{}` was made from that reference", coordinate.name);
            return Err(Refusal {
                status: StatusCode::NOT_FOUND,
                error: "absent",
                ..Refusal::unavailable(reason)
            });
        }
        let reason = format!("where `{}` lies cannot be found out now", coordinate.name);
        Err(Refusal { status: ELSEWHERE, ..Refusal::unavailable(reason) })
    }
}

fn no_door() -> Refusal {
    Refusal {
        hint: "`/setup` lists the addresses of this server",
        ..Refusal::bad_request(StatusCode::NOT_FOUND, "nothing is offered at this path".to_owned())
    }
}

fn no_host(host: &str) -> Refusal {
    Refusal {
        hint: "ask for a host of the world by its name",
        ..Refusal::bad_request(StatusCode::FORBIDDEN, format!("`{host}` is no name of a host of the world"))
    }
}

pub(crate) fn forwarded(client: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in FORWARDED {
        for value in client.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    headers
}

/// Lets a redirect stay on the server; one that leads nowhere on it is the client's own affair.
fn relink(headers: &mut HeaderMap, url: &SafeUrl, site: &Site) {
    let Some(location) = headers.get(header::LOCATION).and_then(|location| location.to_str().ok()) else {
        return;
    };
    let target = url.object().join(location).ok();
    let address = target.and_then(|target| site.address(target.expose()));
    if let Some(value) = address.and_then(|address| HeaderValue::try_from(address).ok()) {
        headers.insert(header::LOCATION, value);
    }
}
