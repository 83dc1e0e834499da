//! The query of an address, or the fields of a form.

use std::borrow::Cow;

use crate::Asked;

/// Names and values in their order.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of the address asked.
    pub(crate) fn of(asked: &Asked) -> Self {
        form(asked.path.split_once('?').map_or("", |(_, query)| query).as_bytes())
    }

    /// Returns the first value of this name.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the values of a list as PHP writes it: `NAME[]=a`, `NAME[0]=a`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_of = move |found: &str| found.strip_prefix(name).is_some_and(|rest| rest.starts_with('['));
        self.0.iter().filter(move |(found, _)| is_of(found)).map(|(_, value)| value.as_str())
    }
}

/// Reads the fields of a form.
pub(crate) fn form(bytes: &[u8]) -> Query {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    Query(pairs.map(pair).collect())
}

/// Undoes percent signs and the plus of forms.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).map(String::from_utf8_lossy).unwrap_or(Cow::Borrowed(""));
        let coded = (*first == b'%').then(|| u8::from_str_radix(&digits, 16).ok()).flatten();
        rest = if coded.is_some() { &after[2..] } else { after };
        bytes.push(coded.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_php_writes_it() {
        let query = form(b"packages%5B0%5D=acme%2Fone&packages[]=a+b&since=1&since=2&bad=%zz%4");
        assert_eq!(query.all("packages").collect::<Vec<_>>(), ["acme/one", "a b"]);
        assert_eq!(
            [query.first("since"), query.first("bad"), query.first("none")],
            [Some("1"), Some("%zz%4"), None]
        );
    }
}
