//! Versions as Composer compares them, made of versions as people write them: a mirror's address may have them.
//!
//! The rules are those of `VersionParser::normalize` of composer/semver 3.4 (read 2026-11). Versions made of a date are
//! left out: nobody's mirror needs them, and the rules differ from release to release.

/// What a branch has in place of a number that is not fixed.
const ANY_NUMBER: &str = "9999999";

/// The most digits of a version's first number; a longer one is a date.
const FIRST_DIGITS_MAX: usize = 5;

/// Words that say how ready a version is, and how they are written in the end; longer ones before their beginnings.
const STABILITIES: [(&str, &str); 9] = [
    ("stable", "stable"),
    ("beta", "beta"),
    ("alpha", "alpha"),
    ("patch", "patch"),
    ("rc", "RC"),
    ("pl", "patch"),
    ("p", "patch"),
    ("b", "beta"),
    ("a", "alpha"),
];

/// Returns a version of a lock as Composer compares it, nothing where these rules do not say.
pub(super) fn normalized(version: &str) -> Option<String> {
    let version = version.trim();
    // An alias, a list or a stability belongs to a demand, not to a version.
    if version.contains([',', ' ', '\t', '@']) {
        return None;
    }
    if let Some(branch) = strip_prefix_ignoring_case(version, "dev-") {
        return Some(format!("dev-{branch}"));
    }
    let version = version.split_once('+').filter(|(_, build)| !build.is_empty()).map_or(version, |it| it.0);
    let numbers = version.strip_prefix(['v', 'V']).unwrap_or(version);
    tag(numbers).or_else(|| branch(numbers))
}

/// One to four numbers, then how ready it is.
fn tag(version: &str) -> Option<String> {
    let (first, mut rest) = digits(version);
    if first.is_empty() || first.len() > FIRST_DIGITS_MAX {
        return None;
    }
    let mut result = first.to_owned();
    let mut n_numbers = 1;
    while n_numbers < 4
        && let Some((number, after)) = rest.strip_prefix('.').map(digits)
        && !number.is_empty()
    {
        result.push('.');
        result.push_str(number);
        rest = after;
        n_numbers += 1;
    }
    result.push_str(&".0".repeat(4 - n_numbers));
    result.push_str(&stability(rest)?);
    Some(result)
}

/// Returns what follows the numbers, `-beta2` or `-dev`, nothing where it is something else.
fn stability(rest: &str) -> Option<String> {
    let text = rest.strip_prefix(['.', '_', '-']).unwrap_or(rest);
    let found =
        STABILITIES.iter().find_map(|(word, long)| Some((*long, strip_prefix_ignoring_case(text, word)?)));
    let Some((word, after)) = found else {
        let is_dev = matches_dev(rest) || matches_dev(text);
        return if is_dev { Some("-dev".to_owned()) } else { text.is_empty().then(String::new) };
    };
    let end = end_of_numbers(after);
    let (number, tail) = (after[..end].trim_start_matches(['.', '-']), &after[end..]);
    let is_dev = matches_dev(tail);
    if !is_dev && !tail.is_empty() {
        return None;
    }
    if text.starts_with("stable") {
        return Some(String::new());
    }
    Some(format!("-{word}{number}{}", if is_dev { "-dev" } else { "" }))
}

/// Returns where a run of `1`, `.1` and `-1` ends.
fn end_of_numbers(text: &str) -> usize {
    let mut end = 0;
    loop {
        let rest = &text[end..];
        let number = rest.strip_prefix(['.', '-']).unwrap_or(rest);
        let (found, after) = digits(number);
        if found.is_empty() {
            return end;
        }
        end = text.len() - after.len();
    }
}

fn matches_dev(text: &str) -> bool {
    text.strip_prefix(['.', '-']).unwrap_or(text).eq_ignore_ascii_case("dev")
}

/// `2.x-dev`: numbers, or `x` in their place.
fn branch(version: &str) -> Option<String> {
    let end = version.len().checked_sub("dev".len())?;
    let name = version.get(..end).filter(|_| version[end..].eq_ignore_ascii_case("dev"))?;
    let name = name.strip_suffix(['.', '-']).unwrap_or(name);
    let mut result = String::new();
    let mut n_numbers = 0;
    for number in name.split('.') {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_any = n_numbers > 0 && matches!(number, "x" | "X" | "*");
        let is_date = n_numbers == 0 && number.len() > FIRST_DIGITS_MAX;
        if n_numbers == 4 || is_date || !(is_number || is_any) {
            return None;
        }
        if n_numbers > 0 {
            result.push('.');
        }
        result.push_str(if is_any { ANY_NUMBER } else { number });
        n_numbers += 1;
    }
    for _ in n_numbers..4 {
        result.push('.');
        result.push_str(ANY_NUMBER);
    }
    Some(result + "-dev")
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Composer 2.5.5 makes of the same.
    #[test]
    fn versions_are_normalised_as_composer_does_it() {
        let check = |version: &str, expected: &str| {
            assert_eq!(normalized(version).as_deref(), Some(expected), "{version}");
        };
        check("1.2.3", "1.2.3.0");
        check("v1.2", "1.2.0.0");
        check(" 1", "1.0.0.0");
        check("1.0.0.0", "1.0.0.0");
        check("1.0-", "1.0.0.0");
        check("1.0.0+build5", "1.0.0.0");
        check("1.0.0-stable", "1.0.0.0");
        check("1.0.0-Stable", "1.0.0.0-stable");
        check("1.0.0-RC1", "1.0.0.0-RC1");
        check("1.0.0-rc.1.2", "1.0.0.0-RC1.2");
        check("1.0-beta.2", "1.0.0.0-beta2");
        check("1.0.0alpha", "1.0.0.0-alpha");
        check("1.0.0-a-1", "1.0.0.0-alpha1");
        check("1_beta", "1.0.0.0-beta");
        check("v2.0.0-p1", "2.0.0.0-patch1");
        check("1.0.0pl1", "1.0.0.0-patch1");
        check("1.0.0-b3-dev", "1.0.0.0-beta3-dev");
        check("1.0.0-beta-dev", "1.0.0.0-beta-dev");
        check("1.0-dev", "1.0.0.0-dev");
        check("2.x-dev", "2.9999999.9999999.9999999-dev");
        check("1.0.x-dev", "1.0.9999999.9999999-dev");
        check("v1.x-dev", "1.9999999.9999999.9999999-dev");
        check("1.x.5-dev", "1.9999999.5.9999999-dev");
        check("1.*-dev", "1.9999999.9999999.9999999-dev");
        check("dev-main", "dev-main");
        check("DEV-Foo", "dev-Foo");
    }

    #[test]
    fn what_these_rules_do_not_know_is_left_alone() {
        for version in [
            "",
            "v",
            "main",
            "xyz-dev",
            "dev",
            "é",
            "1.0é",
            "1é-dev",
            "123456",
            "20230101",
            "1.0.0.0.0",
            "1..2",
            "1.0 as 2.0",
            "1.0,2.0",
            "1.0-gamma",
            "x.1-dev",
            "123456-dev",
            "1.0@dev",
            "dev-a@dev",
            "1.2.3.4.5-dev",
            "1.0.0-beta-x",
        ] {
            assert_eq!(normalized(version), None, "{version}");
        }
    }
}
