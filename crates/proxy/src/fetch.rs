//! Asks an upstream for an object, once for however many clients, and decides what its answer is worth.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use host::http::{FetchError, Outgoing};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use model::{Event, Freshness, Held, Proof, SafeUrl, SavedHeader, Source};

use crate::breaker::Outcome;
use crate::decide::{self, Meaning};
use crate::flight::{End, Flight};
use crate::headers;
use crate::limits::{BODY_PAUSE_MAX, ERROR_BYTES_MAX, FIRST_BYTE_TIMEOUT, SOFT_DEADLINE};
use crate::refusal::Refusal;
use crate::session::{Inner, lock};
use crate::upstream::{Question, Reply};
use crate::want::Want;

impl Inner {
    /// Joins the transfer of an object, or begins it.
    pub(crate) fn join(self: &Arc<Self>, want: Arc<Want>, held: Option<Held>) -> Arc<Flight> {
        let mut flights = lock(&self.flights);
        if let Some((flight, _)) = flights.get(&want.key) {
            return flight.clone();
        }
        let flight = Arc::new(Flight::new());
        let (inner, own, key) = (self.clone(), flight.clone(), want.key.clone());
        let task = tokio::spawn(async move {
            let end = inner.fetch(&want, held, &own).await;
            // The store knows the object by now, so whoever finds no transfer finds the object.
            lock(&inner.flights).remove(&want.key);
            own.finish(end);
        });
        flights.insert(key, (flight.clone(), task.abort_handle()));
        flight
    }

    /// Asks without a body, and gives up after the time that suits: soon where the host was cut.
    pub(crate) async fn ask_bounded(
        &self,
        url: SafeUrl,
        method: Method,
        headers: http::HeaderMap,
    ) -> Result<Reply, FetchError> {
        let host = url.object().host().to_owned();
        let body = host::http::whole(Bytes::new());
        let chooser = crate::upstream::Chooser::Command;
        self.bounded(&host, Question { method, url, headers, body, chooser }).await
    }

    /// Asks, and gives up after the time that suits.
    pub(crate) async fn bounded(&self, host: &str, question: Question) -> Result<Reply, FetchError> {
        let after = self.patience(host);
        match tokio::time::timeout(after, self.line.ask(question)).await {
            Ok(reply) => reply,
            Err(_) => Err(FetchError::Timeout { host: host.to_owned(), after }),
        }
    }

    fn patience(&self, host: &str) -> Duration {
        if self.line.fault(host).is_some() { SOFT_DEADLINE } else { FIRST_BYTE_TIMEOUT }
    }

    async fn fetch(self: &Arc<Self>, want: &Want, held: Option<Held>, flight: &Flight) -> End {
        let question = Question {
            method: Method::GET,
            url: want.url.clone(),
            headers: with_validators(want, held.as_ref()),
            body: host::http::whole(Bytes::new()),
            chooser: want.chooser,
        };
        let (reply, expectation) = tokio::join!(self.bounded(want.host(), question), self.expectation(want));
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                let is_hang = matches!(error, FetchError::Timeout { .. });
                self.note_outcome(want.host(), if is_hang { Outcome::Hung } else { Outcome::Failed });
                return self.stand_in(want, held, &said(&error));
            }
        };
        let is_trouble = reply.status.is_server_error() || reply.status == StatusCode::TOO_MANY_REQUESTS;
        self.note_outcome(want.host(), if is_trouble { Outcome::Failed } else { Outcome::Answered });
        match decide::meaning(reply.status, want.kind(), held.as_ref()) {
            Meaning::Confirmed => self.confirm(want, held, Source::Copy),
            Meaning::Gone => self.gone(want, held, reply.status),
            Meaning::Worse => {
                let reason = format!("`{}` answered with status {}", want.host(), reply.status.as_u16());
                self.stand_in(want, held, &reason)
            }
            Meaning::Absence => self.take_small(want, reply, held).await,
            Meaning::Answer if decide::is_redirect(reply.status) => self.take_small(want, reply, held).await,
            Meaning::Answer => match want.shape {
                crate::want::Shape::Index(ref index) => self.take_index(want, index, reply, held).await,
                _ => self.transfer(want, reply, held, expectation, flight).await,
            },
            Meaning::Pass => self.pass_on(want, reply).await,
        }
    }

    /// Answers from the copy because the upstream gave nothing that may be passed on.
    pub(crate) fn stand_in(&self, want: &Want, held: Option<Held>, reason: &str) -> End {
        let Some(held) = held else {
            let refusal = Refusal::unavailable(format!("nothing is kept for `{}`, and {reason}", want.url));
            return End::Failed { refusal: Arc::new(refusal), sha256: None };
        };
        self.note_stale(want.host(), reason);
        let freshness = decide::standing(&held, Freshness::Stale);
        End::Landed { held: Arc::new(held), source: Source::Copy, freshness, live_headers: None }
    }

    /// Notes that the upstream gave what is held once more.
    pub(crate) fn confirm(&self, want: &Want, held: Option<Held>, source: Source) -> End {
        let Some(mut held) = held else {
            return self.stand_in(want, None, "the upstream confirmed what is not held");
        };
        held.confirmed_at = self.engine.clock.now();
        held.gone_since = None;
        let event = Event::Confirmed { key: want.key.clone(), sha256: held.sha256, at: held.confirmed_at };
        self.journal(want.host(), event);
        End::Landed { held: Arc::new(held), source, freshness: Freshness::Fresh, live_headers: None }
    }

    fn gone(&self, want: &Want, held: Option<Held>, status: StatusCode) -> End {
        let Some(mut held) = held else {
            return self.stand_in(want, None, "what is not held is gone");
        };
        if held.gone_since.is_none() {
            let since = self.engine.clock.now();
            held.gone_since = Some(since);
            self.journal(want.host(), Event::Gone { key: want.key.clone(), status: status.as_u16(), since });
        }
        End::Landed {
            held: Arc::new(held),
            source: Source::Copy,
            freshness: Freshness::Gone,
            live_headers: None,
        }
    }

    /// Keeps a redirect or a proved absence, of which the headers matter more than the body.
    async fn take_small(&self, want: &Want, reply: Reply, held: Option<Held>) -> End {
        let (status, live, is_played) = (reply.status, headers::to_save(&reply.headers), reply.is_played);
        let body = match read(reply.body, ERROR_BYTES_MAX).await {
            Ok(body) => body,
            Err(reason) => return self.stand_in(want, held, &reason),
        };
        self.notes.count(want.host(), if is_played { 0 } else { body.len() as u64 });
        let saved = without_signatures(want, &live);
        let kept = self.keep_bytes(want, status, saved, &body, Proof::FirstSeen);
        match kept {
            Ok(held) => End::Landed {
                held: Arc::new(held),
                source: Source::Upstream,
                freshness: Freshness::Fresh,
                live_headers: Some(Arc::new(live)),
            },
            Err(reason) => passed(status, live, body, &reason),
        }
    }

    /// Puts bytes that are here as a whole into the store.
    pub(crate) fn keep_bytes(
        &self,
        want: &Want,
        status: StatusCode,
        headers: Vec<SavedHeader>,
        body: &[u8],
        proof: Proof,
    ) -> Result<Held, String> {
        let blob = self.engine.store.put(body).map_err(|error| not_stored(&error))?;
        let held = Held {
            status: status.as_u16(),
            headers,
            sha256: blob.sha256,
            size_bytes: blob.size_bytes,
            ecosystem: want.ecosystem.name().to_owned(),
            proof,
            immutable: false,
            confirmed_at: self.engine.clock.now(),
            gone_since: None,
        };
        self.keep(want, held.clone())?;
        Ok(held)
    }

    /// Writes to the journal that an object is held.
    pub(crate) fn keep(&self, want: &Want, held: Held) -> Result<(), String> {
        let event = Event::Kept { key: want.key.clone(), held };
        self.engine.store.record(vec![event]).map_err(|error| not_stored(&error))
    }

    async fn pass_on(&self, want: &Want, reply: Reply) -> End {
        let (status, is_played) = (reply.status, reply.is_played);
        let headers = headers::to_save(&reply.headers);
        if is_played {
            return self.stand_in(
                want,
                None,
                &format!("`{}` answered with status {}", want.host(), status.as_u16()),
            );
        }
        match read(reply.body, ERROR_BYTES_MAX).await {
            Ok(body) => {
                self.notes.count(want.host(), body.len() as u64);
                passed(
                    status,
                    headers,
                    body,
                    &format!("the upstream answered with status {}", status.as_u16()),
                )
            }
            Err(reason) => self.stand_in(want, None, &reason),
        }
    }
}

/// Asks the upstream to say only whether what is held is still right.
fn with_validators(want: &Want, held: Option<&Held>) -> http::HeaderMap {
    let mut headers = want.headers.clone();
    let Some(held) = held.filter(|held| held.status == 200 && !held.immutable) else {
        return headers;
    };
    for (name, saved) in [(header::IF_NONE_MATCH, "etag"), (header::IF_MODIFIED_SINCE, "last-modified")] {
        if let Some(value) =
            headers::saved(&held.headers, saved).and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// A redirect to a signed address is kept without the signature: the object's name outlives it.
fn without_signatures(want: &Want, headers: &[SavedHeader]) -> Vec<SavedHeader> {
    let strip = |header: &SavedHeader| {
        if header.0 != "location" {
            return header.clone();
        }
        match want.key.url.join(&header.1) {
            Ok(target) => SavedHeader(header.0.clone(), target.object().to_string()),
            Err(_) => header.clone(),
        }
    };
    headers.iter().map(strip).collect()
}

pub(crate) fn passed(status: StatusCode, headers: Vec<SavedHeader>, body: Bytes, reason: &str) -> End {
    let size_bytes = body.len() as u64;
    End::Passed { status, headers: Arc::new(headers), body, size_bytes, reason: reason.into() }
}

pub(crate) fn not_stored(error: &dyn std::error::Error) -> String {
    format!("it could not be stored: {}", said(error))
}

/// Returns an error and what caused it in one line.
pub(crate) fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Reads a body whole.
pub(crate) async fn read(mut body: Outgoing, size_max: u64) -> Result<Bytes, String> {
    let mut all = BytesMut::new();
    while let Some(chunk) = next_chunk(&mut body).await? {
        if (all.len() + chunk.len()) as u64 > size_max {
            return Err(format!("the answer is larger than {size_max} bytes"));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

/// Returns a body's next bytes, nothing at its end, or why there are no more.
pub(crate) async fn next_chunk(body: &mut Outgoing) -> Result<Option<Bytes>, String> {
    loop {
        match tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await {
            Err(_) => return Err(format!("the answer stopped for {} s", BODY_PAUSE_MAX.as_secs())),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => return Err(format!("the answer broke off: {}", said(error.as_ref()))),
            Ok(Some(Ok(frame))) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}
