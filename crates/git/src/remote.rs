//! Upstreams that only git itself can ask: over `ssh`, `git://`, and on this machine's disk.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use host::process::{Limits, ProcessError, Program, Stream};
use model::ObjectId;

use crate::bare::Bare;
use crate::command::{Git, GitError, STDERR_BYTES_MAX, Ssh};
use crate::harmless::harmless;
use crate::history::missing;
use crate::incoming::is_disk;
use crate::listing::{BYTES_MAX, Listed, Listing};
use crate::pkt::{FLUSH, ProtocolError, raw_line};
use crate::serve::PACK_BYTES_MAX;
use crate::view::lay_out_beside;

/// How long an upstream may take to list its refs.
const LIST: Duration = Duration::from_secs(120);
/// And to give objects: git tells nobody whether it still gets on.
pub(crate) const FETCH: Duration = Duration::from_secs(2 * 3600);

/// How git gets to other machines: it never asks a person, and believes no host that it does not know.
const SSH: &str = "-oBatchMode=yes -oStrictHostKeyChecking=yes -oConnectTimeout=10 -oServerAliveInterval=15 \
                   -oServerAliveCountMax=4";
const SETTINGS: [&str; 6] = [
    "protocol.ssh.allow=always",
    "protocol.git.allow=always",
    "protocol.file.allow=always",
    "fetch.unpackLimit=1",
    "fetch.writeCommitGraph=false",
    "core.alternateRefsCommand=:",
];

/// And where Outlast asks in its place, on loopback.
const RELAY_SETTINGS: [&str; 6] =
    ["-c", "protocol.http.allow=always", "-c", "http.followRedirects=false", "-c", "http.maxRequests=4"];

/// Where git gets objects.
#[derive(Debug, Clone, Copy)]
pub struct Remote<'a> {
    /// Its address.
    pub url: &'a str,
    /// What git says with each request to Outlast, where that asks in its place; nobody else on this machine sees it.
    pub header: Option<&'a str>,
}

/// Why git got nothing from an upstream.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The upstream's reason, or the line's.
    #[error("git says: {said}")]
    Said {
        /// Harmless, and short.
        said: String,
    },
    /// What it lists is no list of refs.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// It is a matter of this machine.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl From<ProcessError> for RemoteError {
    fn from(error: ProcessError) -> Self {
        match error {
            // It moved on while it was asked.
            ProcessError::Failed { said, .. } => blamed(harmless(said.as_bytes(), 300)),
            ProcessError::Slow { time, .. } => {
                Self::Said { said: format!("it took more than {} s", time.as_secs()) }
            }
            error => Self::Git(error.into()),
        }
    }
}

impl From<io::Error> for RemoteError {
    fn from(error: io::Error) -> Self {
        Self::Git(error.into())
    }
}

impl Git {
    /// Asks for all refs, and returns them with the format of their objects.
    pub fn list_remote(&self, url: &str) -> Result<(String, Listed), RemoteError> {
        let program = self.remote(LIST, BYTES_MAX).args(["ls-remote", "--quiet", "--symref", "--", url]);
        let printed = said(&program)?;
        let mut listing = Listing::default();
        listing.push(&packets(&printed))?;
        let listed = listing.finish()?;
        let id = listed.refs.values().find_map(model::Target::id);
        Ok((id.map_or("sha1", ObjectId::format).to_owned(), listed))
    }

    fn remote(&self, time: Duration, stdout_bytes: usize) -> Program {
        let limits = Limits { time, stdout_bytes, stderr_bytes: STDERR_BYTES_MAX };
        let Ssh { command, agent, home } = &self.ssh;
        let command = format!("{} {SSH}", command.as_deref().unwrap_or("ssh"));
        // A command may name files of the home; git itself is told elsewhere to read no settings there.
        let set =
            [("GIT_SSH_COMMAND", Some(&command)), ("SSH_AUTH_SOCK", agent.as_ref()), ("HOME", home.as_ref())];
        let set = set.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let program = self.bare_program(limits).environment(set);
        program.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
    }
}

impl Bare {
    /// Gets everything that an upstream has and is not here; `wants` are what it listed.
    pub fn fetch_remote(
        &self,
        remote: Remote<'_>,
        object_format: &str,
        wants: &[ObjectId],
    ) -> Result<Fetched, RemoteError> {
        let folder = self.folder_of_a_moment();
        let fetched = Fetched { git: self.git.of(&folder), folder };
        // What is here is not asked for again.
        let known = match fs::read(self.folder.join("packed-refs")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            known => known?,
        };
        lay_out_beside(&fetched.folder, "../../objects\n", object_format, &known, "ref: refs/heads/none\n")?;
        // By its refs: what they name may be asked for in no other way.
        fetched.fetch(remote, "+refs/*:refs/fetched/*")?;
        if !missing(&fetched.git, wants)?.is_empty() {
            // Of no branch, and named by `HEAD` alone. What is missing then has moved on, which the pack will tell.
            let _ = fetched.fetch(remote, "+HEAD:refs/fetched-head");
        }
        Ok(fetched)
    }
}

/// What came from an upstream, in a repository of a moment beside the one that it is for; what a killed process leaves is swept there.
#[derive(Debug)]
pub struct Fetched {
    folder: PathBuf,
    git: Git,
}

impl Fetched {
    /// Returns a pack of what `wants` reach, and `haves` do not.
    pub fn pack(&self, wants: &[ObjectId], haves: &[ObjectId]) -> Result<Stream, RemoteError> {
        let packing = packing(self.program(PACK_BYTES_MAX), wants, haves)?;
        Ok(packing.stream(FETCH, ())?)
    }

    fn fetch(&self, Remote { url, header }: Remote<'_>, refs: &str) -> Result<(), RemoteError> {
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
        let mut program = self.program(1 << 20);
        if let Some(header) = header {
            // Arguments are for everybody to see.
            let names = ["GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"];
            let environment = names.into_iter().zip(["1", "http.extraHeader", header]);
            program = program.args(RELAY_SETTINGS).environment(environment);
        }
        said(&program.args(fetch).args(["--", url, refs])).map(drop)
    }

    fn program(&self, stdout_bytes: usize) -> Program {
        self.git.remote(FETCH, stdout_bytes).folder(&self.folder).environment([("GIT_DIR", &self.folder)])
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs git; what it says of a failure is the upstream's, or about the way to it.
fn said(program: &Program) -> Result<Vec<u8>, RemoteError> {
    let output = program.run()?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(blamed(harmless(&output.stderr, 300))),
    }
}

/// Has git write a pack of what objects reach and others do not, which may build on those.
pub(crate) fn packing(program: Program, wants: &[ObjectId], haves: &[ObjectId]) -> io::Result<Program> {
    let wants = wants.iter().map(|id| format!("{id}\n"));
    let asked: String = wants.chain(haves.iter().map(|id| format!("^{id}\n"))).collect();
    let packing = ["pack-objects", "--quiet", "--revs", "--stdout", "--thin", "--delta-base-offset"];
    program.args(packing).reads(asked.as_bytes())
}

/// Says whose fault it is what git says. That a permission is denied is what ssh says of keys.
fn blamed(said: String) -> RemoteError {
    match is_disk(&said) && !said.contains("Permission denied") {
        true => RemoteError::Git(GitError::Failed { what: "fetch".to_owned(), said }),
        false => RemoteError::Said { said },
    }
}

/// Returns what `git ls-remote --symref` prints as a server lists it. Names may be of any bytes.
pub(crate) fn packets(printed: &[u8]) -> Vec<u8> {
    let (mut packets, mut head) = (Vec::new(), None);
    let lines = printed.split(|byte| *byte == b'\n').filter_map(|line| {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        Some((&line[..tab], &line[tab + 1..]))
    });
    let mut lines = lines.peekable();
    while let Some((id, name)) = lines.next() {
        if let Some(target) = id.strip_prefix(b"ref: ") {
            head = (name == b"HEAD").then_some(target).or(head);
            continue;
        }
        let mut text = [id, b" ", name].concat();
        if let Some(target) = head.filter(|_| name == b"HEAD") {
            text.extend([b" symref-target:", target].concat());
        }
        if let Some((peeled, _)) = lines.next_if(|(_, next)| next.strip_suffix(b"^{}") == Some(name)) {
            text.extend([b" peeled:", peeled].concat());
        }
        raw_line(&mut packets, &text);
    }
    packets.extend_from_slice(FLUSH);
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_prints_is_read_as_a_listing() {
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let printed = format!(
            "ref: refs/heads/main\tHEAD\n{a}\tHEAD\n{a}\trefs/heads/main\n{b}\trefs/tags/v1\n{c}\trefs/tags/v1^{{}}\n"
        );
        let mut listing = Listing::default();
        listing.push(&packets(printed.as_bytes())).unwrap();
        let listed = listing.finish().unwrap();
        let text: Vec<String> = listed.refs.iter().map(|(name, target)| format!("{name} {target}")).collect();
        let expected = [
            "HEAD @refs/heads/main".to_owned(),
            format!("refs/heads/main {a}"),
            format!("refs/tags/v1 {b}^{c}"),
        ];
        assert_eq!((text, listed.left_out.n), (expected.to_vec(), 0));
        let mut listing = Listing::default();
        // Two names that are no text are not one that is.
        let odd = [
            format!("{a}\trefs/heads/caf").as_bytes(),
            b"\xe9\n",
            format!("{b}\trefs/heads/caf").as_bytes(),
            b"\xe8\n",
        ]
        .concat();
        listing.push(&packets(&odd)).unwrap();
        let listed = listing.finish().unwrap();
        assert!(listed.refs.is_empty() && listed.left_out.n == 2, "{listed:?}");
        let mut listing = Listing::default();
        assert!(listing.push(&packets(b"none\trefs/heads/main\n")).is_err());
    }
}
