//! Which parameters of a query name an object, and which are secrets or say who asks.

use std::borrow::Cow;

use crate::digest::Sha256;

/// Query parameters that sign an address for a while; they change with every redirect and are secrets while they last.
///
/// From the documentation of S3, CloudFront and Google Cloud Storage (read 2026-11).
const SIGNATURES: [&str; 17] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-goog-algorithm",
    "x-goog-credential",
    "x-goog-date",
    "x-goog-expires",
    "x-goog-signature",
    "x-goog-signedheaders",
    "awsaccesskeyid",
    "key-pair-id",
    "signature",
    "sig",
];

/// Parameters that mean a signature only beside one of the above: `Expires` and `Policy` of CloudFront, the shared access
/// signature of Azure Blob Storage, and the `jwt` that release downloads carry with it.
const BESIDE_SIGNATURES: [&str; 17] = [
    "expires", "policy", "sv", "st", "se", "sr", "sp", "spr", "skoid", "sktid", "skt", "ske", "sks", "skv",
    "rscd", "rsct", "jwt",
];

/// Query parameters that are somebody's credentials, as forges and registries document them (read 2026-11): they say who asks,
/// not what for.
const CREDENTIALS: [&str; 18] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth_token",
    "client_secret",
    "job_token",
    "hmac",
    "otp",
    "pass",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pat",
    "psk",
    "private_token",
    "pwd",
];

/// What a parameter is called that may be a credential and may as well say what is asked for, the place in a list or a key of a
/// map: its value stays told apart, and is not shown. As parts of names: `refresh_token`, `subscription-key`.
const HIDDEN: [&str; 14] = [
    "token",
    "secret",
    "pass",
    "pwd",
    "key",
    "auth",
    "jwt",
    "bearer",
    "credential",
    "session",
    "sas",
    "licen",
    "code",
    "signature",
];

/// The same, as whole names: their letters are parts of too many others.
const HIDDEN_NAMES: [&str; 4] = ["pin", "sid", "sso", "ticket"];

/// Parameters of a path that name a session, as Java's and other servers write them where there are no cookies.
const PATH_SESSIONS: [&str; 4] = ["jsessionid", "phpsessid", "sessionid", "sid"];

/// How a hidden value begins; 16 digits of its SHA-256 follow.
const HIDDEN_PREFIX: &str = "sha256-";

/// How deep addresses are looked into that lie in the query of another: a login leads to one, and that to one more. The
/// longest address has room for a thousand, for which there is no room on the stack.
const DEPTH_MAX: usize = 8;

/// Returns a query without signatures and credentials, with what may be one or not hidden.
pub(crate) fn without_secrets(query: &str) -> String {
    within(query, 0)
}

/// As [`without_secrets`], of an address in an address in so many others.
fn within(query: &str, depth: usize) -> String {
    let query = hidden(query, depth);
    let is_signed = query.split('&').any(|pair| names(pair, &SIGNATURES));
    let is_kept = |pair: &&str| {
        !names(pair, &CREDENTIALS)
            && (!is_signed || !names(pair, &SIGNATURES) && !names(pair, &BESIDE_SIGNATURES))
    };
    query.split('&').filter(is_kept).collect::<Vec<_>>().join("&")
}

/// Calls back with the name and the value of each credential. The value of what is hidden, which an object's name tells
/// apart, is left out.
pub(crate) fn each_credential(query: &str, mut found: impl FnMut(&str, &str)) {
    for pair in query.split('&') {
        if names(pair, &CREDENTIALS) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            found(name, value);
        } else if token(pair, 0).is_some() && !names(pair, &BESIDE_SIGNATURES) {
            found("token", "");
        }
    }
}

fn names(pair: &str, parameters: &[&str]) -> bool {
    let name = decoded(pair.split_once('=').map_or(pair, |(name, _)| name));
    parameters.iter().any(|parameter| name.eq_ignore_ascii_case(parameter))
}

/// Returns the name and the value of a parameter that may be a credential.
fn token(pair: &str, depth: usize) -> Option<(&str, &str)> {
    let (name, value) = pair.split_once('=').filter(|(_, value)| !value.is_empty())?;
    let plain = decoded(name).to_ascii_lowercase();
    let is_one_of = |list: &[&str]| list.contains(&plain.as_str());
    let may_be = HIDDEN.iter().any(|part| plain.contains(part)) || is_one_of(&HIDDEN_NAMES);
    (!is_one_of(&SIGNATURES) && (may_be || is_address_with_secret(value, depth))).then_some((name, value))
}

/// Returns whether a value is an address itself, with credentials in it; true as well where it is deeper than anybody looks.
fn is_address_with_secret(value: &str, depth: usize) -> bool {
    let address = decoded(value);
    let Some((_, rest)) = address.split_once("://") else { return false };
    if depth == DEPTH_MAX {
        return true;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_secret = |query: &str| within(query, depth + 1) != query;
    authority.contains('@') || rest.split_once('?').is_some_and(|(_, query)| has_secret(query))
}

/// Returns a path without the sessions in it.
pub(crate) fn without_sessions(path: &str) -> Cow<'_, str> {
    if !path.contains(';') {
        return path.into();
    }
    let mut kept = String::with_capacity(path.len());
    for segment in path.split_inclusive('/') {
        let (segment, slash) = segment.strip_suffix('/').map_or((segment, ""), |segment| (segment, "/"));
        for (index, part) in segment.split(';').enumerate() {
            if index > 0 && names(part, &PATH_SESSIONS) {
                continue;
            }
            kept.push_str(if index > 0 { ";" } else { "" });
            kept.push_str(part);
        }
        kept.push_str(slash);
    }
    kept.into()
}

/// Calls back with each session in a path.
pub(crate) fn each_session(path: &str, mut found: impl FnMut(&str, &str)) {
    for part in path.split('/').flat_map(|segment| segment.split(';').skip(1)) {
        if names(part, &PATH_SESSIONS) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            found(name, value);
        }
    }
}

/// Hides the values of parameters that may be credentials; some servers take `;` for `&`.
fn hidden(query: &str, depth: usize) -> String {
    let without_tokens =
        |pair: &str| pair.split(';').map(|pair| without_token(pair, depth)).collect::<Vec<_>>().join(";");
    let pairs = query.split('&').map(without_tokens);
    pairs.collect::<Vec<_>>().join("&")
}

/// Hides the value of a token; one that is hidden already stays what it is.
fn without_token(pair: &str, depth: usize) -> Cow<'_, str> {
    let Some((name, value)) = token(pair, depth) else { return pair.into() };
    let is_hidden = |hex: &str| hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if value.strip_prefix(HIDDEN_PREFIX).is_some_and(is_hidden) {
        return pair.into();
    }
    let digest = Sha256::of(value.as_bytes()).to_string();
    format!("{name}={HIDDEN_PREFIX}{}", &digest[..16]).into()
}

/// Returns a name without percent-encoding, as a server reads it.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
