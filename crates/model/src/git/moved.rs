//! How a ref moves, and what becomes of that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ObjectId, RefName};
use crate::digest::Sha256;

/// What a ref points at. As text, `ID`, `ID^PEELED`, or `@NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// An object, and the commit that it names where it is a tag.
    Object {
        /// The object.
        id: ObjectId,
        /// What an annotated tag names in the end.
        peeled: Option<ObjectId>,
    },
    /// Another ref, as of `HEAD` its default branch.
    Ref(RefName),
}

/// Why a text is no target of a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ref points at an object (`ID`, `ID^PEELED`) or another ref (`@NAME`)")]
pub struct TargetError;

impl Target {
    /// Returns the target of a branch.
    pub const fn object(id: ObjectId) -> Self {
        Self::Object { id, peeled: None }
    }

    /// Returns the object that it names itself.
    pub const fn id(&self) -> Option<&ObjectId> {
        match self {
            Self::Object { id, .. } => Some(id),
            Self::Ref(_) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { id, peeled: None } => write!(f, "{id}"),
            Self::Object { id, peeled: Some(peeled) } => write!(f, "{id}^{peeled}"),
            Self::Ref(name) => write!(f, "@{name}"),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Some(name) = text.strip_prefix('@') {
            return name.parse().map(Self::Ref).map_err(|_| TargetError);
        }
        let (id, peeled) = match text.split_once('^') {
            Some((id, peeled)) => (id, Some(peeled.parse().map_err(|_| TargetError)?)),
            None => (text, None),
        };
        Ok(Self::Object { id: id.parse().map_err(|_| TargetError)?, peeled })
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a move of a ref does to history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveClass {
    /// There was none of this name.
    Create,
    /// Everything that it reached before, it still reaches.
    FastForward,
    /// It no longer reaches what it reached.
    Force,
    /// It is no longer listed.
    Delete,
    /// It points at another ref than before.
    Retarget,
    /// A tag names something else.
    TagMove,
}

impl MoveClass {
    /// Returns the word for people and for `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::FastForward => "fast_forward",
            Self::Force => "force",
            Self::Delete => "delete",
            Self::Retarget => "retarget",
            Self::TagMove => "tag_move",
        }
    }

    /// Reads the word.
    pub fn of(name: &str) -> Option<Self> {
        let all = [Self::Create, Self::FastForward, Self::Force, Self::Delete, Self::Retarget, Self::TagMove];
        all.into_iter().find(|class| class.name() == name)
    }

    /// Returns whether something that was reached by this name no longer is.
    pub const fn destroys(self) -> bool {
        matches!(self, Self::Force | Self::Delete | Self::TagMove)
    }
}

impl fmt::Display for MoveClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What became of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The copy that is served follows.
    Apply,
    /// The copy that is served stays as it was until a person decides.
    Hold,
}

/// What a person decided of a move that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The copy that is served follows this once.
    Apply,
    /// It follows, and from now on every move of refs like this one.
    Always,
    /// It stays as it was.
    Reject,
    /// What was said of refs like this one from now on is taken back.
    Revoke,
}

/// One ref as an upstream moved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefMove {
    /// The ref.
    pub name: RefName,
    /// What the copy that is served has it point at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Target>,
    /// What the upstream has it point at now; nothing where it is no longer listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Target>,
    /// What it would do to history to follow.
    pub class: MoveClass,
    /// What became of it.
    pub decision: Decision,
    /// Why it waits, in words for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Objects as they came from an upstream in one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// The blob: git's pack format (gitformat-pack(5)). A thin one builds on objects of earlier packs of the repository.
    pub sha256: Sha256,
    /// Its size.
    pub size_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_one_text() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        for text in [id, &format!("{id}^{}", "a".repeat(40)), "@refs/heads/main"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["", "@", "@../x", "^", &format!("{id}^"), "refs/heads/main"] {
            assert_eq!(text.parse::<Target>(), Err(TargetError), "{text}");
        }
    }
}
