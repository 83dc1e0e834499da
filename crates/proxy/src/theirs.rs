//! What a host gives to a client of the forward proxy, and to nobody without its credentials.
//!
//! The host is asked as for everybody first: what it gives to all is kept for all. Only where it lets nobody in do the client's
//! credentials go on, to that host alone, and what comes is passed on and kept for nobody.

use bytes::Bytes;
use host::http::Outgoing;
use http::{Method, Request, Response, header};
use model::SafeUrl;

use crate::door::forwarded;
use crate::refusal::OwnWord;
use crate::session::Session;

/// A request that brings credentials of its own.
#[derive(Debug)]
pub(crate) struct Theirs {
    url: SafeUrl,
    request: Request<Outgoing>,
}

impl Theirs {
    /// Takes down a request; nothing where it brings no credentials, would change something, or is not under TLS.
    pub(crate) fn of(url: &str, request: &Request<Outgoing>) -> Option<Self> {
        let credentials = request.headers().get(header::AUTHORIZATION)?;
        let url = SafeUrl::parse(url).ok().filter(|url| url.object().scheme() == "https")?;
        let mut theirs = Request::new(host::http::whole(Bytes::new()));
        theirs.method_mut().clone_from(request.method());
        *theirs.headers_mut() = forwarded(request.headers());
        theirs.headers_mut().insert(header::AUTHORIZATION, credentials.clone());
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        is_read.then_some(Self { url, request: theirs })
    }
}

impl Session {
    /// Asks with a client's own credentials where the answer to everybody is that there is nothing for them.
    pub(crate) async fn or_theirs(
        &self,
        response: Response<Outgoing>,
        theirs: Option<Theirs>,
    ) -> Response<Outgoing> {
        let is_own = response.extensions().get::<OwnWord>().is_some();
        let is_shut = !is_own && matches!(response.status().as_u16(), 401 | 403 | 404);
        let Some(Theirs { url, request }) = theirs.filter(|_| is_shut) else { return response };
        // A company's are asked with Outlast's own credentials, and its names nowhere else.
        if self.0.own.is_of_company(url.object().host()) || self.0.is_private_name(url.object()) {
            return response;
        }
        self.pass_on(url, request, "only its client's credentials open it").await
    }
}
