//! Gives out what is on the shelf, and puts there what will be asked for again.

use std::time::Duration;

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use model::{Freshness, Held, ObjectKey};

use crate::ask::{Ask, Manner};
use crate::body::answer;
use crate::decide::{self, Kind};
use crate::session::Inner;
use crate::shelf::{Goods, Mark, Ready, Watch};

/// An answer as it would leave.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    pub(crate) held: &'a Held,
    pub(crate) freshness: Freshness,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
    /// Begun before its headers said how its host stands.
    pub(crate) watch: Option<Watch>,
}

impl Inner {
    /// Answers with what is ready, where that is still good.
    pub(crate) fn give_ready_made(&self, ask: &Ask) -> Option<Response<Outgoing>> {
        let (shelf, key) = (self.shelf.as_ref()?, ask.shelf_key()?);
        let ready = shelf.take(&key, ask.spelling.as_ref(), self.engine.clock.elapsed())?;
        self.give_held(&ask.manner, &ready)
    }

    /// Answers with what is ready for a request that was spelled like this before.
    pub(crate) fn give_spelled(&self, spelled: &[u8], manner: &Manner) -> Option<Response<Outgoing>> {
        let ready = self.shelf.as_ref()?.take_spelled(spelled, self.engine.clock.elapsed())?;
        self.give_held(manner, &ready)
    }

    /// Answers with what is ready, unless somebody has kept another one: it may have been another process.
    fn give_held(&self, manner: &Manner, ready: &Ready) -> Option<Response<Outgoing>> {
        let (store, clock) = (&self.engine.store, &self.engine.clock);
        if ready.fresh_until.is_some_and(|until| clock.now() >= until) {
            return None;
        }
        let now = clock.elapsed();
        let generation = self.shelf.as_ref()?.generation(now, || store.stamp());
        let mark = |key: &ObjectKey| store.lookup(key).ok().flatten().as_ref().map(Mark::from);
        if !ready.is_held(generation, mark) {
            return None;
        }
        self.give_form(manner, ready)
    }

    /// Makes a copy ready, for as long as it would be served without asking, and answers with it.
    pub(crate) fn make_ready(&self, ask: &Ask, made: Made<'_>) -> Option<Response<Outgoing>> {
        let (shelf, key) = (self.shelf.as_ref()?, ask.shelf_key()?);
        let Made { held, freshness, headers, body, watch } = made;
        let left =
            self.good_for(ask, held, freshness).filter(|left| held.status == 200 && !left.is_zero())?;
        let mut headers = headers.clone();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let known = self.engine.store.lookup(&ask.key).ok()?;
        let mark = known.as_ref().map(Mark::from);
        // Somebody has kept another one meanwhile. One of another name of its registry has none of its own.
        if known.is_some_and(|known| decide::is_good(&known)) && mark != Some(held.into()) {
            return None;
        }
        let is_due = freshness == Freshness::Fresh && !held.immutable;
        let goods = Goods {
            headers,
            body: body.clone(),
            freshness,
            good_until: self.engine.clock.elapsed() + left,
            fresh_until: self.engine.clock.now().checked_add(left).ok().filter(|_| is_due),
            watch,
            mark,
            confirmed_at: held.confirmed_at,
        };
        let put = || shelf.put(key, ask.spelling.as_ref(), goods);
        // Compressing megabytes is nothing for a thread that serves others.
        let ready = tokio::task::block_in_place(put)?;
        self.give_form(&ask.manner, &ready)
    }

    /// Returns how long the same answer would be given to whoever asks.
    fn good_for(&self, ask: &Ask, held: &Held, freshness: Freshness) -> Option<Duration> {
        let fresh_for = self.engine.index_fresh_for;
        match freshness {
            Freshness::Fresh | Freshness::Gone if held.immutable => Some(fresh_for),
            // A document that may change is asked for each time.
            Freshness::Fresh if ask.kind == Kind::Document => None,
            Freshness::Fresh => {
                let age = self.engine.clock.now().duration_since(held.confirmed_at).unsigned_abs();
                fresh_for.checked_sub(age)
            }
            // It is another's.
            Freshness::Stale if held.immutable => None,
            Freshness::Stale | Freshness::Gone => self.shut_for(ask.key.url.host(), ask.kind.lane()),
        }
    }

    /// Answers with the form for a client of what is ready.
    fn give_form(&self, manner: &Manner, ready: &Ready) -> Option<Response<Outgoing>> {
        let form = ready.form(manner.accepts_gzip)?;
        let mut headers = form.headers.clone();
        self.add_age(manner, ready.freshness, &mut headers, ready.confirmed_at);
        if manner.has_it(&headers) {
            headers.remove(header::CONTENT_LENGTH);
            return Some(answer(StatusCode::NOT_MODIFIED, headers, host::http::whole(Bytes::new())));
        }
        let body = if manner.is_head { Bytes::new() } else { form.body.clone() };
        Some(answer(StatusCode::OK, headers, host::http::whole(body)))
    }
}
