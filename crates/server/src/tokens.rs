//! Tokens: who may ask a server. A token is shown once, when it is made; what is kept is its digest.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use model::{Secret, Sha256, Timestamp};
use serde::{Deserialize, Serialize};

/// What a token begins with: scanners of published secrets can look for it.
const PREFIX: &str = "outlast_";
/// Nobody guesses 256 bits, so there is no need to slow down who tries.
const N_BYTES: usize = 32;
/// How many letters of base64 they are.
const N_LETTERS: usize = (N_BYTES * 8).div_ceil(6);
/// The longest name.
const NAME_BYTES_MAX: usize = 64;
/// More than any team has.
const N_TOKENS_MAX: usize = 10_000;

/// What somebody may do. Each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read what is kept, and have kept what was not.
    Read,
    /// Name what is to be kept.
    Adopt,
    /// Everything.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Adopt => "adopt",
            Self::Admin => "admin",
        })
    }
}

/// One token, without itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Of a person or a machine.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    sha256: Sha256,
}

/// All tokens of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    tokens: Vec<Token>,
}

/// Why a token could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// A name that could not be told from others in a list.
    #[error("`{0}` is no name of a token: 1 to {NAME_BYTES_MAX} letters, digits, `.`, `-`, `_` and `@`")]
    Name(String),
    /// Another has it.
    #[error("there is a token called `{0}` already")]
    Taken(String),
    /// Too many.
    #[error("there are {N_TOKENS_MAX} tokens already")]
    Full,
}

impl Tokens {
    /// Makes a token from random bytes, and returns it: nobody will see it again.
    pub fn add(
        &mut self,
        name: &str,
        scope: Scope,
        created_at: Timestamp,
        random: [u8; N_BYTES],
    ) -> Result<Secret<String>, TokenError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_plain) {
            return Err(TokenError::Name(name.to_owned()));
        }
        if self.tokens.iter().any(|token| token.name == name) {
            return Err(TokenError::Taken(name.to_owned()));
        }
        if self.tokens.len() >= N_TOKENS_MAX {
            return Err(TokenError::Full);
        }
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let sha256 = Sha256::of(token.as_bytes());
        self.tokens.push(Token { name: name.to_owned(), scope, created_at, sha256 });
        Ok(Secret::new(token))
    }

    /// Takes a token away; returns whether there was one of this name.
    pub fn revoke(&mut self, name: &str) -> bool {
        let n_before = self.tokens.len();
        self.tokens.retain(|token| token.name != name);
        self.tokens.len() < n_before
    }

    /// Returns all of them, in the order in which they were made.
    pub fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// Returns the token that a request brings: as a bearer token, as the password or the name of `Basic`, or alone, as Cargo
    /// sends it (RFC 3139 of Rust).
    pub fn of(&self, headers: &HeaderMap) -> Option<&Token> {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let value = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
        let (scheme, rest) = value.split_once(' ').unwrap_or(("bearer", value));
        let presented = if scheme.eq_ignore_ascii_case("bearer") {
            rest.trim().to_owned()
        } else if scheme.eq_ignore_ascii_case("basic") {
            let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
            let (name, password) = text.split_once(':')?;
            // Some clients have only one field for it.
            if password.starts_with(PREFIX) { password.to_owned() } else { name.to_owned() }
        } else {
            return None;
        };
        let sha256 = Sha256::of(presented.as_bytes());
        self.tokens.iter().find(|token| token.sha256 == sha256)
    }
}

/// Returns whether a text has something in it that looks like a token, a mistake that a client's settings can make.
pub(crate) fn is_in(text: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let mut found = text.match_indices(PREFIX);
    found.any(|(at, _)| {
        text.as_bytes()[at + PREFIX.len()..].iter().take_while(|byte| is_letter(byte)).count() >= N_LETTERS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_an_address_is_seen() {
        let mut tokens = Tokens::default();
        let token = tokens.add("ci", Scope::Read, now(), [250; N_BYTES]).unwrap();
        for path in ["/npm/x?token=", "/files/a.example/", "/x/outlast_y/"] {
            assert!(is_in(&format!("{path}{}", token.expose())), "{path}");
            assert!(!is_in(path), "{path}");
        }
        assert!(!is_in("/npm/outlast_client/-/outlast_client-1.0.0.tgz"));
        assert!(!is_in(&token.expose()[..token.expose().len() - 1]));
    }

    fn now() -> Timestamp {
        "2026-05-21T10:00:00Z".parse().unwrap()
    }

    fn bearing(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())])
    }

    #[test]
    fn a_token_is_known_in_each_way_in_which_clients_send_it_until_it_is_revoked() {
        let mut tokens = Tokens::default();
        let token = tokens.add("ci", Scope::Read, now(), [7; N_BYTES]).unwrap();
        tokens.add("kim@laptop", Scope::Admin, now(), [8; N_BYTES]).unwrap();
        let token = token.expose();
        let basic = |text: String| format!("Basic {}", STANDARD.encode(text));
        for sent in [
            format!("Bearer {token}"),
            format!("bearer  {token} "),
            token.clone(),
            basic(format!("anybody:{token}")),
            basic(format!("{token}:")),
            basic(format!("{token}:x-oauth-basic")),
        ] {
            assert_eq!(tokens.of(&bearing(&sent)).map(|it| it.name.as_str()), Some("ci"), "{sent}");
        }
        let mut twice = bearing(&format!("Bearer {token}"));
        twice.append(header::AUTHORIZATION, "Bearer x".parse().unwrap());
        assert_eq!(tokens.of(&twice), None, "which of both is meant?");
        for sent in ["Bearer", "Bearer ", "Bearer outlast_", "Basic !", "Basic Og==", "Digest x", ""] {
            assert_eq!(tokens.of(&bearing(sent)), None, "{sent}");
        }
        assert_eq!(tokens.of(&HeaderMap::new()), None);
        assert!(tokens.revoke("ci") && !tokens.revoke("ci"));
        assert_eq!(tokens.of(&bearing(&format!("Bearer {token}"))), None);
    }

    #[test]
    fn what_is_kept_does_not_give_the_token() {
        let mut tokens = Tokens::default();
        let token = tokens.add("ci", Scope::Adopt, now(), [7; N_BYTES]).unwrap();
        let text = serde_json::to_string(&tokens).unwrap();
        assert!(text.contains("\"adopt\"") && !text.contains(&token.expose()[PREFIX.len()..]), "{text}");
        assert_eq!(serde_json::from_str::<Tokens>(&text).unwrap(), tokens);
        assert!(!format!("{token:?}").contains(PREFIX));
    }

    #[test]
    fn names_are_told_apart() {
        let mut tokens = Tokens::default();
        for name in ["", "a b", "a\n", "é", &"a".repeat(65)] {
            let refused = tokens.add(name, Scope::Read, now(), [0; N_BYTES]);
            assert!(matches!(refused, Err(TokenError::Name(_))), "{name}");
        }
        tokens.add("a", Scope::Read, now(), [0; N_BYTES]).unwrap();
        assert_eq!(tokens.add("a", Scope::Read, now(), [1; N_BYTES]), Err(TokenError::Taken("a".to_owned())));
        assert!(Scope::Read < Scope::Adopt && Scope::Adopt < Scope::Admin);
    }
}
