//! Requests that are only passed on: nothing of them is kept.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use model::{ObjectKey, SafeUrl};

use crate::body::answer;
use crate::decide;
use crate::fetch::said;
use crate::headers;
use crate::health::breaker::{Lane, Outcome};
use crate::limits::QUESTION_BYTES_MAX;
use crate::note::Ending;
use crate::refusal::Refusal;
use crate::session::{Inner, Session};
use crate::transfer::incoming::{Unfinished, read};
use crate::upstream::Question;

impl Session {
    /// Passes a request on as it is; nothing of it is kept.
    pub(crate) async fn pass(
        &self,
        number: usize,
        url: SafeUrl,
        method: &Method,
        client: &HeaderMap,
        body: Outgoing,
        reason: String,
    ) -> Response<Outgoing> {
        let inner = &self.0;
        let host = url.object().host().to_owned();
        let question = Question {
            method: method.clone(),
            url: url.clone(),
            headers: headers::for_live(client),
            body,
            chooser: inner.chooser(),
        };
        let attempt = inner.attempt(&host, Lane::Questions);
        match inner.while_it_leaves(&host, question).await {
            Ok(reply) if !reply.is_played() => {
                inner.note_outcome(&attempt, Outcome::Answered, "");
                if !decide::is_trouble(reply.status) {
                    inner.note_recovery(&ObjectKey::get(url.object().clone()), Lane::Questions);
                }
                let (status, headers) = (reply.status, headers::end_to_end(&reply.headers));
                let counted = Counted {
                    body: reply.body,
                    inner: inner.clone(),
                    host,
                    number,
                    status,
                    reason,
                    n_bytes: 0,
                };
                answer(status, headers, counted.boxed_unsync())
            }
            Ok(reply) => {
                inner.note_status(&attempt, reply.status, &reply.headers);
                let why = format!(
                    "`{url}` cannot be answered from copies ({reason}), and `{host}` answered with \
                                   status {}",
                    reply.status.as_u16()
                );
                inner.missing(number, &Refusal::never_kept(why), None)
            }
            Err(error) => {
                inner.note_error(&attempt, &error);
                let why = format!("`{url}` cannot be answered from copies ({reason}), and {}", said(&error));
                inner.missing(number, &Refusal::never_kept(why), None)
            }
        }
    }

    /// Reads what a client sends to be passed on as a whole, or returns what it is told when that is too much.
    pub(crate) async fn read_question(
        &self,
        number: usize,
        body: Outgoing,
    ) -> Result<Bytes, Box<Response<Outgoing>>> {
        read(body, QUESTION_BYTES_MAX).await.map_err(|unfinished| {
            let status = match unfinished {
                Unfinished::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                Unfinished::Stopped(_) => StatusCode::BAD_REQUEST,
            };
            Box::new(self.refuse(number, status.as_u16(), format!("the body of the request: {unfinished}")))
        })
    }
}

/// A body that is passed on and counted.
struct Counted {
    body: Outgoing,
    inner: Arc<Inner>,
    host: String,
    number: usize,
    status: StatusCode,
    reason: String,
    n_bytes: u64,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(bytes) = frame.data_ref()
        {
            this.n_bytes += bytes.len() as u64;
            this.inner.notes.count(&this.host, bytes.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let reason = std::mem::take(&mut self.reason);
        self.inner.end(
            self.number,
            Ending::NotKept { status: self.status.as_u16(), size_bytes: self.n_bytes, reason },
        );
    }
}
