//! What strangers say, so that no terminal takes any of it for a command.

/// Returns the beginning of a text as one line of at most `letters_max` letters.
pub(crate) fn harmless(bytes: &[u8], letters_max: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let letters = text.trim_matches(|letter: char| letter.is_whitespace() || letter.is_control()).chars();
    letters.map(|letter| if letter.is_control() { ' ' } else { letter }).take(letters_max).collect()
}
