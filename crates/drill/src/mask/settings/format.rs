//! Finds the values of a key in a settings file.
//!
//! Tolerant on purpose: what a client would refuse is read here as far as it goes, and of a key that is set twice every
//! value counts.

/// How a settings file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `key = value`, in sections or not.
    Assigned,
    /// `key: value` at the left margin.
    Yaml,
    /// `key value`, or `--command.key value`, as Yarn 1 writes it.
    Spaced,
    /// Tables, the key being a path through them.
    Toml,
    /// Objects, the key being a path through them.
    Json,
    /// `<key>value</key>`.
    Element,
    /// `-Dkey=value` among other words.
    Properties,
}

/// Returns every value of `key` in `text`.
pub(super) fn values(text: &str, format: Format, key: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Assigned => lines(text, key, assigned),
        Format::Yaml => lines(text, key, mapped),
        Format::Spaced => lines(text, key, spaced),
        Format::Toml => toml::from_str::<toml::Table>(text)
            .ok()
            .and_then(|table| in_table(&table, key))
            .into_iter()
            .collect(),
        Format::Json => serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|root| in_object(&root, key))
            .into_iter()
            .collect(),
        Format::Element => elements(&without_comments(text), key),
        Format::Properties => properties(text, key),
    }
}

fn lines(text: &str, key: &str, split: fn(&str) -> Option<(&str, &str)>) -> Vec<String> {
    let plain = |name: &str| name.trim().trim_matches(['"', '\'']).replace('_', "-");
    let wanted = plain(key);
    text.lines()
        .filter(|line| !line.trim_start().starts_with(['#', ';']))
        .filter_map(split)
        .filter(|(name, _)| plain(name).eq_ignore_ascii_case(&wanted))
        .map(|(_, value)| unquoted(value))
        .collect()
}

fn assigned(line: &str) -> Option<(&str, &str)> {
    // Python's files may also use a colon, which others have in their values only, behind the `=`.
    line.split_once('=').or_else(|| line.split_once(':'))
}

fn mapped(line: &str) -> Option<(&str, &str)> {
    line.split_once(':').filter(|_| !line.starts_with(char::is_whitespace))
}

fn spaced(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let (name, value) = line.split_once([' ', '\t', '=', ':'])?;
    let name = name.strip_prefix("--").map_or(name, |option| option.rsplit('.').next().unwrap_or(option));
    Some((name, value))
}

/// Returns a value without its quotes, or without the comment behind it.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some((inside, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inside.to_owned();
        }
    }
    let end = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| value.find(mark)).min();
    value[..end.unwrap_or(value.len())].trim_end().to_owned()
}

fn in_table(table: &toml::Table, key: &str) -> Option<String> {
    match key.split_once('.') {
        Some((name, rest)) => in_table(table.get(name)?.as_table()?, rest),
        None => table.get(key)?.as_str().map(str::to_owned),
    }
}

fn in_object(value: &serde_json::Value, key: &str) -> Option<String> {
    match key.split_once('.') {
        Some((name, rest)) => in_object(value.get(name)?, rest),
        None => value.get(key)?.as_str().map(str::to_owned),
    }
}

fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}

fn elements(text: &str, key: &str) -> Vec<String> {
    let (open, close) = (format!("<{key}>"), format!("</{key}>"));
    text.split(&open)
        .skip(1)
        .filter_map(|part| part.split_once(&close))
        .map(|(value, _)| value.trim().to_owned())
        .collect()
}

fn properties(text: &str, key: &str) -> Vec<String> {
    let start = format!("-D{key}=");
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split(&start).skip(1))
        .map(|rest| match rest.chars().next() {
            Some('"' | '\'') => unquoted(rest),
            _ => rest.split([' ', '\t', '"', '\'']).next().unwrap_or_default().to_owned(),
        })
        .collect()
}
