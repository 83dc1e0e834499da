//! Takes a file or a document: streamed to the clients while it is stored, verified before the last chunk leaves.

pub(crate) mod hashers;
pub(crate) mod incoming;
pub(crate) mod unpack;

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, header};
use model::{BUILT_FROM, Digest, Event, Freshness, Held, Proof, SavedHeader, Sha256, Source};
use registry::Form;
use registry::archive::{self, ArchiveError, Completeness};
use store::BlobWriter;

use crate::build;
use crate::copy::Prior;
use crate::decide::{self, Kind};
use crate::fetch::not_stored;
use crate::flight::{End, FileState, Flight, Head};
use crate::headers;
use crate::health::breaker::{Attempt, Outcome};
use crate::keep::NotKept;
use crate::limits::{
    FILE_BYTES_MAX, QUARANTINE_BYTES_MAX, SERVED_BYTES_MAX, UNPACKED_BYTES_MAX, VERIFY_FIRST_BYTES,
};
use crate::refusal::Refusal;
use crate::session::Inner;
use crate::transfer::hashers::Hashers;
use crate::transfer::incoming::Incoming;
use crate::upstream::{Giver, Reply};
use crate::vouch::Expectation;
use crate::want::Want;

/// What has arrived, and where it is.
struct Arrival {
    writer: Option<BlobWriter>,
    /// What was written, to be read.
    file: Option<File>,
    /// Why it is not in the store.
    trouble: Option<String>,
    hashers: Hashers,
    size_bytes: u64,
    held_back: Option<Bytes>,
    /// The first bytes of the same content, which are lost.
    repacked: Option<Sha256>,
    giver: Giver,
}

impl Inner {
    /// Takes an upstream's answer with status 200 that is not an index. The attempt is that of the host which answered.
    pub(crate) async fn transfer(
        self: &Arc<Self>,
        want: &Want,
        reply: Reply,
        prior: Prior,
        expectation: Option<Expectation>,
        flight: &Flight,
        attempt: &Attempt,
    ) -> End {
        let saved = build::to_save(&reply);
        // What a digest is known of is told by its bytes.
        if (expectation.is_none() || reply.is_played())
            && let Some(reason) = impossible(want, &reply, &saved, prior.known())
        {
            return self.refuse_answer(&attempt.host, want, prior, reason);
        }
        let length = reply
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let is_small = length.is_some_and(|length| length <= VERIFY_FIRST_BYTES);
        // While a copy can stand in, what may be small is not shown before it is known to be whole.
        let may_be_small = length.is_none() && prior.good().is_some_and(decide::is_good);
        let head = Head { status: StatusCode::OK, headers: saved.clone(), size_bytes: length };
        let unshown = if is_small || may_be_small {
            Some(head)
        } else {
            flight.begin(head);
            None
        };
        let broken_off = |prior, reason: &str| self.broken_off(&attempt.host, want, prior, flight, reason);
        let (giver, is_delimited) = (reply.giver, reply.is_delimited);
        let arrival = match self.receive(want, reply, length, expectation.as_ref(), flight, unshown).await {
            Ok(arrival) => arrival,
            Err(reason) => {
                self.note_outcome(attempt, Outcome::Failed, &reason);
                return broken_off(prior, &reason);
            }
        };
        if length.is_some_and(|length| length != arrival.size_bytes) {
            return broken_off(prior, "the answer was shorter than it said");
        }
        let proof = match expectation {
            None => Proof::FirstSeen,
            Some(expectation) => {
                let proof = expectation.proof;
                return match self.verify(&attempt.host, want, arrival, expectation).await {
                    Ok(arrival) => self.settle(want, saved, &prior, arrival, flight, proof).await,
                    Err(end) => end,
                };
            }
        };
        let completeness = match (want.form(), is_delimited) {
            (Form::Any, true) => Completeness::Whole,
            _ => completeness(&arrival).await,
        };
        if completeness == Completeness::Cut {
            return broken_off(prior, "the archive has no end");
        }
        if want.form() == Form::Archive && completeness == Completeness::Unknown {
            return self.no_archive(&attempt.host, want, prior, flight);
        }
        if giver == Giver::Drill || completeness == Completeness::Unknown {
            let reason = "nobody vouches for it, and its end could not be told from a broken connection";
            return self.hand_over(saved, arrival, flight, reason).await;
        }
        self.settle(want, saved, &prior, arrival, flight, proof).await
    }

    /// Refuses what came in place of an archive that nobody vouches for.
    fn no_archive(&self, host: &str, want: &Want, prior: Prior, flight: &Flight) -> End {
        if flight.has_begun() {
            return self.broken_off(host, want, prior, flight, "it is no archive");
        }
        let reason = format!("`{host}` answered with something else than an archive");
        self.refuse_answer(host, want, prior, reason)
    }

    /// Ends a transfer that did not come whole. Who was shown its beginning must not take something else for its end.
    fn broken_off(&self, host: &str, want: &Want, prior: Prior, flight: &Flight, reason: &str) -> End {
        if flight.has_begun() {
            let refusal = Refusal::unavailable(format!("`{}` did not come whole: {reason}", want.url));
            return End::Failed { refusal: Arc::new(refusal), sha256: None };
        }
        self.stand_in_for(host, want, prior, reason)
    }

    async fn receive(
        self: &Arc<Self>,
        want: &Want,
        reply: Reply,
        size_bytes: Option<u64>,
        expectation: Option<&Expectation>,
        flight: &Flight,
        mut unshown: Option<Head>,
    ) -> Result<Arrival, String> {
        let mut arrival = Arrival::new(expectation, reply.giver);
        match self.engine.store.writer() {
            Ok(writer) => match writer.reader() {
                Ok(file) => {
                    arrival.file = file.try_clone().ok();
                    flight.attach(file);
                    arrival.writer = Some(writer);
                }
                Err(error) => arrival.trouble = Some(not_stored(&error)),
            },
            Err(error) => arrival.trouble = Some(not_stored(&error)),
        }
        let mut body = Incoming::new(reply, size_bytes);
        while let Some(chunk) = body.next(self, want, arrival.file.as_ref()).await? {
            self.count(&body.host, body.giver, chunk.len() as u64);
            arrival.size_bytes += chunk.len() as u64;
            let size_max = match (size_bytes, arrival.giver) {
                (None, Giver::Server(_)) => SERVED_BYTES_MAX,
                // Nobody sends more than was announced and means well.
                (Some(size_bytes), Giver::Server(_)) => size_bytes.min(FILE_BYTES_MAX),
                _ => FILE_BYTES_MAX,
            };
            if arrival.size_bytes > size_max {
                return Err(format!("the answer is larger than {size_max} bytes"));
            }
            if arrival.size_bytes > VERIFY_FIRST_BYTES
                && let Some(head) = unshown.take()
            {
                flight.begin(head);
            }
            let state = arrival.take(&chunk);
            if let Some(before) = arrival.held_back.replace(chunk) {
                flight.push(before, state).await;
            }
        }
        Ok(arrival)
    }

    /// Compares what came from `host` with what is vouched for.
    async fn verify(
        &self,
        host: &str,
        want: &Want,
        mut arrival: Arrival,
        expectation: Expectation,
    ) -> Result<Arrival, End> {
        let digests: Vec<Digest> = std::mem::take(&mut arrival.hashers).finish().collect();
        if expectation.accepts(&digests) {
            return Ok(arrival);
        }
        if let Some(first) = expectation.first
            && self.is_repacked(&first, arrival.file.as_ref()).await
        {
            arrival.repacked = Some(first);
            return Ok(arrival);
        }
        let got = digests.first().map_or_else(String::new, Digest::to_string);
        let expected = expectation.expected();
        let size_bytes = arrival.size_bytes;
        let sha256 = arrival
            .writer
            .take()
            .filter(|_| size_bytes <= QUARANTINE_BYTES_MAX)
            .and_then(|writer| writer.finish().ok())
            .map(|blob| blob.sha256);
        self.note_detected(host);
        let vouched_by = expectation.vouched_by;
        let reason =
            format!("`{host}` gave {got} for `{}`, and {vouched_by} vouches for {expected}", want.url);
        let (key, from) = (want.key.clone(), Some(host.to_owned()).filter(|host| host != want.host()));
        self.journal(host, Event::Quarantined { key, sha256, size_bytes, expected, got, vouched_by, from });
        Err(End::Failed { refusal: Arc::new(Refusal::wrong(reason)), sha256: None })
    }

    /// Puts a whole and verified arrival into the store, and only then shows its last chunk.
    async fn settle(
        self: &Arc<Self>,
        want: &Want,
        saved: Vec<SavedHeader>,
        prior: &Prior,
        mut arrival: Arrival,
        flight: &Flight,
        proof: Proof,
    ) -> End {
        let Some(writer) = arrival.writer.take() else {
            let reason = arrival.trouble.take().unwrap_or_default();
            return self.hand_over(saved, arrival, flight, &reason).await;
        };
        let blob = match self.storing(|| writer.finish()) {
            Ok(blob) => blob,
            Err(error) => return self.hand_over(saved, arrival, flight, &not_stored(&error)).await,
        };
        let proof = if self.is_listed(want, &blob.sha256) { Proof::Verified } else { proof };
        let landed = Held {
            proof,
            // What the forge itself packs may take the place of what was packed here.
            immutable: want.kind() == Kind::File && !saved.iter().any(|header| header.0 == BUILT_FROM),
            ..self.held(want.ecosystem, StatusCode::OK, saved.clone(), &blob, arrival.giver)
        };
        let written = match arrival.repacked {
            Some(before) => self.write_repacked(want, before, &landed),
            None => self.write_down(want, prior.known(), &landed),
        };
        match written {
            Ok(()) => {}
            Err(NotKept::First(first)) => return self.give_first(want, *first, flight),
            Err(NotKept::Because(reason)) => return self.hand_over(saved, arrival, flight, &reason).await,
        }
        if let Some(last) = arrival.held_back.take() {
            flight.push(last, FileState::Written).await;
        }
        if proof == Proof::FirstSeen {
            self.note_tree(want, landed.sha256, landed.size_bytes);
        }
        End::landed(landed, arrival.giver.source(), arrival.giver.freshness())
    }

    fn write_down(&self, want: &Want, held: Option<&Held>, landed: &Held) -> Result<(), NotKept> {
        let was_given = |held: &&Held| decide::is_good(held) && held.built_from().is_none();
        let before: Option<Sha256> = held.filter(was_given).map(|held| held.sha256);
        self.keep(want, landed.clone())?;
        if let Some(before) = before.filter(|before| *before != landed.sha256) {
            self.journal(want.host(), Event::Changed { key: want.key.clone(), before, after: landed.sha256 });
        }
        Ok(())
    }

    /// Lets other bytes of the same content stand in for the first ones, which are lost.
    fn write_repacked(&self, want: &Want, before: Sha256, landed: &Held) -> Result<(), NotKept> {
        let key = || want.key.clone();
        let kept = Event::Kept { key: key(), held: landed.clone() };
        let repacked = Event::Repacked { key: key(), before, after: landed.sha256 };
        let recorded = self.engine.store.record(vec![kept, repacked]);
        recorded.map_err(|error| NotKept::Because(not_stored(&error)))
    }

    /// Gives the clients the first bytes in place of others that came at the same moment.
    fn give_first(&self, want: &Want, first: Held, flight: &Flight) -> End {
        if flight.has_begun() {
            let refusal = Refusal::wrong(format!("other bytes of `{}` were seen first", want.url));
            return End::Failed { refusal: Arc::new(refusal), sha256: None };
        }
        End::landed(first, Source::Copy, Freshness::Fresh)
    }

    /// Gives the clients what came although it is not kept.
    async fn hand_over(
        &self,
        saved: Vec<SavedHeader>,
        mut arrival: Arrival,
        flight: &Flight,
        reason: &str,
    ) -> End {
        let state = if arrival.writer.is_some() { FileState::Written } else { FileState::Failed };
        if let Some(last) = arrival.held_back.take() {
            flight.push(last, state).await;
        }
        End::Passed {
            status: StatusCode::OK,
            headers: Arc::new(saved),
            body: flight.in_memory().unwrap_or_default(),
            size_bytes: arrival.size_bytes,
            reason: reason.into(),
        }
    }
}

/// Returns whether an archive says itself that it has its end, where the connection does not.
async fn completeness(arrival: &Arrival) -> Completeness {
    let Some(Ok(mut file)) = arrival.file.as_ref().map(File::try_clone) else {
        return Completeness::Unknown;
    };
    let may_unpack = arrival.size_bytes <= UNPACKED_BYTES_MAX;
    let judged = tokio::task::spawn_blocking(move || {
        let completeness = archive::completeness(&mut file)?;
        // Nobody vouches for it: what does not unpack was damaged on its way, and must not be what it is from now on.
        let is_broken = completeness == Completeness::Whole
            && may_unpack
            && matches!(archive::tree(&mut file), Err(ArchiveError::Broken { .. }));
        Ok::<_, std::io::Error>(if is_broken { Completeness::Cut } else { completeness })
    });
    judged.await.ok().and_then(Result::ok).unwrap_or(Completeness::Unknown)
}

/// Returns why an answer cannot be what was asked for: a web page where a file or another kind of document was.
fn impossible(want: &Want, reply: &Reply, saved: &[SavedHeader], held: Option<&Held>) -> Option<String> {
    let is_page = |headers: &[SavedHeader]| {
        headers::saved(headers, "content-type").is_some_and(|kind| kind.starts_with("text/html"))
    };
    if !is_page(saved) {
        return None;
    }
    let host = &reply.host;
    if want.kind() == Kind::File {
        return Some(format!("`{host}` answered with a web page in place of a file"));
    }
    let was_something_else = held.is_some_and(|held| held.status == 200 && !is_page(&held.headers));
    // A played page is never taken, whatever was held: the drill knows that it is wrong.
    (was_something_else || reply.is_played())
        .then(|| format!("`{host}` answered with a web page in place of what it gave before"))
}

impl Arrival {
    fn new(expectation: Option<&Expectation>, giver: Giver) -> Self {
        Self {
            writer: None,
            file: None,
            trouble: None,
            hashers: Hashers::new(expectation.map(Expectation::algorithms).unwrap_or_default()),
            size_bytes: 0,
            held_back: None,
            repacked: None,
            giver,
        }
    }

    /// Hashes and writes a chunk; returns where the chunk before it is.
    fn take(&mut self, chunk: &Bytes) -> FileState {
        self.hashers.update(chunk);
        let before = if self.writer.is_some() { FileState::Written } else { FileState::Failed };
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.write_all(chunk)
        {
            tracing::warn!("a transfer goes on without being stored: {error}");
            self.trouble = Some(not_stored(&error));
            self.writer = None;
        }
        before
    }
}
