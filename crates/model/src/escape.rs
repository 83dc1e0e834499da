//! Bytes of the system, such as arguments and paths, as text: UTF-8 stays as it is, anything else is escaped.
//!
//! No two are written alike, or two commands could be taken for one.

/// Stands in front of the two digits of a byte that is no UTF-8; where it is itself meant, its own bytes are escaped.
const MARK: char = char::REPLACEMENT_CHARACTER;

/// Writes bytes as text: each byte that is no UTF-8 as `U+FFFD` and two hexadecimal digits.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter == MARK {
                escape_all(letter.encode_utf8(&mut [0; 4]).as_bytes(), &mut text);
            } else {
                text.push(letter);
            }
        }
        escape_all(chunk.invalid(), &mut text);
    }
    text
}

fn escape_all(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        text.push(MARK);
        text.push_str(&format!("{byte:02x}"));
    }
}

/// Returns whether text has bytes that are no UTF-8.
pub fn is_escaped(text: &str) -> bool {
    text.contains(MARK)
}

/// Returns the bytes that were written as text. What [`escape`] did not write stays as it is.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split(MARK);
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let escaped = part.get(..2).filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => {
                bytes.extend(MARK.encode_utf8(&mut [0; 4]).as_bytes());
                bytes.extend(part.as_bytes());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn what_is_utf_8_stays_and_anything_else_is_escaped() {
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(escape(bytes), expected);
            assert_eq!(unescape(expected), bytes, "{expected}");
        };
        check(b"", "");
        check("make größe \\xff\n".as_bytes(), "make größe \\xff\n");
        check(b"a\xff", "a\u{fffd}ff");
        check(b"a\xfe", "a\u{fffd}fe");
        check(b"a\xffff", "a\u{fffd}ffff");
        check(b"gr\xf6\xdfe", "gr\u{fffd}f6\u{fffd}dfe");
        check(b"\xe2\x82", "\u{fffd}e2\u{fffd}82");
        check("\u{fffd}ff".as_bytes(), "\u{fffd}ef\u{fffd}bf\u{fffd}bdff");
        assert!(is_escaped(&escape(b"a\xff")) && !is_escaped(&escape("ä".as_bytes())));
        // Written by an older Outlast, it is what it is.
        for text in ["\u{fffd}", "\u{fffd}x", "a\u{fffd}", "\u{fffd}fä"] {
            assert_eq!(unescape(text), text.as_bytes());
        }
    }

    #[test]
    fn no_two_are_written_alike() {
        // Few letters, so that many look like each other.
        const LETTERS: [&[u8]; 7] = [b"f", b"e", b"\xff", b"\xef", b"\xbf", b"\xbd", "\u{fffd}".as_bytes()];
        let mut seen: HashMap<String, Vec<u8>> = HashMap::new();
        for number in 0..LETTERS.len().pow(5) {
            let letters = (0..5).map(|place| LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()]);
            let bytes: Vec<u8> = letters.flatten().copied().collect();
            let text = escape(&bytes);
            assert_eq!(unescape(&text), bytes, "{text}");
            let other = seen.insert(text, bytes.clone());
            assert!(other.is_none_or(|other| other == bytes));
        }
    }
}
