//! What Outlast and the helper inside the room say to each other over one stream socket.
//!
//! A frame is a length (four bytes, little endian) and that many bytes of JSON; descriptors travel with its first byte.
//! Paths and arguments are bytes on Unix, not text: they are written as text in which each character is one byte.
//! The contents of placed files, half a megabyte of certificates, follow the plan as they are.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::plan::{Fresh, PlacedFile, Plan, ProjectCopy, Stdout};

/// A plan is a few hundred kilobytes of certificates at most; more is a mistake.
const MAX_FRAME_BYTES: usize = 64 << 20;
/// What the kernel passes in one message at most (`SCM_MAX_FD`).
pub(crate) const MAX_DESCRIPTORS: usize = 253;

/// From Outlast to the helper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToRoom {
    /// The first message.
    Build(Box<BuildOrder>),
    /// Run the command.
    Go,
    /// Hand the command this signal.
    Signal(i32),
}

/// The plan, and what the helper cannot find out for itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BuildOrder {
    pub(crate) plan: WirePlan,
    /// The signals that were blocked where Outlast was started.
    pub(crate) blocked: Vec<i32>,
    /// Sockets of other network namespaces.
    pub(crate) elsewhere: Vec<Raw>,
}

/// From the helper to Outlast.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromRoom {
    /// The room stands; the sockets come as descriptors, in this order.
    Built(Built),
    /// See [`crate::RoomError::NotPossible`].
    NotPossible { why: String },
    /// See [`crate::RoomError::Copies`].
    Copies { why: String },
    /// See [`crate::RoomError::BadPlan`].
    BadPlan { why: String },
    /// The program does not exist.
    NotFound,
    /// The program cannot be run.
    NotRunnable { why: String },
    /// The command runs.
    Started,
    /// The command was stopped by a signal.
    Stopped { signal: i32 },
    /// It goes on.
    Continued,
    /// The command ended.
    Ended { code: i32 },
    /// No process of the room exists any more.
    Closed,
}

/// What the room is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Built {
    pub(crate) sockets: Vec<Socket>,
    /// Paths hidden from the command.
    pub(crate) masked: Vec<Raw>,
    /// Where the copy of the project lies outside.
    pub(crate) project: Option<Raw>,
}

/// The use of a socket, or another descriptor, that was made inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Socket {
    /// Listens at every address on a terminated port.
    Port(u16),
    /// Listens at a loopback address on a port of the machine.
    Local(u16),
    /// UDP, receives with the destination address.
    Dns,
    /// Listens for DNS over TCP.
    DnsStream,
    /// Sees refused packets.
    Watch,
    /// No socket, but the root of the room's file system.
    Root,
    /// No socket, but the room's mounts.
    Mounts,
}

/// Bytes as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().map(|byte| char::from(*byte)).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text.chars().map(|c| u8::try_from(u32::from(c))).collect::<Result<_, _>>();
        bytes.map(Self).map_err(|_| D::Error::custom("a character is no byte"))
    }
}

impl Raw {
    pub(crate) fn of(text: impl AsRef<OsStr>) -> Self {
        Self(text.as_ref().as_bytes().to_vec())
    }

    pub(crate) fn into_os(self) -> OsString {
        OsString::from_vec(self.0)
    }

    pub(crate) fn into_path(self) -> PathBuf {
        PathBuf::from(self.into_os())
    }
}

/// [`Plan`] on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WirePlan {
    command: Vec<Raw>,
    directory: Raw,
    environment: Vec<(Raw, Raw)>,
    ports: Vec<u16>,
    local_ports: Vec<u16>,
    files: Vec<WireFile>,
    /// How many bytes of contents follow.
    n_content_bytes: usize,
    masked: Vec<Raw>,
    fresh: Option<WireFresh>,
}

/// A placed file, whose content is a part of the contents.
#[derive(Debug, Serialize, Deserialize)]
struct WireFile {
    path: Raw,
    mode: u32,
    start: usize,
    end: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireFresh {
    homes: Vec<Raw>,
    from: Vec<Raw>,
    at: Raw,
    empty: Vec<Raw>,
    scratch: Raw,
}

impl WirePlan {
    /// Returns the plan, and the contents that are sent after it.
    pub(crate) fn of(plan: &Plan) -> (Self, Vec<u8>) {
        let paths = |paths: &[PathBuf]| paths.iter().map(Raw::of).collect();
        let (mut content, mut sent) = (Vec::new(), Vec::<(&Arc<[u8]>, usize)>::new());
        let mut files = Vec::with_capacity(plan.files.len());
        for PlacedFile { path, bytes, mode } in &plan.files {
            let known = sent.iter().find(|(other, _)| Arc::ptr_eq(other, bytes)).map(|(_, start)| *start);
            let start = known.unwrap_or_else(|| {
                sent.push((bytes, content.len()));
                content.extend_from_slice(bytes);
                content.len() - bytes.len()
            });
            files.push(WireFile { path: Raw::of(path), mode: *mode, start, end: start + bytes.len() });
        }
        let wire = Self {
            command: plan.command.iter().map(Raw::of).collect(),
            directory: Raw::of(&plan.directory),
            environment: plan
                .environment
                .iter()
                .map(|(name, value)| (Raw::of(name), Raw::of(value)))
                .collect(),
            ports: plan.ports.clone(),
            local_ports: plan.local_ports.clone(),
            files,
            n_content_bytes: content.len(),
            masked: paths(&plan.masked),
            fresh: plan.fresh.as_ref().map(|fresh| WireFresh {
                homes: paths(&fresh.homes),
                from: paths(&fresh.project.from),
                at: Raw::of(&fresh.project.at),
                empty: paths(&fresh.empty),
                scratch: Raw::of(&fresh.scratch),
            }),
        };
        (wire, content)
    }

    /// Returns how many bytes of contents follow the plan, if that is within bounds.
    pub(crate) fn n_content_bytes(&self) -> io::Result<usize> {
        if self.n_content_bytes > MAX_FRAME_BYTES {
            return Err(io::Error::other("contents too long"));
        }
        Ok(self.n_content_bytes)
    }

    /// Returns the plan as it was, given the contents.
    pub(crate) fn into_plan(self, content: &[u8]) -> io::Result<Plan> {
        let mut files = Vec::with_capacity(self.files.len());
        for WireFile { path, mode, start, end } in self.files {
            let bytes = content.get(start..end).ok_or_else(|| io::Error::other("contents too short"))?;
            files.push(PlacedFile { path: path.into_path(), bytes: bytes.into(), mode });
        }
        let paths = |raw: Vec<Raw>| raw.into_iter().map(Raw::into_path).collect();
        Ok(Plan {
            command: self.command.into_iter().map(Raw::into_os).collect(),
            directory: self.directory.into_path(),
            environment: self
                .environment
                .into_iter()
                .map(|(name, value)| (name.into_os(), value.into_os()))
                .collect(),
            ports: self.ports,
            local_ports: self.local_ports,
            files,
            masked: paths(self.masked),
            fresh: self.fresh.map(|fresh| Fresh {
                homes: paths(fresh.homes),
                project: ProjectCopy { from: paths(fresh.from), at: fresh.at.into_path() },
                empty: paths(fresh.empty),
                scratch: fresh.scratch.into_path(),
            }),
            // The helper's own standard output is already where the command's shall go.
            stdout: Stdout::Own,
        })
    }
}

/// Returns the bytes of one frame.
pub(crate) fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Returns the length that a frame's first four bytes announce, if it is within bounds.
pub(crate) fn frame_length(header: [u8; 4]) -> io::Result<usize> {
    let length = usize::try_from(u32::from_le_bytes(header)).map_err(io::Error::other)?;
    if length > MAX_FRAME_BYTES { Err(io::Error::other("frame too long")) } else { Ok(length) }
}

/// Sends a message and descriptors; blocks.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    descriptors: &[RawFd],
) -> io::Result<()> {
    send_bytes(socket, &frame(message)?, descriptors)
}

/// Sends bytes as they are; blocks. The other side must know how many come.
pub(crate) fn send_bytes(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let mut rights = if descriptors.is_empty() { &rights[..0] } else { &rights[..] };
    let mut rest = bytes;
    while !rest.is_empty() {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(rest)], rights, MsgFlags::MSG_NOSIGNAL, None) {
            Ok(sent) => {
                rest = &rest[sent..];
                rights = &[];
            }
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Receives a message and its descriptors; blocks. The end of the stream is `UnexpectedEof`.
pub(crate) fn receive<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<(T, Vec<OwnedFd>)> {
    let mut descriptors = Vec::new();
    let mut header = [0; 4];
    fill(socket, &mut header, &mut descriptors)?;
    let mut body = vec![0; frame_length(header)?];
    fill(socket, &mut body, &mut descriptors)?;
    Ok((serde_json::from_slice(&body)?, descriptors))
}

/// Receives as many bytes as were sent with [`send_bytes`]; blocks.
pub(crate) fn receive_bytes(socket: BorrowedFd<'_>, n_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; n_bytes];
    fill(socket, &mut bytes, &mut Vec::new())?;
    Ok(bytes)
}

fn fill(socket: BorrowedFd<'_>, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut filled = 0;
    let mut space = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    while filled < buffer.len() {
        let mut parts = [IoSliceMut::new(&mut buffer[filled..])];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(nix::Error::EINTR) => continue,
            other => other?,
        };
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(rights) = control {
                // SAFETY: the kernel has just made these descriptors for us, and nothing else knows them.
                descriptors.extend(rights.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        if message.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += message.bytes;
    }
    Ok(())
}

/// Returns a path as text for a person.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_plan_comes_out_as_it_went_in_whatever_its_bytes() {
        let odd = || OsString::from_vec((1..=255).collect());
        let shared: Arc<[u8]> = (0..=255).collect();
        let plan = Plan {
            command: vec![odd(), "".into()],
            directory: odd().into(),
            environment: vec![("A".into(), odd())],
            ports: vec![80],
            local_ports: vec![5432],
            files: vec![
                PlacedFile { path: odd().into(), bytes: shared.clone(), mode: 0o600 },
                PlacedFile { path: "/own".into(), bytes: b"own".as_slice().into(), mode: 0o644 },
                PlacedFile { path: "/again".into(), bytes: shared, mode: 0o644 },
            ],
            masked: vec![odd().into()],
            fresh: Some(Fresh {
                homes: vec![odd().into(), odd().into()],
                project: ProjectCopy { from: vec![odd().into()], at: odd().into() },
                empty: vec![odd().into()],
                scratch: odd().into(),
            }),
            stdout: Stdout::Own,
        };
        let (here, there) = UnixStream::pair().unwrap();
        let (wire, content) = WirePlan::of(&plan);
        assert_eq!(content.len(), 256 + 3, "what two files share is sent once");
        send(here.as_fd(), &wire, &[here.as_raw_fd()]).unwrap();
        send_bytes(here.as_fd(), &content, &[]).unwrap();
        let (back, descriptors) = receive::<WirePlan>(there.as_fd()).unwrap();
        let content = receive_bytes(there.as_fd(), back.n_content_bytes().unwrap()).unwrap();
        assert!(WirePlan::of(&plan).0.into_plan(&content[1..]).is_err());
        assert_eq!(back.into_plan(&content).unwrap(), plan);
        assert_eq!(descriptors.len(), 1);
        drop((here, descriptors));
        let error = receive::<WirePlan>(there.as_fd()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_frame_beyond_the_bound_is_refused_before_memory_is_taken() {
        assert!(frame_length(u32::MAX.to_le_bytes()).is_err());
        assert_eq!(frame_length(5u32.to_le_bytes()).unwrap(), 5);
    }
}
