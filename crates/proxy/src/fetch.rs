//! Asks an upstream for an object, once for however many clients, and decides what its answer is worth.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use model::{Event, Freshness, Held, SavedHeader, Source};

use crate::copy::Prior;
use crate::decide::{self, Kind, Meaning};
use crate::flight::{End, Flight};
use crate::headers;
use crate::health::breaker::Attempt;
use crate::keep::NotKept;
use crate::late::Left;
use crate::limits::ERROR_BYTES_MAX;
use crate::origin::NoReply;
use crate::session::{Inner, lock};
use crate::transfer::incoming::read;
use crate::upstream::{Chooser, Giver, Reply};
use crate::want::{Shape, Want, as_sent};
use crate::who::Who;

impl Inner {
    /// Joins the transfer of an object, or begins it.
    pub(crate) fn join(self: &Arc<Self>, want: Arc<Want>, prior: Prior) -> Arc<Flight> {
        let mut flights = lock(&self.flights);
        // Outlast may wait for what the command asked; the other way round it might be refused for Outlast's sake.
        for chooser in [Chooser::Command, want.chooser] {
            if let Some((flight, _)) = flights.get(&(want.key.clone(), chooser)) {
                return flight.clone();
            }
        }
        let flight = Arc::new(Flight::new());
        let key = (want.key.clone(), want.chooser);
        let landing = Landing { inner: self.clone(), flight: flight.clone(), end: None };
        let task = tokio::spawn(landing.fly(want, prior));
        flights.insert(key, (flight.clone(), task.abort_handle()));
        flight
    }

    /// Lets nobody join a transfer any more.
    pub(crate) fn leave(&self, flight: &Arc<Flight>) {
        let mut flights = lock(&self.flights);
        let is_it = |(other, _): &(Arc<Flight>, _)| Arc::ptr_eq(other, flight);
        let found = flights.iter().find(|(_, entry)| is_it(entry)).map(|(key, _)| key.clone());
        if let Some((flight, abort)) = found.and_then(|key| flights.remove(&key))
            && !flight.has_ended()
        {
            self.leave_behind(Left::flight(flight, abort));
        }
    }

    pub(crate) async fn fetch(self: &Arc<Self>, want: &Want, prior: Prior, flight: &Flight) -> End {
        if let Some(end) = self.elsewhere_first(want, &prior, flight).await {
            return end;
        }
        let end = self.fetch_given(want, prior.clone(), flight).await;
        let end = self.or_elsewhere(want, prior.clone(), flight, end).await;
        self.or_built(want, prior, flight, end).await
    }

    /// Takes what the team's server or an upstream gives.
    async fn fetch_given(self: &Arc<Self>, want: &Want, prior: Prior, flight: &Flight) -> End {
        let held = prior.good();
        let sent = held.and_then(|_| self.as_sent(want));
        let headers = with_validators(want, sent.as_ref().or(held));
        let origin = self.ask_origin(want, headers.clone(), flight);
        let asked = self.ask_either(want, held, &headers, origin).await;
        let asked = self.asked_twice(want, &prior, &headers, asked, flight).await;
        let is_servers = asked.as_ref().is_ok_and(|(reply, _)| reply.giver.is_server());
        let end = self.take_asked(want, asked, prior.clone(), flight).await;
        if !is_servers || flight.has_begun() || !is_nothing(&end) || self.is_known_private(want.url.object())
        {
            return end;
        }
        // Whatever was wrong with it, the origin may have it right.
        match self.ask_origin(want, headers, flight).await {
            Ok(asked) => self.take_asked(want, Ok(asked), prior, flight).await,
            Err(_) => end,
        }
    }

    /// Asks once more where an upstream says that there is no such index, nothing is known of it, and once is too little.
    async fn asked_twice(
        &self,
        want: &Want,
        prior: &Prior,
        headers: &http::HeaderMap,
        asked: Result<(Reply, Attempt), NoReply>,
        flight: &Flight,
    ) -> Result<(Reply, Attempt), NoReply> {
        let is_doubted = prior.known().is_none() && want.doubts_absence();
        match asked {
            Ok((reply, attempt))
                if is_doubted
                    && reply.giver == Giver::Upstream
                    && matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::GONE) =>
            {
                self.note_status(&attempt, reply.status, &reply.headers);
                self.ask_origin(want, headers.clone(), flight).await
            }
            asked => asked,
        }
    }

    async fn take_asked(
        self: &Arc<Self>,
        want: &Want,
        asked: Result<(Reply, Attempt), NoReply>,
        prior: Prior,
        flight: &Flight,
    ) -> End {
        match asked {
            Ok((reply, attempt)) => {
                let is_upstreams = !reply.giver.is_server();
                let end = self.take(want, reply, prior, flight, attempt).await;
                if is_upstreams && matches!(end, End::Landed { freshness: Freshness::Fresh, .. }) {
                    self.note_recovery(&want.key, want.lane());
                }
                end
            }
            Err(NoReply::NotAsked(reason)) => self.stand_in(want, prior, &reason),
            Err(NoReply::Deferred(left)) => self.wait_for(want, prior, left),
            Err(NoReply::Trouble { host, reason }) => self.stand_in_for(&host, want, prior, &reason),
        }
    }

    /// Decides what an answer is worth, and takes it or what is better.
    async fn take(
        self: &Arc<Self>,
        want: &Want,
        reply: Reply,
        prior: Prior,
        flight: &Flight,
        attempt: Attempt,
    ) -> End {
        let status = reply.status;
        // Where a redirect was followed inside, another host speaks.
        if reply.host == want.host() && !reply.is_played() {
            for cookie in reply.headers.get_all(http::header::SET_COOKIE) {
                self.note_cookie(want.host(), cookie.as_bytes(), want.who);
            }
            flight.note_beside(headers::beside(&reply.headers));
        }
        // An index that only begins is no answer yet.
        let is_begun = status == StatusCode::OK && want.kind() == Kind::Index;
        if !is_begun {
            self.note_status(&attempt, status, &reply.headers);
        }
        if self.is_shut_out(&reply.host, status) {
            return self.shut_out(&attempt.host, want, prior, status);
        }
        match decide::meaning(status, want.kind(), prior.known()) {
            Meaning::Confirmed => self.confirm(want, prior, Source::Copy, reply.giver),
            Meaning::Gone => self.gone(want, prior, status, reply.giver),
            Meaning::Worse if decide::is_redirect(status) => {
                let reason = format!("`{}` redirects away from an index", want.host());
                self.refuse_answer(&attempt.host, want, prior, reason)
            }
            Meaning::Worse => {
                let reason = format!("`{}` answered with status {}", attempt.host, status.as_u16());
                self.stand_in_for(&attempt.host, want, prior, &reason)
            }
            // It was there, as somebody knows who asked for it in another form.
            Meaning::Absence if let Some(end) = self.in_other_form(want, Freshness::Gone) => end,
            Meaning::Absence => self.take_small(want, reply, prior).await,
            // What the room plays is the outage's; what belongs to one connection says nothing later.
            Meaning::Challenge
                if !reply.is_played()
                    && (want.who != Who::NOBODY || !headers::challenges(&reply.headers).is_empty()) =>
            {
                self.take_small(want, reply, prior).await
            }
            Meaning::Answer if decide::is_redirect(status) => self.take_redirect(want, reply, prior).await,
            Meaning::Answer => match want.shape {
                Shape::Index(ref index) => self.take_index(want, index, reply, prior, &attempt).await,
                _ => {
                    // Only now: an answer is there, and where its host is has been seen.
                    let expectation = self.expectation(want, &prior).await;
                    self.transfer(want, reply, prior, expectation, flight, &attempt).await
                }
            },
            // A page about the server's trouble is nothing that a package client could read.
            Meaning::Pass if status.is_server_error() && want.kind() != Kind::Document => {
                let reason = format!("`{}` answered with status {}", attempt.host, status.as_u16());
                self.stand_in_for(&attempt.host, want, prior, &reason)
            }
            Meaning::Pass | Meaning::Challenge => self.pass_on(want, reply).await,
        }
    }

    /// Notes that the upstream gave what is held once more.
    pub(crate) fn confirm(&self, want: &Want, prior: Prior, source: Source, giver: Giver) -> End {
        let Prior::Good(mut held) = prior else {
            return self.stand_in(want, prior, "the upstream confirmed what cannot be served");
        };
        if giver.freshness() != Freshness::Fresh {
            return End::landed(*held, source, giver.freshness());
        }
        held.confirmed_at = giver.confirmed_at(self.engine.clock.now());
        held.gone_since = None;
        let confirmed = |key, sha256| Event::Confirmed { key, sha256, at: held.confirmed_at };
        if let Some(sent) = self.as_sent(want) {
            self.journal(want.host(), confirmed(as_sent(&want.key), sent.sha256));
        }
        self.journal(want.host(), confirmed(want.key.clone(), held.sha256));
        End::landed(*held, source, Freshness::Fresh)
    }

    fn gone(&self, want: &Want, prior: Prior, status: StatusCode, giver: Giver) -> End {
        let since = giver.confirmed_at(self.engine.clock.now());
        if giver == Giver::Upstream {
            self.note_recovery(&want.key, want.lane());
        }
        if prior.known().is_some_and(|held| held.gone_since.is_none()) {
            self.journal(want.host(), Event::Gone { key: want.key.clone(), status: status.as_u16(), since });
        }
        let Prior::Good(mut held) = prior else {
            return self.stand_in(want, prior, "it is gone upstream");
        };
        held.gone_since.get_or_insert(since);
        let held = Held { gone_since: held.gone_since, ..self.standing_copy(want, *held) };
        End::landed(held, Source::Copy, Freshness::Gone)
    }

    async fn take_redirect(&self, want: &Want, reply: Reply, prior: Prior) -> End {
        let location = reply.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|location| want.key.url.join(location).ok());
        let to = target.as_ref().map(|target| target.object().host());
        if decide::leads_astray(reply.status, want.host(), to, prior.known()) {
            let to = to.unwrap_or("nowhere").to_owned();
            let reason = format!("`{}` redirects to `{to}` in place of what it gave before", want.host());
            return self.refuse_answer(&reply.host, want, prior, reason);
        }
        self.take_small(want, reply, prior).await
    }

    /// Keeps a redirect, a proved absence or a challenge, of which the headers matter more than the body.
    async fn take_small(&self, want: &Want, reply: Reply, prior: Prior) -> End {
        let (status, live, giver) = (reply.status, headers::to_save(&reply.headers), reply.giver);
        let challenges = match status {
            StatusCode::UNAUTHORIZED => headers::challenges(&reply.headers),
            _ => Vec::new(),
        };
        let body = match read(reply.body, ERROR_BYTES_MAX).await {
            Ok(body) => body,
            Err(unread) => return self.stand_in_for(&reply.host, want, prior, &unread.to_string()),
        };
        self.count(&reply.host, giver, body.len() as u64);
        let (mut saved, has_signature) = without_signatures(want, &live);
        saved.extend(challenges);
        // A page that says where to go repeats the address, signature included.
        let kept_body = if has_signature { Bytes::new() } else { body.clone() };
        match self.keep_bytes(want, status, saved, &kept_body, giver) {
            Ok(held) => End::Landed {
                held: Arc::new(held),
                source: giver.source(),
                freshness: giver.freshness(),
                live_headers: Some(Arc::new(live)),
            },
            // It is said to be absent, and an answer came meanwhile.
            Err(NotKept::First(first)) if prior.known().is_none_or(|held| held.sha256 != first.sha256) => {
                End::landed(*first, Source::Copy, Freshness::Gone)
            }
            Err(not_kept) => passed(status, live, body, &not_kept.reason()),
        }
    }

    async fn pass_on(&self, want: &Want, reply: Reply) -> End {
        let (status, giver) = (reply.status, reply.giver);
        let headers = headers::to_save(&reply.headers);
        if reply.is_played() {
            let reason = format!("`{}` answered with status {}", reply.host, status.as_u16());
            return self.stand_in_for(&reply.host, want, Prior::None, &reason);
        }
        match read(reply.body, ERROR_BYTES_MAX).await {
            Ok(body) => {
                self.count(&reply.host, giver, body.len() as u64);
                passed(
                    status,
                    headers,
                    body,
                    &format!("the upstream answered with status {}", status.as_u16()),
                )
            }
            Err(unread) => self.stand_in_for(&reply.host, want, Prior::None, &unread.to_string()),
        }
    }
}

/// Returns whether nothing came of an answer but what was here before.
const fn is_nothing(end: &End) -> bool {
    matches!(end, End::Failed { .. } | End::GivenUp)
        || matches!(end, End::Landed { source: Source::Copy, freshness: Freshness::Stale, .. })
}

/// Ends a transfer for everybody who waits, even where it panicked or was given up.
struct Landing {
    inner: Arc<Inner>,
    flight: Arc<Flight>,
    end: Option<End>,
}

impl Landing {
    async fn fly(mut self, want: Arc<Want>, prior: Prior) {
        self.end = Some(self.inner.fetch_unless_landed(&want, prior, &self.flight).await);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // The store knows the object by now, so whoever finds no transfer finds the object.
        self.inner.leave(&self.flight);
        lock(&self.inner.left).retain(|left| !left.is(&self.flight));
        self.flight.finish(self.end.take().unwrap_or(End::GivenUp));
    }
}

/// Asks the upstream to say only whether what is held is still right.
fn with_validators(want: &Want, held: Option<&Held>) -> http::HeaderMap {
    let mut headers = want.headers.clone();
    let Some(held) = held.filter(|held| held.status == 200 && !held.immutable) else {
        return headers;
    };
    for (name, saved) in [(header::IF_NONE_MATCH, "etag"), (header::IF_MODIFIED_SINCE, "last-modified")] {
        // A date that was made here is by another clock than the upstream's.
        let is_own = saved == "last-modified" && headers::saved(&held.headers, headers::DATED).is_some();
        let value = headers::saved(&held.headers, saved).filter(|_| !is_own);
        if let Some(value) = value.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

/// A redirect to a signed address is kept without the signature: the object's name outlives it. The second value says
/// whether there was one.
fn without_signatures(want: &Want, headers: &[SavedHeader]) -> (Vec<SavedHeader>, bool) {
    let mut has_signature = false;
    let mut saved = Vec::with_capacity(headers.len());
    for header in headers {
        if header.0 != "location" {
            saved.push(header.clone());
            continue;
        }
        match want.key.url.join(&header.1) {
            Ok(target) if target.expose() == target.object().as_str() => saved.push(header.clone()),
            Ok(target) => {
                has_signature = true;
                saved.push(SavedHeader(header.0.clone(), target.object().to_string()));
            }
            // What cannot be read could hide anything.
            Err(_) => has_signature = true,
        }
    }
    (saved, has_signature)
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
