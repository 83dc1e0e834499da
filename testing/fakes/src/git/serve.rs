//! What a git server answers: what git says, unless a fault is played in this step.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;

use super::fault::{Fault, Phase};
use super::repository::run;
use crate::{Answer, Asked};

const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const RESULT: &str = "application/x-git-upload-pack-result";
/// What fits into a packet besides its length and its band, gitprotocol-common(5).
const PIECE_BYTES: usize = 65_515;
const FLUSH: &[u8] = b"0000";

/// Answers the requests of a clone or fetch; everything else, a push included, is a 404.
pub(crate) fn answer(
    folder: &Path,
    prefix: &str,
    faults: &[(Phase, Fault)],
    asked: &Asked,
) -> Option<Answer> {
    answer_in(asked.header("git-protocol"), folder, prefix, faults, asked)
}

/// Does what `answer` does, in one version of the protocol whatever the client asks for.
pub(crate) fn answer_in(
    protocol: &str,
    folder: &Path,
    prefix: &str,
    faults: &[(Phase, Fault)],
    asked: &Asked,
) -> Option<Answer> {
    let mut input = Vec::new();
    if asked.header("content-encoding").contains("gzip") {
        GzDecoder::new(&asked.body[..]).read_to_end(&mut input).ok()?;
    } else {
        input.extend_from_slice(&asked.body);
    }
    let phase = match asked.path.strip_prefix(prefix)? {
        "/info/refs?service=git-upload-pack" => Phase::Advertisement,
        "/git-upload-pack" if input.get(4..).is_some_and(|it| it.starts_with(b"command=ls-refs")) => {
            Phase::Listing
        }
        "/git-upload-pack" => Phase::Fetch,
        _ => return None,
    };
    let right = |folder: &Path| said(folder, phase, protocol, &input);
    let content = if phase == Phase::Advertisement { ADVERTISEMENT } else { RESULT };
    let fault = faults.iter().find(|(when, _)| *when == phase).map(|(_, fault)| fault);
    let body = match fault {
        None => right(folder),
        Some(Fault::Http(fault)) => return Some(uncached(content, right(folder)).sent_with(fault.clone())),
        Some(Fault::From(other)) => right(other.folder()),
        Some(Fault::Nothing) => Vec::new(),
        Some(Fault::Empty) => FLUSH.to_vec(),
        Some(Fault::Refused(reason)) => packet(format!("ERR {reason}").as_bytes()),
        Some(_) if !protocol.contains("version=2") => return Some(Answer::status(501)),
        Some(Fault::Pack(pack)) => [&packet(b"packfile\n")[..], &banded(pack), FLUSH].concat(),
        Some(Fault::HalfPack) => bent(&right(folder), |pack| pack.truncate(pack.len() / 2), FLUSH),
        Some(Fault::FlippedBit) => bent(&right(folder), |pack| flip(pack), FLUSH),
        Some(Fault::Fatal(reason)) => {
            let end = packet(format!("\u{3}{reason}\n").as_bytes());
            bent(&right(folder), |pack| pack.truncate(pack.len() / 2), &end)
        }
    };
    Some(uncached(content, body))
}

/// Answers as a web server does that knows nothing of git and gives out the files of a repository.
pub(crate) fn file(folder: &Path, prefix: &str, asked: &Asked) -> Option<Answer> {
    if asked.method != http::Method::GET {
        return Some(Answer::status(405));
    }
    let path = asked.path.strip_prefix(prefix)?.split('?').next()?.trim_start_matches('/');
    let file = std::fs::read(folder.join(path)).ok().filter(|_| !path.contains(".."));
    file.map(Answer::file)
}

/// Returns what git itself answers.
fn said(folder: &Path, phase: Phase, protocol: &str, input: &[u8]) -> Vec<u8> {
    if phase != Phase::Advertisement {
        return run(folder, &["upload-pack", "--stateless-rpc", "."], protocol, input).stdout;
    }
    let output =
        run(folder, &["upload-pack", "--stateless-rpc", "--advertise-refs", "."], protocol, &[]).stdout;
    // Version 2 has no announcement; gitprotocol-http(5).
    let announced: &[u8] =
        if protocol.contains("version=2") { b"" } else { b"001e# service=git-upload-pack\n0000" };
    [announced, &output].concat()
}

/// Changes the pack in an answer of version 2, and ends it so.
fn bent(answer: &[u8], change: impl FnOnce(&mut Vec<u8>), end: &[u8]) -> Vec<u8> {
    let (mut bent, mut pack, mut rest, mut is_pack) = (Vec::new(), Vec::new(), answer, false);
    while let Some((digits, _)) = rest.split_at_checked(4) {
        let digits = std::str::from_utf8(digits).expect("git writes digits");
        let size = usize::from_str_radix(digits, 16).expect("git writes digits").max(4);
        let (whole, left) = rest.split_at(size);
        match whole.get(4) {
            Some(1) if is_pack => pack.extend_from_slice(&whole[5..]),
            _ if is_pack => {}
            _ => bent.extend_from_slice(whole),
        }
        is_pack |= &whole[4..] == b"packfile\n";
        rest = left;
    }
    assert!(!pack.is_empty(), "git gives a pack: {}", String::from_utf8_lossy(answer));
    change(&mut pack);
    [&bent[..], &banded(&pack), end].concat()
}

fn flip(pack: &mut [u8]) {
    let middle = pack.len() / 2;
    pack[middle] ^= 1;
}

/// Returns a pack in packets on band 1.
fn banded(pack: &[u8]) -> Vec<u8> {
    pack.chunks(PIECE_BYTES).flat_map(|piece| packet(&[b"\x01", piece].concat())).collect()
}

fn packet(bytes: &[u8]) -> Vec<u8> {
    [format!("{:04x}", bytes.len() + 4).as_bytes(), bytes].concat()
}

fn uncached(content_type: &str, body: Vec<u8>) -> Answer {
    Answer::bytes(content_type, body).header("cache-control", "no-cache").without_ranges()
}
