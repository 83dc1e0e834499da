//! Answers a client: from a copy, from a transfer under way, or with a refusal.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use host::http::Outgoing;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use model::{Freshness, Held, ObjectUrl, Sha256, Source};

use crate::ask::{self, Ask, Dress};
use crate::body::{self, answer, unsatisfiable};
use crate::copy::{self, Copy, Loaded, Verified};
use crate::decide::{self, First, Insistence, Kind, Situation};
use crate::flight::{End, Flight, Head, Ready};
use crate::headers;
use crate::health::breaker::{Gate, Outcome};
use crate::limits::{DOWN_PATIENCE, SOFT_DEADLINE};
use crate::note::Ending;
use crate::range;
use crate::refusal::Refusal;
use crate::session::{Inner, Session};
use crate::shelf::ready::Made;
use crate::waiting::{in_patience, turned};
use crate::want::Want;

impl Session {
    /// Serves an object to a client.
    pub(crate) async fn serve(&self, number: usize, want: Want, parts: &Parts) -> Response<Outgoing> {
        let ask = Ask::new(number, &want, parts);
        let inner = &self.0;
        if let Some(response) = inner.give_ready_made(&ask) {
            return response;
        }
        inner.notes.specify(number, &want.key.variant);
        let copy = inner.copy(&want).await;
        if let Copy::Good(loaded) = &copy {
            inner.note_unread(&want, &loaded.held);
        }
        if let Some(at) = inner.at.filter(|_| want.kind() != Kind::File) {
            return inner.give_as_of(&ask, &want, copy, at).await;
        }
        let (first, gate) = inner.first(&want, &parts.headers, &copy);
        let prior = (gate == Gate::Probe).then(|| copy.prior());
        let probe = |want: &Want| {
            if let Some(prior) = prior {
                inner.probe_beside(want.clone(), prior);
            }
        };
        match (first, copy) {
            (First::Serve(freshness), Copy::Good(loaded)) => {
                if freshness == Freshness::Stale {
                    inner.note_stale(&want.key, want.lane(), &inner.why_down(want.host(), want.lane()));
                }
                let response = match freshness {
                    Freshness::Fresh => inner.give_copy(&ask, *loaded, Source::Copy, freshness),
                    _ => inner.give_standing(&ask, &want, *loaded).await,
                };
                // Not before: what it finds may be that the outage is over, and nobody would end what is told after that.
                probe(&want);
                response
            }
            (_, copy) => {
                probe(&want);
                inner.give_upstream(&ask, want, copy).await
            }
        }
    }
}

impl Inner {
    /// Decides what to do first.
    pub(crate) fn first(&self, want: &Want, client: &HeaderMap, copy: &Copy) -> (First, Gate) {
        let Copy::Good(loaded) = copy else { return (First::Ask, Gate::Open) };
        if !self.may_stand(want, &loaded.held) || self.is_outdated(want, &loaded.held.sha256) {
            return (First::Ask, Gate::Open);
        }
        // That it was absent a moment ago says nothing of what can be packed now.
        let insists = ask::insists(client) || !decide::is_good(&loaded.held) && self.may_build(want);
        let mut situation = Situation {
            held: Some(&loaded.held),
            kind: want.kind(),
            now: self.engine.clock.now(),
            fresh_for: self.engine.index_fresh_for,
            client: if insists { Insistence::NoCache } else { Insistence::None },
            is_anothers: loaded.is_anothers,
            is_certain: loaded.is_certain,
            may_wait: true,
        };
        let mut first = decide::first(&situation);
        if first == First::Serve(Freshness::Fresh) && !self.is_whole(want, &loaded.held) {
            // Its documents are still to come, and may never: until they have, its upstream has the last word.
            situation.fresh_for = Duration::ZERO;
            first = decide::first(&situation);
        }
        if first != First::Ask {
            return (first, Gate::Open);
        }
        // Only who would ask uses up the one try that a host has which was found down.
        let gate = self.take_turn(want.host(), want.lane());
        // The team's server may have what its own upstream cannot give.
        situation.may_wait = gate == Gate::Open || self.has_server(want.lane());
        (decide::first(&situation), gate)
    }

    /// Ends an exchange without an object.
    pub(crate) fn missing(
        &self,
        number: usize,
        refusal: &Refusal,
        sha256: Option<Sha256>,
    ) -> Response<Outgoing> {
        self.end(number, missed(refusal, sha256));
        let ecosystem = self.notes.ecosystem(number).and_then(registry::ecosystem);
        refusal.response_for(ecosystem)
    }

    async fn give_upstream(self: &Arc<Self>, ask: &Ask, want: Want, copy: Copy) -> Response<Outgoing> {
        let host = want.host().to_owned();
        if let (Copy::Lost(lost), Some(_)) = (&copy, self.line.fault(&host)) {
            let (refusal, sha256) = lost.refusal("its host was cut");
            return self.missing(ask.number, &refusal, sha256);
        }
        let (attempt, lane) = (self.attempt(&host, want.lane()), want.lane());
        let (want, prior) = (Arc::new(want), copy.prior());
        let (copy, patience) = match copy {
            // It is no answer, but whoever asks is not to wait for that.
            Copy::Good(loaded) if !self.may_stand(&want, &loaded.held) => (Copy::None, Some(SOFT_DEADLINE)),
            copy => (copy, self.is_known_down(&host, lane).then_some(DOWN_PATIENCE)),
        };
        let mut flight = self.join(want.clone(), prior.clone());
        let Copy::Good(loaded) = copy else {
            let Some(mut ready) = in_patience(patience, &flight).await else {
                self.note_outcome(
                    &turned(attempt, &flight),
                    Outcome::Hung,
                    "it gave no usable answer in time",
                );
                let why = format!("nothing is kept for `{}`, and {}", want.url, self.why_down(&host, lane));
                self.leave(&flight);
                return self.missing(ask.number, &Refusal::unavailable(why), None);
            };
            if matches!(ready, Ready::End(End::GivenUp)) {
                // Whoever led it is gone: the first to come back leads the next one, and there is no third.
                flight = self.join(want, prior);
                ready = flight.ready().await;
            }
            return self.give_flight(ask, &flight, ready, None).await;
        };
        if loaded.is_anothers {
            let ready = flight.ready().await;
            if !is_nothing(&ready) {
                return self.give_flight(ask, &flight, ready, None).await;
            }
            self.note_stale(
                &want.key,
                lane,
                "it gave no answer, and somebody with other credentials had one",
            );
            return self.give_copy(ask, *loaded, Source::Copy, Freshness::Stale);
        }
        match tokio::time::timeout(SOFT_DEADLINE, flight.ready()).await {
            Ok(Ready::End(End::GivenUp)) => {
                self.note_stale(&want.key, lane, "the transfer was given up");
                self.give_standing(ask, &want, *loaded).await
            }
            Ok(ready) => self.give_flight(ask, &flight, ready, Some(*loaded)).await,
            Err(_) => {
                let reason = "it gave no usable answer within a second";
                let attempt = turned(attempt, &flight);
                self.note_outcome(&attempt, Outcome::Hung, reason);
                self.note_stale_by(&attempt.host, &want.key, lane, reason);
                // The next one who asks must not join what hangs.
                self.leave(&flight);
                self.give_standing(ask, &want, *loaded).await
            }
        }
    }

    async fn give_flight(
        self: &Arc<Self>,
        ask: &Ask,
        flight: &Arc<Flight>,
        ready: Ready,
        loaded: Option<Loaded>,
    ) -> Response<Outgoing> {
        let is_from_upstream = is_from_upstream(&ready);
        let mut response = self.give_ready(ask, flight, ready, loaded).await;
        if is_from_upstream {
            flight.add_beside(response.headers_mut());
        }
        response
    }

    async fn give_ready(
        self: &Arc<Self>,
        ask: &Ask,
        flight: &Arc<Flight>,
        ready: Ready,
        loaded: Option<Loaded>,
    ) -> Response<Outgoing> {
        match ready {
            Ready::Head(head) => self.while_it_arrives(ask, flight, &head).await,
            Ready::End(End::Landed { held, source, freshness, live_headers }) => {
                let held = match live_headers {
                    Some(headers) => Held { headers: headers.to_vec(), ..(*held).clone() },
                    None => (*held).clone(),
                };
                let sha256 = held.sha256;
                let loaded = match loaded.filter(|loaded| loaded.held.sha256 == sha256) {
                    Some(loaded) => Ok(Loaded { held, ..loaded }),
                    None => copy::load(&self.engine.store, held, self.small_bytes_max()).await,
                };
                match loaded {
                    Ok(loaded) => self.give_copy(ask, loaded, source, freshness),
                    Err(error) => {
                        let refusal = Refusal::damaged(format!("blob {sha256} cannot be used: {error}"));
                        self.missing(ask.number, &refusal, Some(sha256))
                    }
                }
            }
            Ready::End(End::Passed { status, headers, body, size_bytes, reason }) => {
                let reason = reason.to_string();
                self.end(ask.number, Ending::NotKept { status: status.as_u16(), size_bytes, reason });
                let body = if ask.manner.is_head { Bytes::new() } else { body };
                answer(status, headers::from_saved(&headers), host::http::whole(body))
            }
            Ready::End(End::Failed { refusal, sha256 }) => self.missing(ask.number, &refusal, sha256),
            Ready::End(End::GivenUp) => self.missing(ask.number, &given_up(&ask.key.url), None),
        }
    }

    /// Passes on a transfer that is under way.
    async fn while_it_arrives(
        self: &Arc<Self>,
        ask: &Ask,
        flight: &Arc<Flight>,
        head: &Head,
    ) -> Response<Outgoing> {
        if ask.range.is_some() && head.size_bytes.is_none() {
            // Without its size no part of it can be named; wait for it.
            let end = flight.ended().await;
            return Box::pin(self.give_ready(ask, flight, Ready::End(end), None)).await;
        }
        let size = head.size_bytes;
        let mut headers = headers::from_saved(&head.headers);
        self.add_fresh(&mut headers);
        let (status, start, end) = match (ask.range, size) {
            (Some(range), Some(size)) => match range.within(size) {
                Some((start, end)) => {
                    headers.insert(header::CONTENT_RANGE, range::of_part(start, end, size));
                    (StatusCode::PARTIAL_CONTENT, start, Some(end))
                }
                None => {
                    self.end_with(ask.number, flight, StatusCode::RANGE_NOT_SATISFIABLE);
                    return unsatisfiable(size);
                }
            },
            _ => (head.status, 0, size),
        };
        self.end_with(ask.number, flight, status);
        if let Some(end) = end {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
        }
        let reader = flight.reader(start, end);
        if ask.manner.is_head {
            return answer(status, headers, host::http::whole(Bytes::new()));
        }
        answer(status, headers, body::arriving(reader))
    }

    /// Ends an exchange with its transfer; `status` is what the client saw.
    fn end_with(self: &Arc<Self>, number: usize, flight: &Arc<Flight>, status: StatusCode) {
        let (inner, flight, status) = (self.clone(), flight.clone(), status.as_u16());
        tokio::spawn(async move {
            let ending = match flight.ended().await {
                End::Landed { held, source, freshness, .. } => object(&held, status, source, freshness),
                End::Passed { size_bytes, reason, .. } => {
                    Ending::NotKept { status, size_bytes, reason: reason.to_string() }
                }
                End::Failed { refusal, sha256 } => missed(&refusal, sha256),
                End::GivenUp => missed(&Refusal::unavailable("the transfer was given up".to_owned()), None),
            };
            inner.end(number, ending);
        });
    }

    /// Answers from the store.
    pub(crate) fn give_copy(
        &self,
        ask: &Ask,
        loaded: Loaded,
        source: Source,
        freshness: Freshness,
    ) -> Response<Outgoing> {
        let Loaded { held, mut bytes, .. } = loaded;
        let held = &held;
        let watch = self.watch(freshness, ask.key.url.host());
        let mut headers = headers::from_saved(&held.headers);
        if let Some(relinked) = self.relinked(ask, held, &bytes, &mut headers) {
            bytes = Verified::Whole(relinked);
        }
        self.add_state(&mut headers, held, freshness, &ask.key);
        self.add_age(&ask.manner, freshness, &mut headers, held.confirmed_at);
        if let Verified::Whole(whole) = &bytes
            && freshness == Freshness::Stale
            && held.status == 200
            && ask.manner.dress != Dress::AsSent
            && let Some(body) = self.with_message(ask.ecosystem, &ask.key, held, whole, &mut headers)
        {
            bytes = Verified::Whole(body);
        }
        if let Verified::Whole(body) = &bytes
            && let Some(response) =
                self.make_ready(ask, Made { held, freshness, headers: &headers, body, watch })
        {
            return response;
        }
        let status = StatusCode::from_u16(held.status).unwrap_or(StatusCode::OK);
        if status == StatusCode::OK && ask.manner.has_it(&headers) {
            self.end(ask.number, object(held, 304, source, freshness));
            return answer(StatusCode::NOT_MODIFIED, headers, host::http::whole(Bytes::new()));
        }
        let size = bytes.size_bytes();
        let (status, start, end) = match ask.range.filter(|_| status == StatusCode::OK) {
            None => (status, 0, size),
            Some(range) => match range.within(size) {
                Some((start, end)) => {
                    headers.insert(header::CONTENT_RANGE, range::of_part(start, end, size));
                    (StatusCode::PARTIAL_CONTENT, start, end)
                }
                None => {
                    self.end(ask.number, object(held, 416, source, freshness));
                    return unsatisfiable(size);
                }
            },
        };
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
        if status == StatusCode::OK {
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        self.end(ask.number, object(held, status.as_u16(), source, freshness));
        let body =
            if ask.manner.is_head { host::http::whole(Bytes::new()) } else { body::part(bytes, start, end) };
        answer(status, headers, body)
    }
}

/// Returns whether what a client gets is what the upstream just answered.
const fn is_from_upstream(ready: &Ready) -> bool {
    match ready {
        Ready::Head(_) | Ready::End(End::Passed { .. }) => true,
        Ready::End(End::Landed { source, .. }) => matches!(source, Source::Upstream),
        Ready::End(End::Failed { .. } | End::GivenUp) => false,
    }
}

/// Returns whether a transfer ended with nothing that says anything about the object.
fn is_nothing(ready: &Ready) -> bool {
    match ready {
        Ready::End(End::Failed { .. } | End::GivenUp) => true,
        Ready::End(End::Passed { status, .. }) => decide::is_trouble(*status),
        Ready::Head(_) | Ready::End(End::Landed { .. }) => false,
    }
}

fn given_up(url: &ObjectUrl) -> Refusal {
    Refusal::unavailable(format!("the transfer of `{url}` was given up"))
}

/// Returns the ending of an exchange that got nothing.
fn missed(refusal: &Refusal, sha256: Option<Sha256>) -> Ending {
    Ending::Missing { sha256, reason: refusal.reason.clone(), never_kept: refusal.never_kept }
}

/// Returns the ending of an exchange that was answered with a held object.
pub(crate) fn object(held: &Held, status: u16, source: Source, freshness: Freshness) -> Ending {
    Ending::Object {
        status,
        sha256: held.sha256,
        size_bytes: held.size_bytes,
        source,
        proof: held.proof,
        freshness,
        confirmed_at: held.confirmed_at,
        built_from: held.built_from().map(str::to_owned),
    }
}
