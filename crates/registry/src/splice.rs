//! Changes a document by replacing byte ranges: what is not replaced is never read into values and written again.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in the order of the document, each value as it stands there; a name may come twice.
#[derive(Debug, Default)]
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads one object.
    pub(crate) fn read(object: &'a str) -> Option<Self> {
        serde_json::from_str(object).ok()
    }

    /// Returns the value of a name: the last one, as parsers have it.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(member, _)| member == name).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// The items of a JSON array, each as it stands in the document.
#[derive(Debug, Default)]
pub(crate) struct Items<'a>(pub(crate) Vec<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element::<&'de RawValue>()? {
                    items.push(item.get());
                }
                Ok(Items(items))
            }
        }

        deserializer.deserialize_seq(Collect)
    }
}

/// A string that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is to be replaced in a document.
#[derive(Debug)]
pub(crate) struct Splice<'a> {
    document: &'a str,
    edits: Vec<(Range<usize>, String)>,
}

impl<'a> Splice<'a> {
    pub(crate) const fn of(document: &'a str) -> Self {
        Self { document, edits: Vec::new() }
    }

    /// Puts `text` in the place of a part of the document: a value that was read from it.
    pub(crate) fn replace(&mut self, part: &str, text: String) {
        let start = self.offset(part);
        self.edits.push((start..start + part.len(), text));
    }

    /// Puts `text` behind a part of the document.
    pub(crate) fn insert_after(&mut self, part: &str, text: String) {
        let end = self.offset(part) + part.len();
        self.edits.push((end..end, text));
    }

    /// Adds items before the closing bracket of a JSON object or array that is a part of the document.
    pub(crate) fn append(&mut self, container: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        let end = self.offset(container) + container.len() - 1;
        let is_empty = container[1..container.len() - 1].trim().is_empty();
        let separator = if is_empty { "" } else { "," };
        self.edits.push((end..end, format!("{separator}{}", items.join(","))));
    }

    /// Returns the document as it is then. The parts must not overlap.
    pub(crate) fn apply(mut self) -> String {
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut result = String::with_capacity(self.document.len());
        let mut done = 0;
        for (range, text) in self.edits {
            result.push_str(&self.document[done..range.start]);
            result.push_str(&text);
            done = range.end;
        }
        result.push_str(&self.document[done..]);
        result
    }

    /// Parts are slices of the document, so where they lie says which.
    fn offset(&self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).wrapping_sub(self.document.as_ptr() as usize);
        assert!(offset + part.len() <= self.document.len(), "a part of another document");
        offset
    }
}

/// Returns a member as it is written in JSON.
pub(crate) fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", serde_json::Value::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_replaced_changes() {
        let document = r#"{"a": {"x":1 , "y":[ ]}, "b\u0061": 2, "a": {} }"#;
        let top = Members::read(document).unwrap();
        assert_eq!(top.0.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["a", "ba", "a"]);
        let first = top.0[0].1;
        let inner = Members::read(first).unwrap();
        let mut splice = Splice::of(document);
        splice.append(first, &[member("z\"", "true")]);
        splice.replace(inner.get("x").unwrap(), "17".to_owned());
        splice.append(inner.get("y").unwrap(), &["1".to_owned(), "2".to_owned()]);
        splice.append(top.get("a").unwrap(), &[member("q", "null")]);
        splice.append(document, &[]);
        assert_eq!(
            splice.apply(),
            r#"{"a": {"x":17 , "y":[ 1,2],"z\"":true}, "b\u0061": 2, "a": {"q":null} }"#
        );
        assert!(Members::read("[1]").is_none());
        assert!(Members::read("{\"a\":").is_none());
    }
}
