//! Archives of forges that no upstream gives and that were never stored: packed from the copy of their repository.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use model::{BUILT_FROM, Freshness, SavedHeader};
use registry::RevisionArchive;

use crate::body;
use crate::copy::Prior;
use crate::decide::Kind;
use crate::flight::{End, Flight};
use crate::headers;
use crate::session::Inner;
use crate::upstream::{Giver, Reply, Standing};
use crate::vouch::Expectation;
use crate::want::Want;

impl Inner {
    /// Returns whether it is an archive that may be packed from a repository.
    pub(crate) fn may_build(&self, want: &Want) -> bool {
        self.repositories.is_some() && RevisionArchive::of(want.url.object()).is_some()
    }

    /// Packs an archive where nothing else came of asking for it.
    ///
    /// Not where somebody vouches for its bytes: the forge's cannot be made again, only what is in them.
    pub(crate) async fn or_built(
        self: &Arc<Self>,
        want: &Want,
        prior: Prior,
        flight: &Flight,
        end: End,
    ) -> End {
        if flight.has_begun() || !is_nothing(&end) {
            return end;
        }
        let Some(repositories) = &self.repositories else { return end };
        let Some(asked) = RevisionArchive::of(want.url.object()) else { return end };
        if self.vouched(want).await.is_some() {
            return end;
        }
        let repo = asked.repo.clone();
        let media_type = asked.packing.media_type();
        let Some(packed) = repositories.pack(asked, self.at).await else { return end };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(packed.size_bytes));
        let Ok(from) = HeaderValue::try_from(format!("{repo}@{}", packed.commit)) else { return end };
        headers.insert(HeaderName::from_static(BUILT_FROM), from);
        // A commit is what it was, whoever gives it.
        let freshness = if want.kind() == Kind::File { Freshness::Fresh } else { Freshness::Stale };
        let standing = Standing { freshness, confirmed_at: packed.confirmed_at, gone_since: None };
        let reply = Reply {
            host: want.host().to_owned(),
            status: StatusCode::OK,
            headers,
            body: body::read(move |buffer, offset| packed.file.read_at(buffer, offset), 0, packed.size_bytes),
            is_delimited: true,
            giver: Giver::Repository(standing),
        };
        let attempt = self.attempt(want.host(), want.lane());
        let expectation = Expectation::of_first(&prior);
        self.transfer(want, reply, prior, expectation, flight, &attempt).await
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

/// Returns the headers that are kept with an answer. That it was packed here is said by this process, or by the team's server.
pub(crate) fn to_save(reply: &Reply) -> Vec<SavedHeader> {
    let mut saved = headers::to_save(&reply.headers);
    let from = reply
        .headers
        .get(BUILT_FROM)
        .filter(|_| matches!(reply.giver, Giver::Server(_) | Giver::Repository(_)));
    if let Some(from) = from.and_then(|value| value.to_str().ok()) {
        saved.push(SavedHeader(BUILT_FROM.to_owned(), from.to_owned()));
    }
    saved
}
