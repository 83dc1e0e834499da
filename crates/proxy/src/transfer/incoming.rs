//! A body as it comes from an upstream: resumed where it breaks off, given up where it only drips.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use host::http::Outgoing;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use crate::limits::{BODY_PAUSE_MAX, N_RESUMES_MAX, PACE_BYTES_MIN, PACE_WINDOW};
use crate::session::Inner;
use crate::upstream::{Giver, Question, Reply};
use crate::want::Want;

/// Why a body did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) reason: String,
    /// Whether asking for the rest may help: a connection that broke, not one that drips.
    may_resume: bool,
}

/// Reads frames, and sees to it that they come at some pace.
#[derive(Debug)]
pub(crate) struct Paced {
    body: Outgoing,
    window_end: Instant,
    window_bytes: u64,
}

impl Paced {
    pub(crate) fn new(body: Outgoing) -> Self {
        Self { body, window_end: Instant::now() + PACE_WINDOW, window_bytes: 0 }
    }

    /// Returns the next bytes, nothing at the end, or why there are no more.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Stop> {
        loop {
            match tokio::time::timeout(BODY_PAUSE_MAX, self.body.frame()).await {
                Err(_) => {
                    return Err(Stop::slow(format!("the answer stopped for {} s", BODY_PAUSE_MAX.as_secs())));
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => {
                    let reason = format!("the answer broke off: {}", crate::fetch::said(error.as_ref()));
                    return Err(Stop { reason, may_resume: true });
                }
                Ok(Some(Ok(frame))) => {
                    let Ok(bytes) = frame.into_data() else { continue };
                    self.keep_pace(bytes.len() as u64, Instant::now())?;
                    return Ok(Some(bytes));
                }
            }
        }
    }

    fn keep_pace(&mut self, n_bytes: u64, now: Instant) -> Result<(), Stop> {
        self.window_bytes += n_bytes;
        if now < self.window_end {
            return Ok(());
        }
        let is_slow = self.window_bytes < PACE_BYTES_MIN;
        (self.window_end, self.window_bytes) = (now + PACE_WINDOW, 0);
        if is_slow {
            let (bytes, seconds) = (PACE_BYTES_MIN, PACE_WINDOW.as_secs());
            return Err(Stop::slow(format!("the answer drips: fewer than {bytes} bytes in {seconds} s")));
        }
        Ok(())
    }
}

impl Stop {
    const fn slow(reason: String) -> Self {
        Self { reason, may_resume: false }
    }
}

/// The body of an answer with status 200.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Who sends it: where a redirect was followed, not the host that was asked first.
    pub(crate) host: String,
    body: Paced,
    /// What the upstream said that the whole has.
    size_bytes: Option<u64>,
    /// Says which answer a part must be of, and in which header.
    validator: Option<(HeaderName, HeaderValue)>,
    n_received: u64,
    n_resumes: u32,
    pub(crate) giver: Giver,
    /// Bytes that come once more, and must be those that came before.
    n_repeated: u64,
}

impl Incoming {
    pub(crate) fn new(reply: Reply, size_bytes: Option<u64>) -> Self {
        let validator = |name: HeaderName| Some((name.clone(), reply.headers.get(name)?.clone()));
        let strong = validator(header::ETAG).filter(|(_, etag)| !etag.as_bytes().starts_with(b"W/"));
        let validator = strong.or_else(|| validator(header::LAST_MODIFIED));
        Self {
            host: reply.host,
            body: Paced::new(reply.body),
            size_bytes,
            validator,
            n_received: 0,
            n_resumes: 0,
            giver: reply.giver,
            n_repeated: 0,
        }
    }

    /// Returns the next bytes that did not come before; `file` has those that did.
    pub(crate) async fn next(
        &mut self,
        inner: &Arc<Inner>,
        want: &Want,
        file: Option<&File>,
    ) -> Result<Option<Bytes>, String> {
        loop {
            match self.body.next().await {
                Ok(Some(bytes)) => {
                    if let Some(bytes) = self.pass_repeated(bytes, file)? {
                        self.n_received += bytes.len() as u64;
                        return Ok(Some(bytes));
                    }
                }
                Ok(None) if self.n_repeated > 0 => return Err("the answer is shorter than before".to_owned()),
                Ok(None) => return Ok(None),
                Err(stop) => self.resume(inner, want, stop).await?,
            }
        }
    }

    /// Asks for the rest.
    async fn resume(&mut self, inner: &Arc<Inner>, want: &Want, stop: Stop) -> Result<(), String> {
        let mut reason = stop.reason;
        if matches!(self.giver, Giver::Drill | Giver::Repository(_)) || !stop.may_resume {
            return Err(reason);
        }
        while self.n_resumes < N_RESUMES_MAX {
            tokio::time::sleep(Duration::from_millis(50) * self.n_resumes).await;
            self.n_resumes += 1;
            match self.ask_rest(inner, want).await {
                Ok(body) => {
                    self.body = Paced::new(body);
                    return Ok(());
                }
                Err(again) => reason = again,
            }
        }
        Err(reason)
    }

    async fn ask_rest(&mut self, inner: &Arc<Inner>, want: &Want) -> Result<Outgoing, String> {
        let mut headers = want.headers.clone();
        if let Some((_, validator)) = self.validator.as_ref().filter(|_| self.n_received > 0) {
            let range = format!("bytes={}-", self.n_received);
            headers.insert(header::RANGE, HeaderValue::try_from(range).map_err(|error| error.to_string())?);
            headers.insert(header::IF_RANGE, validator.clone());
        }
        // Not whoever broke off last, while there is another.
        let is_servers_turn = !self.giver.is_server() || self.n_resumes.is_multiple_of(2);
        let servers = match is_servers_turn {
            true => inner.ask_server_for_rest(want, &headers).await,
            false => None,
        };
        let reply = match servers {
            Some(reply) => reply,
            None => {
                let question = Question::bare(Method::GET, want.url.clone(), headers, want.chooser);
                let asked = inner.ask_following(want, question, None).await;
                asked.map_err(|trouble| crate::fetch::said(&trouble.error))?
            }
        };
        match reply.status {
            StatusCode::PARTIAL_CONTENT if !self.is_of_the_same(&reply.headers) => {
                // Asked for the whole, it can be compared with what is here.
                self.validator = None;
                self.n_resumes = self.n_resumes.saturating_sub(1);
                return Err("asked for the rest, it gave that of another file".to_owned());
            }
            StatusCode::PARTIAL_CONTENT if self.is_the_rest(&reply.headers) => self.n_repeated = 0,
            StatusCode::OK => self.n_repeated = self.n_received,
            status => return Err(format!("asked for the rest, it answered with status {}", status.as_u16())),
        }
        (self.host, self.giver) = (reply.host, reply.giver);
        Ok(reply.body)
    }

    /// Returns whether a part is of the answer that broke off, by its own word: a server that looks past `If-Range` gives the rest of
    /// whatever lies there now (RFC 9110 §13.1.5, §15.3.7).
    fn is_of_the_same(&self, headers: &HeaderMap) -> bool {
        self.validator.as_ref().is_some_and(|(name, value)| headers.get(name) == Some(value))
    }

    /// Returns whether a part begins where the bytes end that are here, and ends where the whole ends.
    fn is_the_rest(&self, headers: &HeaderMap) -> bool {
        let Some((range, size)) = headers
            .get(header::CONTENT_RANGE)
            .and_then(|value| value.to_str().ok()?.strip_prefix("bytes ")?.split_once('/'))
        else {
            return false;
        };
        let (Some((Ok(start), Ok(end))), Ok(size)) = (
            range.split_once('-').map(|(start, end)| (start.parse::<u64>(), end.parse::<u64>())),
            size.parse::<u64>(),
        ) else {
            return false;
        };
        start == self.n_received
            && end.checked_add(1) == Some(size)
            && self.size_bytes.is_none_or(|whole| whole == size)
    }

    /// Compares what comes once more with what came before, and returns what is new.
    fn pass_repeated(&mut self, mut bytes: Bytes, file: Option<&File>) -> Result<Option<Bytes>, String> {
        if self.n_repeated == 0 {
            return Ok(Some(bytes));
        }
        let n = usize::try_from(self.n_repeated).unwrap_or(usize::MAX).min(bytes.len());
        let again = bytes.split_to(n);
        let mut before = vec![0; n];
        let file = file.ok_or("what came before is not here to compare with")?;
        file.read_exact_at(&mut before, self.n_received - self.n_repeated)
            .map_err(|error| error.to_string())?;
        if again != before {
            return Err("asked again, it began with other bytes".to_owned());
        }
        self.n_repeated -= n as u64;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

/// Why a body was not read whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfinished {
    #[error("it is larger than {size_max} bytes")]
    TooLarge { size_max: u64 },
    #[error("{0}")]
    Stopped(String),
}

/// Reads a body whole.
pub(crate) async fn read(body: Outgoing, size_max: u64) -> Result<Bytes, Unfinished> {
    let mut all = BytesMut::new();
    let mut body = Paced::new(body);
    while let Some(chunk) = body.next().await.map_err(|stop| Unfinished::Stopped(stop.reason))? {
        if (all.len() + chunk.len()) as u64 > size_max {
            return Err(Unfinished::TooLarge { size_max });
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(n_received: u64, size_bytes: Option<u64>) -> Incoming {
        let reply = Reply {
            host: String::new(),
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: host::http::whole(Bytes::new()),
            is_delimited: true,
            giver: Giver::Upstream,
        };
        Incoming { n_received, ..Incoming::new(reply, size_bytes) }
    }

    #[test]
    fn only_the_rest_of_the_same_whole_is_taken() {
        let check = |range: &str, size_bytes: Option<u64>, expected: bool| {
            let headers = HeaderMap::from_iter([(header::CONTENT_RANGE, range.parse().unwrap())]);
            assert_eq!(incoming(40, size_bytes).is_the_rest(&headers), expected, "{range} {size_bytes:?}");
        };
        check("bytes 40-99/100", Some(100), true);
        check("bytes 40-99/100", None, true);
        check("bytes 40-99/100", Some(101), false);
        check("bytes 41-99/100", Some(100), false);
        check("bytes 40-98/100", Some(100), false);
        check("bytes 40-99/*", Some(100), false);
        check("bytes */100", Some(100), false);
        check("bytes 40-18446744073709551615/100", None, false);
        check("octets 40-99/100", Some(100), false);
        assert!(!incoming(40, None).is_the_rest(&HeaderMap::new()));
    }

    #[test]
    fn what_comes_again_must_be_what_came() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"abcdef", 0).unwrap();
        let mut same = Incoming { n_repeated: 6, ..incoming(6, None) };
        assert_eq!(same.pass_repeated(Bytes::from_static(b"abcd"), Some(&file)), Ok(None));
        assert_eq!(
            same.pass_repeated(Bytes::from_static(b"efgh"), Some(&file)),
            Ok(Some(Bytes::from_static(b"gh")))
        );
        assert_eq!(same.pass_repeated(Bytes::from_static(b"i"), None), Ok(Some(Bytes::from_static(b"i"))));
        let mut other = Incoming { n_repeated: 6, ..incoming(6, None) };
        assert!(other.pass_repeated(Bytes::from_static(b"abXd"), Some(&file)).is_err());
        let mut blind = Incoming { n_repeated: 6, ..incoming(6, None) };
        assert!(blind.pass_repeated(Bytes::from_static(b"abcd"), None).is_err());
    }

    #[tokio::test]
    async fn a_drip_is_given_up() {
        let mut paced = Paced::new(host::http::whole(Bytes::new()));
        let end = paced.window_end;
        assert_eq!(paced.keep_pace(1, end - Duration::from_secs(1)), Ok(()));
        assert!(paced.keep_pace(1, end + Duration::from_secs(1)).unwrap_err().reason.contains("drips"));
        let end = paced.window_end;
        assert_eq!(paced.keep_pace(PACE_BYTES_MIN, end), Ok(()), "a new window");
    }
}
