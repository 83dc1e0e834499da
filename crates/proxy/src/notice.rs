//! What is answered without an object: words to a registry that nobody waits for, and other spellings of an address.

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use model::{ObjectUrl, SafeUrl};
use registry::Ecosystem;

use crate::body::answer;
use crate::decide;
use crate::headers;
use crate::health::breaker::Lane;
use crate::limits::{ERROR_BYTES_MAX, NOTICE_PATIENCE};
use crate::note::Ending;
use crate::session::Session;
use crate::transfer::incoming::read;
use crate::upstream::Question;

impl Session {
    /// Passes a notice on, for as long as the fifth promise allows; in an outage it is accepted in the registry's place,
    /// since a build must not fail over a download count.
    pub(crate) async fn notice(
        &self,
        number: usize,
        url: SafeUrl,
        client: &HeaderMap,
        body: Outgoing,
        ecosystem: &'static dyn Ecosystem,
    ) -> Response<Outgoing> {
        let inner = &self.0;
        let body = match self.read_question(number, body).await {
            Ok(body) => body,
            Err(refusal) => return *refusal,
        };
        let (client, body) = match inner.untold(&url, ecosystem, client, body) {
            Ok(told) => told,
            Err(refusal) => return inner.missing(number, &refusal, None),
        };
        let host = url.object().host().to_owned();
        let question = Question {
            method: Method::POST,
            url,
            headers: headers::for_live(&client),
            body: host::http::whole(body),
            chooser: inner.chooser(),
        };
        let attempt = inner.attempt(&host, Lane::Questions);
        let asking = async {
            let reply = inner.bounded(&host, question).await;
            let reply = reply.map_err(|error| inner.note_error(&attempt, &error)).ok()?;
            inner.note_status(&attempt, reply.status, &reply.headers);
            if reply.is_played() || decide::is_trouble(reply.status) {
                return None;
            }
            let body = read(reply.body, ERROR_BYTES_MAX).await.ok()?;
            inner.notes.count(&host, body.len() as u64);
            Some((reply.status, headers::end_to_end(&reply.headers), body))
        };
        let is_down = Lane::ALL.iter().any(|lane| inner.is_shut(&host, *lane));
        let (status, headers, body) = match is_down {
            true => None,
            // So short a patience says nothing about the upstream, so it takes no turn of those that wait.
            false => tokio::time::timeout(NOTICE_PATIENCE, asking).await.ok().flatten(),
        }
        .unwrap_or_else(accepted);
        inner.end(number, Ending::Settled { status: status.as_u16() });
        answer(status, headers, host::http::whole(body))
    }

    /// Sends a client to the one spelling of an address.
    pub(crate) fn moved(&self, number: usize, to: &ObjectUrl) -> Response<Outgoing> {
        let Ok(location) = HeaderValue::try_from(to.as_str()) else {
            return self.refuse_address();
        };
        let status = StatusCode::MOVED_PERMANENTLY;
        self.0.end(number, Ending::Settled { status: status.as_u16() });
        answer(status, HeaderMap::from_iter([(header::LOCATION, location)]), host::http::whole(Bytes::new()))
    }
}

fn accepted() -> (StatusCode, HeaderMap, Bytes) {
    let json = HeaderValue::from_static("application/json");
    (StatusCode::OK, HeaderMap::from_iter([(header::CONTENT_TYPE, json)]), Bytes::from_static(b"{}"))
}
