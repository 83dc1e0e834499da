//! The class of `Accept`: which form of a document was asked for.

use http::{HeaderMap, header};

/// The longest variant; the longest media type in use by a registry has 45 characters.
const VARIANT_BYTES_MAX: usize = 64;

/// Returns the first concrete media type in lower case without parameters, or nothing where any form will do.
///
/// `q` is ignored: clients that list several forms write the best one first (pip, uv, npm, docker). `text/html` in
/// the first place means a browser, or a client that takes what browsers get.
pub(super) fn variant(headers: &HeaderMap) -> String {
    let first = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|entry| entry.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
        .find(|media_type| is_concrete(media_type));
    match first {
        Some(media_type) if media_type != "text/html" => {
            // Only ASCII got through `is_concrete`, so any byte is the end of a character.
            media_type[..media_type.len().min(VARIANT_BYTES_MAX)].to_owned()
        }
        _ => String::new(),
    }
}

fn is_concrete(media_type: &str) -> bool {
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    media_type.split_once('/').is_some_and(|(kind, form)| is_token(kind) && is_token(form))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn forms_are_told_apart_and_browsers_are_not() {
        let check = |accept: &[&str], expected: &str| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(variant(&headers), expected, "{accept:?}");
        };
        check(&[], "");
        check(&["*/*"], "");
        check(&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], "");
        check(&["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"], "");
        check(
            &[
                "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
            ],
            "application/vnd.pypi.simple.v1+json",
        );
        check(&["Application/JSON; charset=utf-8"], "application/json");
        check(&["image/*, */*"], "");
        check(&["*/*", "application/octet-stream"], "application/octet-stream");
        check(&["nonsense, a b/c, /x, application/json"], "application/json");
        check(&[&format!("application/{}", "x".repeat(200))], &format!("application/{}", "x".repeat(52)));
    }
}
