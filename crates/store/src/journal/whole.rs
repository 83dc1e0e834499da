//! Reads the whole journal, oldest entry first, and says everything that is wrong with it.

use std::io;
use std::path::Path;

use model::Sha256;

use super::line::{Line, Link};
use super::segment::{self, Closed, Header, Scan, Tail};

/// What [`read`] found besides the entries.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// What is wrong, in words for a person.
    pub(crate) problems: Vec<String>,
    /// The last entry that is whole.
    pub(crate) last: Option<Link>,
    /// The journal's id.
    pub(crate) journal: Option<String>,
}

/// Reads every entry that is whole.
///
/// `current` has the bytes of the open segment, read under the lock; closed segments do not change.
pub(crate) fn read(
    folder: &Path,
    current: Option<&[u8]>,
    mut entry: impl FnMut(Line) -> io::Result<()>,
) -> io::Result<Whole> {
    let mut whole = Whole::default();
    let open = current.map(Scan::of);
    let open_header = open.as_ref().and_then(|scan| scan.header.as_ref());
    let mut chain = Chain { before: None, expected: None };
    for (closed, header) in in_order(folder, open_header, &mut whole.problems)? {
        let place = format!("segment {}", closed.name);
        let (name, bytes) = segment::read_closed(&closed.path)?;
        if name != closed.name {
            whole.problems.push(format!("{place}: its bytes are not those that its name stands for"));
        }
        match bytes {
            Err(error) => {
                whole.problems.push(format!("{place}: it does not unpack: {error}"));
                chain = Chain { before: header.map(|header| (header.segment, closed.name)), expected: None };
            }
            Ok(bytes) => {
                let scan = Scan::of(&bytes);
                chain.check(&place, &scan, &mut whole.problems);
                if scan.tail != Tail::Clean {
                    whole.problems.push(format!("{place}: it does not end with a whole entry"));
                }
                chain.before = scan.header.as_ref().map(|header| (header.segment, closed.name));
                take(&place, &bytes, scan, &mut whole, &mut entry)?;
            }
        }
    }
    match (current, open) {
        (Some(bytes), Some(scan)) => {
            chain.check("current.jsonl", &scan, &mut whole.problems);
            if scan.tail != Tail::Clean {
                whole.problems.push("current.jsonl: its last entry is not whole".to_owned());
            }
            take("current.jsonl", bytes, scan, &mut whole, &mut entry)?;
        }
        _ => whole.problems.push("current.jsonl: it is missing".to_owned()),
    }
    Ok(whole)
}

/// What the next segment must say about the ones before it.
struct Chain {
    before: Option<(u64, Sha256)>,
    expected: Option<(u64, Sha256)>,
}

impl Chain {
    fn check(&mut self, place: &str, scan: &Scan, problems: &mut Vec<String>) {
        if let Some(header) = &scan.header {
            match (self.before, header.previous) {
                (Some((number, name)), Some(previous))
                    if header.segment == number + 1 && previous == name => {}
                (None, None) if header.segment == 1 => {}
                (_, Some(previous)) => {
                    problems.push(format!("{place}: segment {previous} before it is missing or damaged"));
                }
                (_, None) => problems.push(format!("{place}: it names no segment before it")),
            }
            if self.expected.is_some_and(|next| next != (header.first_seq, header.prev)) {
                problems.push(format!("{place}: it does not follow the entries before it"));
            }
        }
        self.expected = match scan.last() {
            Some(link) => Some((link.seq + 1, link.hash)),
            None => scan.header.as_ref().map(|header| (header.first_seq, header.prev)),
        };
    }
}

fn take(
    place: &str,
    bytes: &[u8],
    scan: Scan,
    whole: &mut Whole,
    entry: &mut impl FnMut(Line) -> io::Result<()>,
) -> io::Result<()> {
    whole.problems.extend(scan.problems.iter().map(|problem| format!("{place}: {problem}")));
    if let Some(header) = scan.header {
        if whole.journal.as_ref().is_some_and(|journal| *journal != header.journal) {
            whole.problems.push(format!("{place}: it belongs to another journal"));
        }
        whole.journal.get_or_insert(header.journal);
    }
    for (range, link) in scan.lines {
        // The same entry twice: a segment was closed again after a crash.
        if whole.last.is_some_and(|last| link.seq <= last.seq) {
            continue;
        }
        match Line::parse(&bytes[range]) {
            Ok(line) => entry(line)?,
            Err(error) => {
                whole.problems.push(format!("{place}: entry {} is not readable: {error}", link.seq));
            }
        }
        whole.last = Some(link);
    }
    Ok(())
}

/// Puts the closed segments in order: along the chain from the newest back; whatever is not on it comes by its number.
fn in_order(
    folder: &Path,
    open: Option<&Header>,
    problems: &mut Vec<String>,
) -> io::Result<Vec<(Closed, Option<Header>)>> {
    let mut rest: Vec<(Closed, Option<Header>)> = segment::list(folder)?
        .into_iter()
        .map(|closed| {
            let header = segment::read_header(&closed.path);
            (closed, header)
        })
        .collect();
    // A header that cannot be read goes to the end of what is before the open segment.
    rest.sort_by_key(|(closed, header)| {
        (header.as_ref().map_or(u64::MAX, |header| header.segment), closed.name)
    });
    let Some(open) = open else {
        return Ok(rest);
    };
    let mut chain = Vec::new();
    let mut previous = open.previous;
    while let Some(name) = previous {
        let Some(index) = rest.iter().position(|(closed, _)| closed.name == name) else {
            break;
        };
        let found = rest.remove(index);
        previous = found.1.as_ref().and_then(|header| header.previous);
        chain.push(found);
    }
    chain.reverse();
    let mut ordered: Vec<(Closed, Option<Header>)> = Vec::new();
    for (closed, header) in rest {
        // A crash between closing a segment and opening the next leaves a copy of the open one; it is closed again later.
        let is_copy = header.as_ref().is_some_and(|header| {
            header == open || chain.iter().any(|(_, other)| other.as_ref() == Some(header))
        });
        if !is_copy {
            problems.push(format!("segment {}: it is not part of the chain", closed.name));
            ordered.push((closed, header));
        }
    }
    ordered.extend(chain);
    Ok(ordered)
}
