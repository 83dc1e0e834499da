//! Git repositories: answered by whoever keeps them, or passed on.

use std::fs::File;
use std::pin::Pin;

use bytes::Bytes;
use host::http::Outgoing;
use http::request::Parts;
use http::{HeaderMap, Method, Response, header};
use model::{Freshness, Proof, SafeUrl, Sha256, Source, Timestamp};
use registry::RevisionArchive;

use crate::note::Ending;
use crate::plan::Purpose;
use crate::session::Session;
use crate::via::ServerUse;

/// What git asks of a repository.
#[derive(Debug)]
pub struct RepositoryAsked {
    /// The address.
    pub url: SafeUrl,
    /// How.
    pub method: Method,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Whether the repository's own host may be asked first.
    pub may_ask: bool,
    /// As it was then.
    pub at: Option<Timestamp>,
}

/// An answer from the copy of a repository.
#[derive(Debug)]
pub struct RepositoryAnswer {
    /// The answer.
    pub response: Response<Outgoing>,
    /// The newest pack of the repository, which stands for all of them, and its size; none in one without commits.
    pub pack: Option<(Sha256, u64)>,
    /// Whether its host was asked first, and has nothing newer.
    pub is_fresh: bool,
    /// When its host last said what it has.
    pub confirmed_at: Timestamp,
}

/// An answer that is made.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Option<RepositoryAnswer>> + Send + 'a>>;

/// An archive that was packed from the copy of a repository.
#[derive(Debug)]
pub struct PackedArchive {
    /// Its bytes.
    pub file: File,
    /// How many.
    pub size_bytes: u64,
    /// The commit with which it was compared.
    pub commit: String,
    /// When the repository's host last said what it has.
    pub confirmed_at: Timestamp,
}

/// An archive that is packed.
pub type Packing<'a> = Pin<Box<dyn Future<Output = Option<PackedArchive>> + Send + 'a>>;

/// Whoever keeps repositories.
pub trait Repositories: Send + Sync + std::fmt::Debug {
    /// Answers what git asks; nothing where no copy can, and the repository's own host is to be asked for it.
    fn answer(&self, asked: RepositoryAsked) -> Answering<'_>;

    /// Returns what came of asking a team's server, which is asked before the repository's own host.
    fn server_use(&self) -> ServerUse;

    /// Packs a revision as its forge would; nothing where no copy has it.
    fn pack(&self, asked: RevisionArchive, at: Option<Timestamp>) -> Packing<'_>;
}

impl Session {
    /// Answers what git asks of a repository from a copy, or passes it on.
    pub(crate) async fn repository(
        &self,
        number: usize,
        url: SafeUrl,
        parts: &Parts,
        body: Outgoing,
        reason: String,
    ) -> Response<Outgoing> {
        // What a host gives only to those whom it knows is for these, and is not kept.
        let is_private = parts.headers.contains_key(header::AUTHORIZATION);
        let Some(repositories) = self.0.repositories.clone().filter(|_| !is_private) else {
            return self.pass(number, url, &parts.method, &parts.headers, body, reason).await;
        };
        let body = match self.read_question(number, body).await {
            Ok(body) => body,
            Err(refused) => return *refused,
        };
        let asked = RepositoryAsked {
            url: url.clone(),
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            body: body.clone(),
            may_ask: self.0.purpose() == Purpose::Record && self.0.line.fault(url.object().host()).is_none(),
            at: self.0.at,
        };
        let Some(RepositoryAnswer { response, pack, is_fresh, confirmed_at }) =
            repositories.answer(asked).await
        else {
            let body = host::http::whole(body);
            return self.pass(number, url, &parts.method, &parts.headers, body, reason).await;
        };
        let status = response.status().as_u16();
        let (source, freshness) = match is_fresh {
            true => (Source::Upstream, Freshness::Fresh),
            false => (Source::Copy, Freshness::Stale),
        };
        // Every object of a repository has its digest for a name.
        let proof = Proof::Verified;
        let ending = match pack {
            Some((sha256, size_bytes)) => {
                let built_from = None;
                Ending::Object {
                    status,
                    sha256,
                    size_bytes,
                    source,
                    proof,
                    freshness,
                    confirmed_at,
                    built_from,
                }
            }
            None => Ending::Settled { status },
        };
        self.0.end(number, ending);
        response
    }
}
