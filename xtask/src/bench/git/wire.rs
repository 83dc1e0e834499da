//! A client of git's protocol that takes what comes and keeps nothing: what is measured with it is the server alone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(300);
/// How a pack of version 2 begins.
const PACK: &[u8] = b"PACK\0\0\0\x02";

/// A repository at a server.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// `IP:PORT`.
    pub(super) address: String,
    /// With `/` at its beginning and none at its end.
    pub(super) path: String,
}

/// How a server answered.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    /// Until the first byte of what was asked for.
    pub(super) first: Duration,
    pub(super) whole: Duration,
    pub(super) n_bytes: u64,
}

impl Place {
    /// Asks for all refs; returns how long that took, and the answer.
    pub(super) fn list(&self) -> Result<(Duration, String)> {
        let body = [
            packet("command=ls-refs\n"),
            packet("object-format=sha1"),
            "0001".to_owned(),
            packet("symrefs\n"),
            packet("ref-prefix HEAD\n"),
            packet("ref-prefix refs/\n"),
            "0000".to_owned(),
        ];
        let mut answer = Vec::new();
        let answered = self.post(&body.concat(), b"\r\n\r\n", |bytes| answer.extend_from_slice(bytes))?;
        Ok((answered.whole, String::from_utf8_lossy(&answer).into_owned()))
    }

    /// Clones without keeping anything.
    pub(super) fn clone_all(&self) -> Result<Answered> {
        let (_, listed) = self.list()?;
        self.fetch(&ids(&listed))
    }

    /// Does the same, and asks for it in an order of its own: no server knows such requests to be equal.
    pub(super) fn clone_in_order(&self, seed: u64) -> Result<Answered> {
        let (_, listed) = self.list()?;
        let mut ids = ids(&listed);
        fastrand::Rng::with_seed(seed).shuffle(&mut ids);
        self.fetch(&ids)
    }

    /// Asks for everything that commits reach.
    pub(super) fn fetch(&self, ids: &[String]) -> Result<Answered> {
        if ids.is_empty() {
            bail!("`{}` lists no refs", self.path);
        }
        let mut body = packet("command=fetch") + &packet("object-format=sha1") + "0001";
        body += &(packet("no-progress") + &packet("ofs-delta"));
        body.extend(ids.iter().map(|id| packet(&format!("want {id}\n"))));
        self.post(&(body + &packet("done\n") + "0000"), PACK, |_| {})
    }

    fn post(&self, body: &str, awaited: &[u8], mut take: impl FnMut(&[u8])) -> Result<Answered> {
        let started = Instant::now();
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        // Version 1.0, so that nothing comes in chunks.
        let head = format!(
            "POST {}/git-upload-pack HTTP/1.0\r\nHost: {}\r\nUser-Agent: git/2.39.5\r\nGit-Protocol: version=2\r\n\
             Content-Type: application/x-git-upload-pack-request\r\nAccept: application/x-git-upload-pack-result\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.path,
            self.address,
            body.len()
        );
        stream.write_all((head + body).as_bytes())?;
        let (mut buffer, mut start) = (vec![0; 1 << 16], Vec::new());
        let (mut first, mut n_bytes) = (None, 0);
        loop {
            let n = stream.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            n_bytes += n as u64;
            take(&buffer[..n]);
            if first.is_none() {
                start.extend_from_slice(&buffer[..n]);
                first = start.windows(awaited.len()).any(|part| part == awaited).then(|| started.elapsed());
            }
        }
        let status = String::from_utf8_lossy(&start).lines().next().unwrap_or_default().to_owned();
        if status.split(' ').nth(1) != Some("200") {
            bail!("`{}` answered `{status}`", self.path);
        }
        let first = first.context("the answer has not what was asked for")?;
        Ok(Answered { first, whole: started.elapsed(), n_bytes })
    }
}

fn packet(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// Returns the objects of listed refs.
pub(super) fn ids(listed: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        listed.lines().filter_map(|line| Some(id_of(line.split_once(" refs/")?.0))).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Returns the object that a listing has for a ref.
pub(super) fn find<'a>(listed: &'a str, name: &str) -> Option<&'a str> {
    let end = format!(" {name}");
    let line = listed.lines().find_map(|line| line.strip_suffix(&end))?;
    Some(&line[line.len().saturating_sub(40)..])
}

/// The length of a line stands before it.
fn id_of(start: &str) -> String {
    start[start.len().saturating_sub(40)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_by_lines() {
        let [one, other] = ["1", "2"].map(|digit| digit.repeat(40));
        let listed = format!(
            "head\r\n\r\n0052{one} HEAD symref-target:refs/heads/main\n003d{one} refs/heads/main\n003d{other} refs/tags/v1\n0000"
        );
        assert_eq!(ids(&listed), [one.clone(), other.clone()]);
        assert_eq!(find(&listed, "refs/tags/v1"), Some(&*other));
        assert_eq!(find(&listed, "refs/tags/v"), None);
    }
}
