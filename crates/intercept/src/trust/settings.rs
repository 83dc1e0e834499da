//! Finds single settings in other programs' settings files, without knowing each of their formats whole.
//!
//! `key = value`, `key: value`, `key "value";` and `"key":"value"` on one line cover npmrc, curlrc, gitconfig, pip.conf,
//! Cargo's TOML, Yarn's YAML, Composer's JSON and apt.conf.

/// Returns every value a key has in a file, in order; quotes are taken off, comments are passed over.
pub(crate) fn values(text: &str, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with(['#', ';']) || line.starts_with("//") {
            continue;
        }
        found.extend(value_in(line, key));
    }
    found
}

/// Returns whether a key has a value other than nothing.
pub(crate) fn has_setting(text: &str, key: &str) -> bool {
    values(text, key).iter().any(|value| !value.is_empty())
}

fn value_in(line: &str, key: &str) -> Option<String> {
    // ASCII only, so that positions are the same in both.
    let lower = line.to_ascii_lowercase();
    let key = key.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower.get(from..)?.find(&key).map(|at| at + from) {
        from = at + key.len();
        let before = line[..at].chars().next_back();
        let is_start =
            before.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '.' | ':' | '{' | ','));
        let after = line[from..].strip_prefix(['"', '\'']).unwrap_or(&line[from..]);
        if !is_start || !after.starts_with(|c: char| c.is_whitespace() || matches!(c, '=' | ':')) {
            continue;
        }
        let value = after.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '=' | ':'));
        return Some(unquote(value));
    }
    None
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or_default().to_owned();
        }
    }
    value.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ';' | ',' | '}')).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, key: &str, expected: &[&str]) {
        assert_eq!(values(text, key), expected, "{text}");
    }

    #[test]
    fn a_setting_is_found_in_every_format() {
        check("cafile=/a b/c.pem\n", "cafile", &["/a b/c.pem"]);
        check("  cafile = \"/c.pem\"\r\n", "cafile", &["/c.pem"]);
        check("[http]\n\tsslCAInfo = ~/c.pem", "sslcainfo", &["~/c.pem"]);
        check("http = { cainfo = \"c.pem\" }", "cainfo", &["c.pem"]);
        check("http.cainfo = 'c.pem'", "cainfo", &["c.pem"]);
        check("httpsCaFilePath: \"./c.pem\"", "httpsCaFilePath", &["./c.pem"]);
        check("cafile \"/c.pem\"", "cafile", &["/c.pem"]);
        check(r#"{"config":{"cafile":"/c.pem","x":1}}"#, "cafile", &["/c.pem"]);
        check("Acquire::https::CAInfo \"/c.pem\";", "cainfo", &["/c.pem"]);
        check("Acquire::https::a.example::CAInfo /c.pem ;", "cainfo", &["/c.pem"]);
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        for text in
            ["# cafile=/c.pem", "; cafile=/c.pem", "//cafile=/c.pem", "mycafile=/c", "cafiles=/c", "cafile"]
        {
            check(text, "cafile", &[]);
        }
        check("https-proxy=x\nproxy=y", "proxy", &["y"]);
        assert!(!has_setting("proxy=\n", "proxy"));
        assert!(has_setting("proxy=\nproxy=a", "proxy"));
    }
}
