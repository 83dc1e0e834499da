//! Gives out what is on the shelf, and puts there what will be asked for again.

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use model::Held;

use crate::ask::{Ask, Manner};
use crate::body::answer;
use crate::decide::Kind;
use crate::session::Inner;
use crate::shelf::{Goods, Ready};

impl Inner {
    /// Answers with what is ready, where that is still good.
    pub(crate) fn give_ready_made(&self, ask: &Ask) -> Option<Response<Outgoing>> {
        let (shelf, key) = (self.shelf.as_ref()?, ask.shelf_key()?);
        let ready = shelf.take(&key, ask.spelling.as_ref(), self.engine.clock.elapsed())?;
        self.give_form(&ask.manner, &ready)
    }

    /// Answers with what is ready for a request that was spelled like this before.
    pub(crate) fn give_spelled(&self, spelled: &[u8], manner: &Manner) -> Option<Response<Outgoing>> {
        let ready = self.shelf.as_ref()?.take_spelled(spelled, self.engine.clock.elapsed())?;
        self.give_form(manner, &ready)
    }

    /// Makes a fresh copy ready, for as long as it would be served without asking, and answers with it.
    pub(crate) fn make_ready(
        &self,
        ask: &Ask,
        held: &Held,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Option<Response<Outgoing>> {
        let (shelf, key) = (self.shelf.as_ref()?, ask.shelf_key()?);
        let age = self.engine.clock.now().duration_since(held.confirmed_at).unsigned_abs();
        let left = match held.immutable {
            true => self.engine.index_fresh_for,
            false => self.engine.index_fresh_for.checked_sub(age)?,
        };
        // A document that may change is asked for each time.
        let is_asked_for_each_time = ask.kind == Kind::Document && !held.immutable;
        if held.status != 200 || left.is_zero() || is_asked_for_each_time {
            return None;
        }
        let good_until = self.engine.clock.elapsed() + left;
        let mut headers = headers.clone();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let goods = Goods { headers, body: body.clone(), good_until, confirmed_at: held.confirmed_at };
        let put = || shelf.put(key, ask.spelling.as_ref(), goods);
        // Compressing megabytes is nothing for a thread that serves others.
        let ready = tokio::task::block_in_place(put)?;
        self.give_form(&ask.manner, &ready)
    }

    /// Answers with the form for a client of what is ready.
    fn give_form(&self, manner: &Manner, ready: &Ready) -> Option<Response<Outgoing>> {
        let form = ready.form(manner.accepts_gzip)?;
        let mut headers = form.headers.clone();
        self.add_age(manner, &mut headers, ready.confirmed_at);
        if manner.has_it(&headers) {
            headers.remove(header::CONTENT_LENGTH);
            return Some(answer(StatusCode::NOT_MODIFIED, headers, host::http::whole(Bytes::new())));
        }
        let body = if manner.is_head { Bytes::new() } else { form.body.clone() };
        Some(answer(StatusCode::OK, headers, host::http::whole(body)))
    }
}
