//! The anchors of an index page: PEP 503. A tokenizer for these alone, in one pass over the bytes.

use std::borrow::Cow;

/// One link with everything up to its closing tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor<'a> {
    /// The whole element as it stands in the page.
    pub(super) whole: &'a str,
    /// What is between the tags.
    pub(super) text: Cow<'a, str>,
    attributes: Vec<(&'a str, Cow<'a, str>)>,
}

impl Anchor<'_> {
    /// Returns an attribute's value; names are told apart without regard to case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}

/// Returns the links of a page in order; what is not closed is left out.
pub(super) fn anchors(page: &str) -> Vec<Anchor<'_>> {
    let mut anchors = Vec::new();
    let mut at = 0;
    // Where the next closing tag is: looked for once, however many links are opened before it.
    let mut closing = 0;
    while let Some(found) = page[at..].find('<') {
        let start = at + found;
        let tag = &page[start..];
        at = start + 1;
        if let Some(comment) = tag.strip_prefix("<!--") {
            at = comment.find("-->").map_or(page.len(), |end| start + 4 + end + 3);
            continue;
        }
        if !is_link(tag) {
            continue;
        }
        let Some((attributes, n_tag)) = attributes(&tag[2..]) else { break };
        let content_at = start + 2 + n_tag;
        if closing < content_at {
            let Some(found) = page[content_at..].find("</") else { break };
            closing = content_at + found;
        }
        if !is_link_end(&page[closing..]) {
            at = content_at;
            continue;
        }
        let (content, n_content) = (&page[content_at..], closing - content_at);
        let Some(n_end) = content[n_content..].find('>') else { break };
        let whole = &tag[..2 + n_tag + n_content + n_end + 1];
        anchors.push(Anchor { whole, text: unescape(content[..n_content].trim()), attributes });
        at = start + whole.len();
    }
    anchors
}

fn is_link(tag: &str) -> bool {
    matches!(tag.as_bytes(), [b'<', b'a' | b'A', next, ..] if next.is_ascii_whitespace() || *next == b'>')
}

fn is_link_end(tag: &str) -> bool {
    matches!(tag.as_bytes(), [b'<', b'/', b'a' | b'A', next, ..] if next.is_ascii_whitespace() || *next == b'>')
}

/// A tag's attributes in their order.
type Attributes<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// Reads attributes up to the end of the tag; returns them and how many bytes that were.
fn attributes(text: &str) -> Option<(Attributes<'_>, usize)> {
    let mut attributes = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|character: char| character.is_ascii_whitespace() || character == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some((attributes, text.len() - after.len()));
        }
        let n_name = rest.find(|c: char| c.is_ascii_whitespace() || "=>/".contains(c))?;
        let (name, after) = rest.split_at(n_name);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            attributes.push((name, Cow::Borrowed("")));
            // A stray `=` would stand still.
            rest = if n_name == 0 { &after[1..] } else { after };
            continue;
        };
        let value = value.trim_start();
        let quote = value.chars().next().filter(|first| "\"'".contains(*first));
        let (value, after) = match quote {
            Some(quote) => value[1..].split_once(quote)?,
            None => value.split_at(value.find(|c: char| c.is_ascii_whitespace() || c == '>')?),
        };
        attributes.push((name, unescape(value)));
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
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= 8);
        match entity.and_then(|(name, after)| Some((character(name)?, after))) {
            Some((character, after)) => {
                result.push(character);
                rest = after;
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
