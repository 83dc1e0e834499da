//! Git repositories, as git's clients ask for them: `/git/<host>/<path>.git`, and `…/app.git@20260521T1000Z` as it was then.
//!
//! | request, below the repository's address | what it does |
//! |---|---|
//! | `GET /info/refs?service=git-upload-pack` | says what this server can, or, to earlier versions of the protocol, which refs there are |
//! | `POST /git-upload-pack` | lists refs, or gives a pack |

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use mirror::{AnswerError, Ask, REQUEST_BYTES_MAX, Refs, ServeError, Served};
use model::{Freshness, RepoId, Timestamp, parse_time};

use crate::answer::refusal;
use crate::arriving::Arriving;

/// Under which path the repositories are.
pub(crate) const PATH: &str = "/git/";
const INFO: &str = "/info/refs";
const PACK: &str = "/git-upload-pack";
/// What keeps one.
pub(crate) const HINT: &str = "`outlast adopt https://HOST/PATH.git` on the server keeps a repository";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    repo: RepoId,
    at: Option<Timestamp>,
    is_pack: bool,
}

impl Address {
    fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix(PATH)?;
        let (repository, is_pack) = match rest.strip_suffix(PACK) {
            Some(repository) => (repository, true),
            None => (rest.strip_suffix(INFO)?, false),
        };
        let (name, at) = match repository.rsplit_once(".git@") {
            Some((name, at)) => (name, Some(parse_time(at).ok()?)),
            None => (repository.strip_suffix(".git").unwrap_or(repository), None),
        };
        Some(Self { repo: RepoId::from_name(name).ok()?, at, is_pack })
    }
}

/// Returns the path below [`PATH`], query included, of what a git asks of a host itself; nothing where something else is asked.
pub(crate) fn path(host: &str, asked: &Uri) -> Option<String> {
    let (path, query) = (asked.path(), asked.query().unwrap_or_default());
    let is_git = path.ends_with(PACK)
        || path.ends_with("/git-receive-pack")
        || path.ends_with(INFO) && query.starts_with("service=git-");
    // Moments are for this server's own addresses.
    (is_git && !path.contains(".git@")).then(|| format!("{PATH}{host}{path}?{query}"))
}

/// Returns the path below [`PATH`], query included, of what a client asks for in words of its own; nothing where no repository is
/// named so.
pub(crate) fn of_client(path: &str) -> Option<String> {
    let named = registry::ALL.iter().find_map(|ecosystem| ecosystem.repository(path))?;
    Some(format!("{PATH}{named}"))
}

/// Answers a request for a repository, query included, however it is named. Who asks in words of his own does so because this server
/// told him to, and goes on to the host where nothing is kept: no git asks anybody else by itself.
pub(crate) async fn answer(served: &Served, path: &str, request: Request<Arriving>) -> Response<Outgoing> {
    let Some(path) = of_client(path) else { return give(served, path, request).await };
    let given = give(served, &path, request).await;
    let asked = path.strip_prefix(PATH).filter(|_| path.ends_with("/info/refs?service=git-upload-pack"));
    let place = asked.and_then(|asked| HeaderValue::try_from(format!("https://{asked}")).ok());
    let (StatusCode::NOT_FOUND, Some(place)) = (given.status(), place) else { return given };
    let mut response = Response::new(host::http::whole(Bytes::new()));
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, place);
    response
}

/// Answers a request for a path below [`PATH`], query included. Whoever asks may read.
pub(crate) async fn give(served: &Served, path: &str, request: Request<Arriving>) -> Response<Outgoing> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path.ends_with("/git-receive-pack") || query == "service=git-receive-pack" {
        let hint = "push to the repository's own host";
        return refusal(StatusCode::FORBIDDEN, "read_only", "this server takes no pushes", hint);
    }
    let Some(address) = Address::parse(path) else {
        return refusal(StatusCode::NOT_FOUND, "absent", "that is no repository's address", HINT);
    };
    let refs = match served.refs(&address.repo, address.at) {
        Ok(Some(refs)) => refs,
        Ok(None) => {
            let reason = match address.at {
                Some(at) => format!("nothing of `{}` was held at {at}", address.repo),
                None => format!("`{}` is not kept here", address.repo),
            };
            return refusal(StatusCode::NOT_FOUND, "absent", &reason, HINT);
        }
        Err(error) => return failed(&ServeError::from(error).into()),
    };
    let headers = request.headers().clone();
    let answered = match (address.is_pack, request.method()) {
        (false, &Method::GET | &Method::HEAD) if query == "service=git-upload-pack" => {
            mirror::answer(served, &address.repo, address.at, &refs, &headers, Ask::Capabilities)
        }
        (true, &Method::POST) => {
            let body = match request.into_body().whole(REQUEST_BYTES_MAX).await {
                Ok(body) => body,
                Err(fault) => return fault.refuse(),
            };
            mirror::answer(served, &address.repo, address.at, &refs, &headers, Ask::Pack(&body))
        }
        _ => {
            let hint = "use git 1.6.6 or newer, over HTTP";
            return refusal(StatusCode::BAD_REQUEST, "not_asked", "that is nothing git asks for", hint);
        }
    };
    let mut response = answered.unwrap_or_else(|error| failed(&error));
    if response.status().is_success() {
        mark(response.headers_mut(), &refs, &address);
    }
    response
}

/// Says how the copy stands to its upstream.
fn mark(headers: &mut HeaderMap, refs: &Refs, address: &Address) {
    let mut stale = |since, reason: &str| proxy::set_state(headers, Freshness::Stale, since, reason);
    match (address.at, &refs.stale) {
        (Some(at), _) => stale(at, "as it was then"),
        (None, Some((since, reason))) => stale(*since, reason),
        (None, None) => _ = headers.insert("outlast-state", HeaderValue::from_static("fresh")),
    }
}

fn failed(error: &AnswerError) -> Response<Outgoing> {
    let hint = "ask as git does";
    match error {
        AnswerError::Asked(error) => refusal(StatusCode::BAD_REQUEST, "not_git", &error.to_string(), hint),
        AnswerError::Body => {
            refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_gzip", &error.to_string(), hint)
        }
        AnswerError::Serve(error) => {
            tracing::error!("a repository cannot be given: {error}");
            let hint = "whoever runs this server finds the reason in its log";
            let reason = "the copy of the repository cannot be read";
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", reason, hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_asks_of_a_host_is_told_from_all_else() {
        let check = |asked: &str, expected: Option<&str>| {
            assert_eq!(path("forge.example", &asked.parse().unwrap()).as_deref(), expected, "{asked}");
        };
        let refs = "/acme/app.git/info/refs?service=git-upload-pack";
        check(refs, Some(&format!("/git/forge.example{refs}")));
        check("/acme/app/git-upload-pack", Some("/git/forge.example/acme/app/git-upload-pack?"));
        check("/a.git/git-receive-pack", Some("/git/forge.example/a.git/git-receive-pack?"));
        check("/a.git@20260521T1000Z/git-upload-pack", None);
        for other in ["/", "/acme/app.git", "/info/refs", "/app.git/info/refs?x", "/app/git-upload-pack.tgz"]
        {
            check(other, None);
        }
    }

    #[test]
    fn composers_names_are_addresses() {
        let refs = "/info/refs?service=git-upload-pack";
        let check = |path: &str, expected: Option<&str>| {
            let path = of_client(&format!("{path}{refs}"));
            assert_eq!(path, expected.map(|it| format!("{it}{refs}")));
        };
        check("/composer/git/gh-acme/app.git", Some("/git/github.com/acme/app.git"));
        check("/composer/git/bb-acme/app.git", Some("/git/bitbucket.org/acme/app.git"));
        // Of any other it says too little.
        check("/composer/git/https---forge.example-acme-app.git", None);
        check("/git/gh-acme/app.git", None);
        check("/composer/gh-acme/app.git", None);
    }

    #[test]
    fn an_address_names_a_repository_and_maybe_a_moment() {
        let check = |path: &str, expected: Option<(&str, Option<&str>, bool)>| {
            let found = Address::parse(path);
            let found =
                found.as_ref().map(|it| (it.repo.as_str(), it.at.map(|at| at.to_string()), it.is_pack));
            assert_eq!(
                found,
                expected.map(|(repo, at, is_pack)| (repo, at.map(str::to_owned), is_pack)),
                "{path}"
            );
        };
        check("/git/forge.example/acme/app.git/info/refs", Some(("forge.example/acme/app", None, false)));
        check("/git/forge.example/acme/app/git-upload-pack", Some(("forge.example/acme/app", None, true)));
        let at = Some("2026-05-21T10:00:00Z");
        check("/git/forge.example/a.git@20260521T1000Z/git-upload-pack", Some(("forge.example/a", at, true)));
        check("/git/forge.example:2222/a.git/info/refs", Some(("forge.example:2222/a", None, false)));
        for path in [
            "/git/forge.example/a.git",
            "/git/forge.example/a.git/objects/info/packs",
            "/git/forge.example/../a.git/info/refs",
            "/git/forge.example/a.git@yesterday/info/refs",
            "/git//a.git/info/refs",
            "/git/-x/a.git/info/refs",
        ] {
            check(path, None);
        }
    }
}
