//! Questions: requests whose answer depends on nothing but their body. It is remembered, and never an all-clear that nobody gave.

use std::sync::Arc;

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use model::{Freshness, Held, ObjectKey, SafeUrl, Sha256, Source};
use registry::Ecosystem;

use crate::body::answer;
use crate::decide::Kind;
use crate::fetch::{not_stored, said};
use crate::headers;
use crate::health::breaker::{Lane, Outcome};
use crate::keep::NotKept;
use crate::late::Left;
use crate::limits::{ANSWER_PATIENCE, INDEX_BYTES_MAX, SOFT_DEADLINE};
use crate::note::Ending;
use crate::refusal::Refusal;
use crate::serve::object;
use crate::session::{Inner, Session};
use crate::transfer::incoming::read;
use crate::upstream::{Giver, Question};
use crate::want::Asker;
use crate::who::Who;

impl Session {
    /// Asks an API whose answer depends on nothing but the body; in an outage the remembered answer for the same body
    /// is given, or none: an empty answer would be a false all-clear.
    pub(crate) async fn question(
        &self,
        number: usize,
        url: SafeUrl,
        asker: Asker<'_>,
        body: Outgoing,
        ecosystem: &'static dyn Ecosystem,
    ) -> Response<Outgoing> {
        let inner = &self.0;
        let body = match self.read_question(number, body).await {
            Ok(body) => body,
            Err(refusal) => return *refusal,
        };
        let (client, body) = match inner.untold(&url, ecosystem, asker.client, body) {
            Ok(told) => told,
            Err(refusal) => return inner.missing(number, &refusal, None),
        };
        let asked = format!("body={}", Sha256::of(&body));
        let variant = asker.who.partition(&asked);
        inner.notes.specify(number, &variant);
        let key = ObjectKey { method: model::Method::Post, url: url.object().clone(), variant };
        let recall = |trouble: &str| {
            let held = inner.remembered(&key, &asked, asker.who);
            inner.recall(number, &url, &key, held, trouble)
        };
        if let Some(at) = inner.at {
            return recall(&format!("nothing newer than {at} was asked for"));
        }
        let posed = Posed { url: url.clone(), client, body, key: key.clone(), ecosystem };
        let asked = inner.ask_in_time(&posed).await;
        let trouble = match asked {
            Ok((status, saved, bytes, Ok(held))) => {
                inner.note_recovery(&key, Lane::Questions);
                inner.end(number, object(&held, held.status, Source::Upstream, Freshness::Fresh));
                let mut headers = headers::from_saved(&saved);
                if inner.site.is_some() {
                    // Another Outlast takes no answer that does not say how it stands.
                    headers.insert("outlast-state", HeaderValue::from_static("fresh"));
                }
                return answer(status, headers, host::http::whole(bytes));
            }
            // A page about the server's trouble is no answer, whether or not there is another.
            Ok((status, saved, bytes, kept))
                if status.is_success() || !(status.is_server_error() || inner.remembers(&key)) =>
            {
                let reason = kept.err().unwrap_or_else(|| format!("status {}", status.as_u16()));
                let size_bytes = bytes.len() as u64;
                inner.end(number, Ending::NotKept { status: status.as_u16(), size_bytes, reason });
                return answer(status, headers::from_saved(&saved), host::http::whole(bytes));
            }
            Ok((status, ..)) => format!("the upstream answered with status {}", status.as_u16()),
            Err(reason) => reason,
        };
        if asker.who == Who::NOBODY {
            inner.ask_server_too(&posed).await;
        }
        recall(&trouble)
    }
}

/// A question as it is asked, and where its answer is remembered.
#[derive(Clone)]
struct Posed {
    url: SafeUrl,
    client: HeaderMap,
    body: Bytes,
    key: ObjectKey,
    ecosystem: &'static dyn Ecosystem,
}

/// Status, headers and body of an answer, and what was kept of it.
type Asked = (StatusCode, Vec<model::SavedHeader>, Bytes, Result<Held, String>);

impl Inner {
    /// Asks, but where an answer is remembered, neither for long nor a host that was found down.
    async fn ask_in_time(self: &Arc<Self>, posed: &Posed) -> Result<Asked, String> {
        let host = posed.url.object().host();
        if !self.remembers(&posed.key) {
            return self.wait_for_answer(host, self.ask_question(posed)).await;
        }
        if !self.take_turn_to_wait(host, Lane::Questions) {
            return Err(self.why_down(host, Lane::Questions));
        }
        let attempt = self.attempt(host, Lane::Questions);
        // What comes late is remembered for the next time.
        let (inner, owned) = (self.clone(), posed.clone());
        let mut asking = tokio::spawn(async move { inner.ask_question(&owned).await });
        match tokio::time::timeout(SOFT_DEADLINE, &mut asking).await {
            Ok(Ok(asked)) => asked,
            Ok(Err(error)) => Err(format!("the question came to grief: {error}")),
            Err(_) => {
                self.leave_behind(Left::question(asking));
                let reason = "it gave no answer within a second".to_owned();
                self.note_outcome(&attempt, Outcome::Hung, &reason);
                Err(reason)
            }
        }
    }

    /// Waits for an answer that nothing here can stand in for. A host that hangs is known as one before its clients give up, and
    /// then nobody waits long for it.
    async fn wait_for_answer(
        &self,
        host: &str,
        asking: impl Future<Output = Result<Asked, String>>,
    ) -> Result<Asked, String> {
        let attempt = self.attempt(host, Lane::Questions);
        let mut asking = std::pin::pin!(asking);
        let is_down = self.is_shut(host, Lane::Questions);
        let patience = if is_down { SOFT_DEADLINE } else { ANSWER_PATIENCE };
        if let Ok(asked) = tokio::time::timeout(patience, &mut asking).await {
            return asked;
        }
        let reason = format!("`{host}` did not answer within {} s", patience.as_secs().max(1));
        self.note_outcome(&attempt, Outcome::Hung, &reason);
        if is_down { Err(format!("{reason}, and was found down before")) } else { asking.await }
    }

    async fn ask_question(&self, posed: &Posed) -> Result<Asked, String> {
        let Posed { url, client, body, key, ecosystem } = posed;
        let host = url.object().host();
        let mut sent = headers::for_whole(client);
        // `for_whole` drops what narrows an answer; the request's own encoding stays with its body.
        if let Some(encoding) = client.get(http::header::CONTENT_ENCODING) {
            sent.insert(http::header::CONTENT_ENCODING, encoding.clone());
        }
        let question = Question {
            method: Method::POST,
            url: url.clone(),
            headers: sent,
            body: host::http::whole(body.clone()),
            chooser: self.chooser(),
        };
        let attempt = self.attempt(host, Lane::Questions);
        let reply = self.bounded(host, question).await.map_err(|error| {
            self.note_error(&attempt, &error);
            said(&error)
        })?;
        if reply.is_played() {
            self.note_status(&attempt, reply.status, &reply.headers);
            return Err(format!("`{host}` answered with status {}", reply.status.as_u16()));
        }
        let (status, saved) = (reply.status, headers::to_save(&reply.headers));
        // An answer that only begins is none.
        let bytes = read(reply.body, INDEX_BYTES_MAX)
            .await
            .map_err(|unread| unread.to_string())
            .inspect_err(|reason| self.note_outcome(&attempt, Outcome::Failed, reason))?;
        self.note_status(&attempt, status, &reply.headers);
        self.notes.count(host, bytes.len() as u64);
        let kept = if status == StatusCode::OK {
            if !ecosystem.is_answer(url.object(), &bytes) {
                let reason = format!("what `{host}` answered is no answer to that");
                self.note_outcome(&attempt, Outcome::Failed, &reason);
                return Err(reason);
            }
            self.remember(key, status, &saved, &bytes, *ecosystem, Giver::Upstream)
        } else if is_not_offered(status) && !self.remembers_good(key) {
            // That a registry has no such API is an answer too, and no all-clear; but none that replaces a better one.
            self.remember(key, status, &saved, &bytes, *ecosystem, Giver::Upstream)
        } else {
            Err(format!("the upstream answered with status {}", status.as_u16()))
        };
        Ok((status, saved, bytes, kept))
    }

    /// Asks the team's server what its host could not answer, and remembers that where it is newer than what is remembered here.
    async fn ask_server_too(self: &Arc<Self>, posed: &Posed) {
        let Posed { url, client, body, key, ecosystem } = posed;
        let asking = self.ask_server_question(url, client, body.clone());
        let Ok(Some((reply, standing))) = tokio::time::timeout(ANSWER_PATIENCE, asking).await else { return };
        let is_news = |held: Held| held.confirmed_at < standing.confirmed_at;
        if reply.status != StatusCode::OK
            || !self.lookup(key, Kind::Document).is_ok_and(|held| held.is_none_or(is_news))
        {
            return;
        }
        let (saved, giver) = (headers::to_save(&reply.headers), reply.giver);
        let Ok(bytes) = read(reply.body, INDEX_BYTES_MAX).await else { return };
        if ecosystem.is_answer(url.object(), &bytes)
            && let Err(reason) = self.remember(key, StatusCode::OK, &saved, &bytes, *ecosystem, giver)
        {
            tracing::warn!("the server's answer to `{url}` is not kept: {reason}");
        }
    }

    fn remember(
        &self,
        key: &ObjectKey,
        status: StatusCode,
        saved: &[model::SavedHeader],
        bytes: &Bytes,
        ecosystem: &'static dyn Ecosystem,
        giver: Giver,
    ) -> Result<Held, String> {
        let blob = self.engine.store.put(bytes).map_err(|error| not_stored(&error))?;
        let held = self.held(ecosystem, status, saved.to_vec(), &blob, giver);
        self.keep_as(key, key.url.host(), held.clone()).map_err(NotKept::reason)?;
        Ok(held)
    }

    fn remembers(&self, key: &ObjectKey) -> bool {
        self.engine.store.lookup(key).is_ok_and(|held| held.is_some())
    }

    fn remembers_good(&self, key: &ObjectKey) -> bool {
        self.engine.store.lookup(key).is_ok_and(|held| held.is_some_and(|held| held.status == 200))
    }

    /// Returns the remembered answer to a question, or that to somebody else who asked the same.
    fn remembered(&self, key: &ObjectKey, asked: &str, who: Who) -> Option<Held> {
        let own = self.lookup(key, Kind::Document).ok().flatten();
        own.or_else(|| self.of_another(key, asked, who, Kind::Document))
    }

    fn recall(
        &self,
        number: usize,
        url: &SafeUrl,
        key: &ObjectKey,
        held: Option<Held>,
        trouble: &str,
    ) -> Response<Outgoing> {
        let Some(held) = held else {
            let reason = format!("no answer to this question is remembered for `{url}`, and {trouble}");
            let refusal = match self.at {
                Some(_) => Refusal::not_held_then(reason),
                None => Refusal::unavailable(reason),
            };
            return self.missing(number, &refusal, None);
        };
        match self.engine.store.read_blob(&held.sha256, INDEX_BYTES_MAX) {
            Ok(bytes) => {
                if self.at.is_none() {
                    self.note_stale(key, Lane::Questions, trouble);
                }
                self.end(number, object(&held, held.status, Source::Copy, Freshness::Stale));
                let mut headers = headers::from_saved(&held.headers);
                self.add_state(&mut headers, &held, Freshness::Stale, key);
                let bytes = Bytes::from(bytes);
                let told = registry::ecosystem(&held.ecosystem)
                    .and_then(|it| self.with_message(it, key, &held, &bytes, &mut headers));
                let status = StatusCode::from_u16(held.status).unwrap_or(StatusCode::OK);
                answer(status, headers, host::http::whole(told.unwrap_or(bytes)))
            }
            Err(error) => {
                let reason = format!("blob {} cannot be used: {error}", held.sha256);
                self.missing(number, &Refusal::damaged(reason), Some(held.sha256))
            }
        }
    }
}

/// Returns whether a status says that the registry does not have the API that was asked.
const fn is_not_offered(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 405 | 410)
}
