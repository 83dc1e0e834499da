//! Finds the word somebody meant.

/// Returns the known word that is nearest to what was written, if one is near enough to be meant.
pub(super) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written: Vec<char> = written.chars().take(WRITTEN_CHARS_MAX).collect();
    let nearest = known.iter().map(|word| (distance(&written, word), *word)).min()?;
    // A third of the letters wrong is a slip; more is another word.
    (nearest.0 <= nearest.1.len().div_ceil(3)).then_some(nearest.1)
}

/// Known words have under 20 letters; what is longer than this is not one of them, and costs nothing to refuse.
const WRITTEN_CHARS_MAX: usize = 40;

/// The number of letters to add, drop or replace (Levenshtein).
fn distance(written: &[char], word: &str) -> usize {
    let mut row: Vec<usize> = (0..=written.len()).collect();
    for (i, expected) in word.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, letter) in written.iter().enumerate() {
            let replaced = diagonal + usize::from(*letter != expected);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[written.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["name", "cut", "run", "objective", "output"];
        let check = |written: &str, expected: Option<&str>| {
            assert_eq!(nearest(written, &known), expected, "{written}");
        };
        check("objectiv", Some("objective"));
        check("outputs", Some("output"));
        check("cuts", Some("cut"));
        check("nmae", Some("name"));
        check("timeout", None);
        check("", None);
        check(&"x".repeat(100_000), None);
    }
}
