//! Enough of Rust's words to tell code from comments and literals.

/// Replaces comments and the insides of literals by spaces; lines and columns stay where they are.
pub(crate) fn blank(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'r' | b'b' | b'c' if !is_word(bytes, at) => match raw_string_end(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            b'"' => string_end(bytes, at),
            b'\'' => match char_end(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Returns where a word begins in code, as a whole word.
pub(crate) fn find_word(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let starts = code.match_indices(word).map(|(at, _)| at);
    starts
        .filter(|at| {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            let after = bytes.get(at + word.len());
            let begins = !word.as_bytes().first().is_some_and(is_part) || !before.is_some_and(is_part);
            let ends = !word.as_bytes().last().is_some_and(is_part) || !after.is_some_and(is_part);
            begins && ends
        })
        .collect()
}

/// Returns the line of a position, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Returns where the block ends that begins with the first `{` from a position on.
pub(crate) fn block(code: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let start = from + code[from..].find('{')?;
    let mut depth = 0_usize;
    for (offset, byte) in code[start..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(start..start + offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| at + n)
}

fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, `b"…"`, `c"…"`; anything else is an ordinary word.
fn raw_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut is_raw = false;
    while let Some(byte @ (b'r' | b'b' | b'c')) = bytes.get(at) {
        is_raw |= *byte == b'r';
        at += 1;
        if at - start > 2 {
            return None;
        }
    }
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(at + hashes) != Some(&b'"') || (hashes > 0 && !is_raw) {
        return None;
    }
    if !is_raw {
        return Some(string_end(bytes, at));
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let inside = at + hashes + 1;
    let end = bytes[inside..].windows(close.len()).position(|window| window == close);
    Some(end.map_or(bytes.len(), |n| inside + n + close.len()))
}

/// A character, but not a lifetime.
fn char_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) == Some(&b'\\') {
        let close = bytes[start + 3..].iter().position(|byte| *byte == b'\'')?;
        return Some(start + 3 + close + 1);
    }
    // One character is at most four bytes long.
    let close = bytes[start + 1..].iter().take(5).position(|byte| *byte == b'\'')?;
    let inside = std::str::from_utf8(&bytes[start + 1..start + 1 + close]).ok()?;
    (inside.chars().count() == 1).then_some(start + 1 + close + 1)
}

/// Returns whether the byte at a position goes on with a word.
fn is_word(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| bytes[before].is_ascii_alphanumeric() || bytes[before] == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let check = |input: &str, expected: &str| {
            let words = blank(input).split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(words, expected, "{input}");
            assert_eq!(blank(input).len(), input.len());
        };
        check("a // unsafe\nb", "a b");
        check("a /* x /* y */ z */ b", "a b");
        check(r#"f("unsafe \" { ", 1)"#, "f( , 1)");
        check(r##"f(r#"a " b"#, br"x\", c)"##, "f( , , c)");
        check(r"match x { '{' => '\'', '\u{1f600}' => 'é', }", "match x { => , => , }");
        check("fn a<'a>(b: &'a str) {}", "fn a<'a>(b: &'a str) {}");
        check("bread(crab, r)", "bread(crab, r)");
        check("b'{' ; x", "b ; x");
    }

    #[test]
    fn words_are_whole_words() {
        let check = |code: &str, word: &str, n: usize| assert_eq!(find_word(code, word).len(), n, "{code}");
        check("unsafe { } unsafe_code not_unsafe", "unsafe", 1);
        check("#[allow(x)] #![allow(y)]", "allow(", 2);
    }
}
