//! The anchors of an index page: PEP 503. A tokenizer for these alone, in one pass over the bytes.

use std::borrow::Cow;

/// The longest entity that is looked for: `&#x10ffff;` without its two ends.
const ENTITY_BYTES_MAX: usize = 8;

/// One link with everything up to its closing tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor<'a> {
    /// The whole element as it stands in the page.
    pub(super) whole: &'a str,
    /// What is between the tags.
    pub(super) text: Cow<'a, str>,
    /// What its tag says.
    pub(super) attributes: Attributes<'a>,
}

/// The attributes that an index page gives a file; of two with one name the first counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Attributes<'a> {
    /// Where the file lies, with its digest as the fragment.
    pub(super) href: Option<Cow<'a, str>>,
    /// The digest of its metadata: PEP 714.
    pub(super) core_metadata: Option<Cow<'a, str>>,
    /// The name that PEP 658 gave it first.
    pub(super) dist_info_metadata: Option<Cow<'a, str>>,
}

impl<'a> Attributes<'a> {
    fn add(&mut self, name: &str, value: &'a str) {
        let place = match () {
            () if name.eq_ignore_ascii_case("href") => &mut self.href,
            () if name.eq_ignore_ascii_case("data-core-metadata") => &mut self.core_metadata,
            () if name.eq_ignore_ascii_case("data-dist-info-metadata") => &mut self.dist_info_metadata,
            () => return,
        };
        if place.is_none() {
            *place = Some(unescape(value));
        }
    }
}

/// Returns the links of a page in order; what is not closed is left out.
pub(super) const fn anchors(page: &str) -> Anchors<'_> {
    Anchors { page, at: 0, closing: 0 }
}

/// The links of a page, each found when it is asked for: a hostile page may have millions.
#[derive(Debug)]
pub(super) struct Anchors<'a> {
    page: &'a str,
    at: usize,
    /// Where the next closing tag is: looked for once, however many links are opened before it.
    closing: usize,
}

impl<'a> Iterator for Anchors<'a> {
    type Item = Anchor<'a>;

    fn next(&mut self) -> Option<Anchor<'a>> {
        let page = self.page;
        while let Some(found) = page[self.at..].find('<') {
            let start = self.at + found;
            let tag = &page[start..];
            self.at = start + 1;
            if let Some(comment) = tag.strip_prefix("<!--") {
                self.at = comment.find("-->").map_or(page.len(), |end| start + 4 + end + 3);
                continue;
            }
            if !is_link(tag) {
                continue;
            }
            let Some((attributes, n_tag)) = attributes(&tag[2..]) else { break };
            let content_at = start + 2 + n_tag;
            if self.closing < content_at {
                let Some(found) = page[content_at..].find("</") else { break };
                self.closing = content_at + found;
            }
            if !is_link_end(&page[self.closing..]) {
                self.at = content_at;
                continue;
            }
            let Some(n_end) = page[self.closing..].find('>') else { break };
            self.at = self.closing + n_end + 1;
            let text = unescape(page[content_at..self.closing].trim());
            return Some(Anchor { whole: &page[start..self.at], text, attributes });
        }
        self.at = page.len();
        None
    }
}

fn is_link(tag: &str) -> bool {
    matches!(tag.as_bytes(), [b'<', b'a' | b'A', next, ..] if next.is_ascii_whitespace() || *next == b'>')
}

fn is_link_end(tag: &str) -> bool {
    matches!(tag.as_bytes(), [b'<', b'/', b'a' | b'A', next, ..] if next.is_ascii_whitespace() || *next == b'>')
}

/// Reads attributes up to the end of the tag; returns them and how many bytes that were.
fn attributes(text: &str) -> Option<(Attributes<'_>, usize)> {
    let mut attributes = Attributes::default();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|character: char| character.is_ascii_whitespace() || character == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some((attributes, text.len() - after.len()));
        }
        let n_name = rest.find(|c: char| c.is_ascii_whitespace() || "=>/".contains(c))?;
        let (name, after) = rest.split_at(n_name);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            attributes.add(name, "");
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let quote = value.chars().next().filter(|first| "\"'".contains(*first));
        let (value, after) = match quote {
            Some(quote) => value[1..].split_once(quote)?,
            None => value.split_at(value.find(|c: char| c.is_ascii_whitespace() || c == '>')?),
        };
        attributes.add(name, value);
        rest = after;
    }
}

/// Resolves the five entities that may stand in an address or a name, and numbers.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        result.push_str(before);
        let end = after.bytes().take(ENTITY_BYTES_MAX + 1).position(|byte| byte == b';');
        match end.and_then(|end| character(&after[..end]).map(|character| (character, end))) {
            Some((character, end)) => {
                result.push(character);
                rest = &after[end + 1..];
            }
            None => {
                result.push('&');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    Cow::Owned(result)
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}
