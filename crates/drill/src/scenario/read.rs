//! From TOML to a scenario; every complaint knows where it stands.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use model::Cut;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Scenario;
use super::hint::nearest;
use crate::duration::parse_duration;

/// The longest scenario file that is read; a real one has under 1 KB.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// The longest name; it becomes part of a folder's name.
const NAME_CHARS_MAX: usize = 80;

/// The keys of a scenario file.
const KEYS: [&str; 5] = ["name", "cut", "run", "objective", "output"];

/// Something wrong at a place in the file.
pub(super) struct Problem {
    pub(super) at: Range<usize>,
    pub(super) what: String,
    pub(super) hint: String,
}

impl Problem {
    fn new(at: Range<usize>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at, what: what.into(), hint: hint.into() }
    }

    /// Returns the line on which the problem begins.
    pub(super) fn line(&self, text: &str) -> usize {
        let before = text.as_bytes().get(..self.at.start).unwrap_or(text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the whole file; the problem that stands first in it is the one told.
pub(super) fn scenario(text: &str) -> Result<Scenario, Problem> {
    if text.len() > FILE_BYTES_MAX {
        return Err(Problem::new(
            0..0,
            "the file is longer than 64 KB",
            "a scenario has a name, cut, run, objective and output",
        ));
    }
    let table = DeTable::parse(text).map_err(|error| {
        // A parser's message may have several lines; an error of ours has one.
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        Problem::new(error.span().unwrap_or(0..0), message, "a scenario file is TOML: name = \"github-gone\"")
    })?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);

    let (mut name, mut cut, mut run) = (None, None, None);
    let (mut objective, mut output) = (None, Vec::new());
    for (key, value) in entries {
        match key.get_ref().as_ref() {
            "name" => name = Some(read_name(value)?),
            "cut" => cut = Some(read_cuts(value)?),
            "run" => run = Some(read_command(value)?),
            "objective" => objective = Some(read_objective(value)?),
            "output" => output = read_outputs(value)?,
            unknown => return Err(unknown_key(key.span(), unknown)),
        }
    }
    let end = text.trim_end().len();
    let missing = |key: &str, example: &str| {
        Problem::new(end..end, format!("`{key}` is missing"), format!("add a line such as {example}"))
    };
    Ok(Scenario {
        name: name.ok_or_else(|| missing("name", "name = \"github-gone\""))?,
        cut: cut.unwrap_or_else(|| vec![Cut::everything()]),
        run: run.ok_or_else(|| missing("run", "run = [\"composer\", \"install\"]"))?,
        objective,
        output,
    })
}

fn unknown_key(at: Range<usize>, key: &str) -> Problem {
    let shown: String = key.chars().take(40).flat_map(char::escape_debug).collect();
    let hint = match nearest(key, &KEYS) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known keys are {}", KEYS.join(", ")),
    };
    Problem::new(at, format!("unknown key `{shown}`"), hint)
}

fn read_name(value: &Value<'_>) -> Result<String, Problem> {
    let name = text_of(value, "name", "name = \"github-gone\"")?;
    let is_readable = !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.chars().any(char::is_control);
    if is_readable {
        Ok(name.to_owned())
    } else {
        Err(Problem::new(
            value.span(),
            format!("`name` is empty, longer than {NAME_CHARS_MAX} characters, or has control characters"),
            "write a short name such as name = \"github-gone\"",
        ))
    }
}

fn read_cuts(value: &Value<'_>) -> Result<Vec<Cut>, Problem> {
    let mut cuts: Vec<Cut> = Vec::new();
    for (text, at) in list_of(value, "cut", "cut = [\"github.com\", \"api.github.com=hang\"]")? {
        let cut: Cut = text.parse().map_err(|error: model::ParseFaultError| {
            Problem::new(
                at.clone(),
                error.to_string(),
                "write a host, optionally with a fault: \"github.com\", \"api.github.com=hang\", or \"all\"",
            )
        })?;
        if cuts.iter().any(|earlier| earlier.host == cut.host) {
            return Err(Problem::new(
                at,
                format!("`{}` is cut twice", cut.host),
                "a host fails in one way; keep one of the two",
            ));
        }
        cuts.push(cut);
    }
    if cuts.is_empty() {
        return Err(Problem::new(
            value.span(),
            "`cut` is empty, so nothing would be proved",
            "leave the line out to cut every host, or name some",
        ));
    }
    Ok(cuts)
}

fn read_command(value: &Value<'_>) -> Result<Vec<String>, Problem> {
    let example = "run = [\"composer\", \"install\"]";
    if let Some(line) = value.get_ref().as_str() {
        let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
        return Err(Problem::new(
            value.span(),
            "`run` is a text, it must be a list of words",
            format!("run = [{}], or run = [\"sh\", \"-c\", …] for a shell's line", words.join(", ")),
        ));
    }
    let mut words = Vec::new();
    for (word, at) in list_of(value, "run", example)? {
        if word.contains('\0') {
            return Err(Problem::new(at, "a word of `run` contains a NUL", "remove it"));
        }
        words.push(word.to_owned());
    }
    if words.first().is_none_or(String::is_empty) {
        return Err(Problem::new(value.span(), "`run` names no program", example));
    }
    Ok(words)
}

fn read_objective(value: &Value<'_>) -> Result<Duration, Problem> {
    let example = "objective = \"15m\"";
    let text = text_of(value, "objective", example)?;
    let duration = parse_duration(text).map_err(|error| {
        Problem::new(value.span(), error.to_string(), format!("write a duration such as {example}"))
    })?;
    if duration.is_zero() {
        return Err(Problem::new(
            value.span(),
            "an `objective` of zero cannot be met",
            format!("write a duration such as {example}, or leave the line out"),
        ));
    }
    Ok(duration)
}

fn read_outputs(value: &Value<'_>) -> Result<Vec<PathBuf>, Problem> {
    let mut paths = Vec::new();
    for (text, at) in list_of(value, "output", "output = [\"vendor\"]")? {
        let path = Path::new(text);
        let is_inside = !text.is_empty()
            && !text.contains('\0')
            && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_inside {
            return Err(Problem::new(
                at,
                format!("output {text:?} does not lie in the project's directory"),
                "write a path relative to the project, such as \"vendor\"",
            ));
        }
        paths.push(path.to_owned());
    }
    Ok(paths)
}

fn text_of<'a>(value: &'a Value<'_>, key: &str, example: &str) -> Result<&'a str, Problem> {
    value.get_ref().as_str().ok_or_else(|| {
        let got = value.get_ref().type_str();
        Problem::new(value.span(), format!("`{key}` must be a text, not {}", article(got)), example)
    })
}

/// Returns the words of a list, each with its place in the file.
fn list_of<'a>(
    value: &'a Value<'_>,
    key: &str,
    example: &str,
) -> Result<Vec<(&'a str, Range<usize>)>, Problem> {
    let Some(items) = value.get_ref().as_array() else {
        let got = value.get_ref().type_str();
        return Err(Problem::new(
            value.span(),
            format!("`{key}` must be a list of texts, not {}", article(got)),
            example,
        ));
    };
    let mut words = Vec::new();
    for item in items.iter() {
        let got = item.get_ref().type_str();
        let word = item.get_ref().as_str().ok_or_else(|| {
            Problem::new(
                item.span(),
                format!("`{key}` must be a list of texts, one is {}", article(got)),
                example,
            )
        })?;
        words.push((word, item.span()));
    }
    Ok(words)
}

fn article(kind: &str) -> String {
    match kind {
        "string" => "a text".to_owned(),
        "array" => "a list".to_owned(),
        "integer" => "an integer".to_owned(),
        other => format!("a {other}"),
    }
}
