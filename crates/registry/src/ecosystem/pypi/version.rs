//! Versions as PEP 440 compares them: every spelling of one version becomes the same text.
//!
//! The grammar: <https://packaging.python.org/en/latest/specifications/version-specifiers/> (read 2026-11).

/// What separates the parts of a version.
const SEPARATORS: [char; 3] = ['-', '_', '.'];

/// Spellings of what comes before a release, longer ones first.
const PRE: [(&str, &str); 8] = [
    ("alpha", "a"),
    ("a", "a"),
    ("beta", "b"),
    ("b", "b"),
    ("preview", "rc"),
    ("pre", "rc"),
    ("rc", "rc"),
    ("c", "rc"),
];
/// Spellings of what comes after a release.
const POST: [(&str, &str); 3] = [("post", ".post"), ("rev", ".post"), ("r", ".post")];
/// What leads to a release.
const DEV: [(&str, &str); 1] = [("dev", ".dev")];

/// Returns a version in its one spelling, without zeros at the end of the release.
///
/// What the grammar does not know, as names of old files have it, is only written in lower case.
pub(super) fn canonical(version: &str) -> String {
    let lower = version.trim().to_ascii_lowercase();
    read(lower.strip_prefix('v').unwrap_or(&lower)).unwrap_or(lower)
}

/// Reads `[epoch!]release[pre][post][dev][+local]`.
fn read(text: &str) -> Option<String> {
    let (first, rest) = number(text)?;
    let (mut result, rest) = match rest.strip_prefix('!') {
        Some(rest) if first == "0" => (String::new(), rest),
        Some(rest) => (format!("{first}!"), rest),
        None => (String::new(), text),
    };
    let (first, mut rest) = number(rest)?;
    result.push_str(first);
    while let Some((next, after)) = rest.strip_prefix('.').and_then(number) {
        result.push('.');
        result.push_str(next);
        rest = after;
    }
    while let Some(shorter) = result.strip_suffix(".0") {
        result.truncate(shorter.len());
    }
    let rest = tagged(rest, &PRE, &mut result);
    // `1.0-1` is `1.0.post1`.
    let rest = match rest.strip_prefix('-').and_then(number) {
        Some((number, rest)) => {
            result.push_str(".post");
            result.push_str(number);
            rest
        }
        None => tagged(rest, &POST, &mut result),
    };
    let rest = tagged(rest, &DEV, &mut result);
    local(rest, &mut result)?;
    Some(result)
}

/// Reads digits, leading zeros left out; returns what follows too.
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let short = digits.trim_start_matches('0');
    match (digits, short) {
        ("", _) => None,
        (_, "") => Some(("0", rest)),
        _ => Some((short, rest)),
    }
}

/// Reads one of these words with its number, which may be missing; returns what follows.
fn tagged<'a>(text: &'a str, words: &[(&str, &str)], result: &mut String) -> &'a str {
    let start = text.strip_prefix(SEPARATORS).unwrap_or(text);
    let Some((rest, word)) = words.iter().find_map(|(word, one)| Some((start.strip_prefix(word)?, one)))
    else {
        return text;
    };
    let (number, rest) = number(rest.strip_prefix(SEPARATORS).unwrap_or(rest)).unwrap_or(("0", rest));
    result.push_str(word);
    result.push_str(number);
    rest
}

/// Reads `+local`, or nothing; there may be nothing behind it.
fn local(text: &str, result: &mut String) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    let mut separator = '+';
    for part in text.strip_prefix('+')?.split(SEPARATORS) {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        result.push(separator);
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        result.push_str(if is_number { number(part)?.0 } else { part });
        separator = '.';
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `packaging` 26.3 makes of the same texts.
    #[test]
    fn versions_have_one_spelling() {
        let check = |text: &str, expected: &str| assert_eq!(canonical(text), expected, "{text}");
        check("1.0.0", "1");
        check("0.0", "0");
        check("v1.2", "1.2");
        check("2021.05.30", "2021.5.30");
        check("10.20", "10.20");
        check("1.0-RC.1", "1rc1");
        check("1.0c1", "1rc1");
        check("1.0preview2", "1rc2");
        check("1.0pre", "1rc0");
        check("1.0.alpha2", "1a2");
        check("1.0-beta_3", "1b3");
        check("2013b", "2013b0");
        check("1.0.post1", "1.post1");
        check("1.0-1", "1.post1");
        check("1.0-r5", "1.post5");
        check("1.0rev", "1.post0");
        check("1.0.post-2", "1.post2");
        check("2.0.dev3", "2.dev3");
        check("1.0a1.post2.dev3+x", "1a1.post2.dev3+x");
        check("1!2.0", "1!2");
        check("0!2.0", "2");
        check("1.0+Ubuntu-01", "1+ubuntu.1");
    }

    #[test]
    fn what_is_no_version_stays_what_it_is() {
        for text in ["", "abc", "2004d", "0.8-snapshot", "1.0-1-2", "1.0+", "1.0+a..b", "1..0", "1.0.win32"] {
            assert_eq!(canonical(text), text, "{text}");
        }
        assert_ne!(canonical("1.0-1"), canonical("11"));
        let long = "1.".repeat(1 << 20);
        assert_eq!(canonical(&long), long);
    }
}
