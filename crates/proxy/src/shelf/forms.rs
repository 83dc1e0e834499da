//! The forms in which something leaves: as it is, and compressed once for all who take it so.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use model::Sha256;

/// Below this a packet carries it as it is.
const COMPRESSED_BYTES_MIN: usize = 860;
/// What is compressed in memory; the largest packument has 21 MB.
const COMPRESSED_BYTES_MAX: usize = 32 << 20;

/// What leaves: headers and body belong together.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What forms are made of.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// As its upstream has it, for another Outlast.
    pub(crate) is_as_sent: bool,
}

/// What is ready to leave.
#[derive(Debug)]
pub(crate) struct Forms {
    /// Not here where the compressed form is so much smaller that it alone is worth the room.
    plain: Option<Form>,
    gzip: Option<Form>,
    made_of: Sha256,
}

impl Forms {
    /// Makes them, none larger than `size_bytes_max`. What was compressed `before` of the same bytes is not compressed again.
    pub(crate) fn make(bare: Bare, before: Option<&Self>, size_bytes_max: usize) -> Option<Self> {
        let Bare { mut headers, body, is_as_sent } = bare;
        let made_of = Sha256::of(&body);
        let known = before.filter(|before| before.made_of == made_of).and_then(|before| before.gzip.as_ref());
        let gzip = match known.filter(|_| is_compressible(&headers, &body)) {
            Some(form) => Some(form.body.clone()),
            None => compressed(&headers, &body),
        };
        if gzip.is_some() {
            headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        let gzip = gzip.filter(|body| body.len() <= size_bytes_max).map(|body| {
            let mut headers = headers.clone();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.remove(header::ACCEPT_RANGES);
            // Another Outlast unpacks it, and keeps the upstream's tag with the upstream's bytes.
            if !is_as_sent && let Some(tag) = headers.get(header::ETAG).and_then(tag_of_gzip) {
                headers.insert(header::ETAG, tag);
            }
            with_length(headers, body)
        });
        let plain = (body.len() <= size_bytes_max).then(|| with_length(headers, body));
        (plain.is_some() || gzip.is_some()).then_some(Self { plain, gzip, made_of })
    }

    /// Returns the one for a client.
    pub(crate) fn one(&self, accepts_gzip: bool) -> Option<&Form> {
        if accepts_gzip { self.gzip.as_ref().or(self.plain.as_ref()) } else { self.plain.as_ref() }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.plain.iter().chain(&self.gzip).map(|form| form.body.len()).sum()
    }
}

fn with_length(mut headers: HeaderMap, body: Bytes) -> Form {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Form { headers, body }
}

fn is_compressible(headers: &HeaderMap, body: &Bytes) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text =
        kind.starts_with("text/") || kind.contains("json") || kind.contains("xml") || kind.contains("html");
    let is_worth_it = (COMPRESSED_BYTES_MIN..=COMPRESSED_BYTES_MAX).contains(&body.len());
    is_text && is_worth_it && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Returns a document compressed, where that saves anything.
fn compressed(headers: &HeaderMap, body: &Bytes) -> Option<Bytes> {
    if !is_compressible(headers, body) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    encoder.write_all(body).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < body.len()).then(|| compressed.into())
}

/// Returns the tag of the compressed form: a strong one is of these bytes and no others (RFC 9110 §8.8.3).
fn tag_of_gzip(tag: &HeaderValue) -> Option<HeaderValue> {
    let text = tag.to_str().ok()?;
    if text.starts_with("W/") {
        return Some(tag.clone());
    }
    HeaderValue::try_from(format!("{}-gzip\"", text.strip_suffix('"')?)).ok()
}

/// Returns whether a client takes gzip: RFC 9110 §12.5.3, without weighing what it likes better.
pub(crate) fn accepts_gzip(client: &HeaderMap) -> bool {
    let mut codings = client.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.any(|value| {
        value.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let is_refused = weight.trim().trim_start_matches("q=").parse::<f32>().is_ok_and(|q| q == 0.0);
            matches!(name.trim(), "gzip" | "x-gzip" | "*") && !is_refused
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(kind: &str, body: impl Into<Bytes>, before: Option<&Forms>) -> Forms {
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, kind.parse().unwrap()),
            (header::ETAG, "\"x\"".parse().unwrap()),
        ]);
        Forms::make(Bare { headers, body: body.into(), is_as_sent: false }, before, 1 << 20).unwrap()
    }

    #[test]
    fn a_document_is_ready_in_both_forms_with_a_tag_each() {
        let body = Bytes::from("{\"a\":1}".repeat(1000));
        let forms = make("application/json", body.clone(), None);
        let plain = forms.one(false).unwrap();
        assert_eq!((&plain.body, &plain.headers[header::ETAG]), (&body, &"\"x\"".parse().unwrap()));
        assert_eq!(plain.headers[header::VARY], "accept-encoding");
        let gzip = forms.one(true).unwrap();
        let mut decoded = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*gzip.body), &mut decoded).unwrap();
        assert_eq!(decoded, body);
        assert_eq!(gzip.headers[header::ETAG], "\"x-gzip\"");
        assert_eq!(gzip.headers[header::CONTENT_LENGTH], gzip.body.len().to_string().as_str());
        // What does not get smaller, and what is no text, has one form.
        let file = make("application/octet-stream", body, None);
        assert!(!file.one(true).unwrap().headers.contains_key(header::CONTENT_ENCODING));
        let small = make("text/plain", "small", None);
        assert!(!small.one(true).unwrap().headers.contains_key(header::VARY));
    }

    #[test]
    fn the_same_bytes_are_compressed_once() {
        let body = "{\"a\":1}".repeat(1000);
        let first = make("application/json", body.clone(), None);
        let place = |forms: &Forms| forms.one(true).unwrap().body.as_ptr();
        assert_eq!(place(&make("application/json", body.clone(), Some(&first))), place(&first));
        assert_ne!(place(&make("application/json", body.replace('1', "2"), Some(&first))), place(&first));
        let binary = make("application/octet-stream", body, Some(&first));
        assert!(!binary.one(true).unwrap().headers.contains_key(header::CONTENT_ENCODING));
    }

    #[test]
    fn what_a_client_accepts_is_read_as_it_is_written() {
        for (value, expected) in [
            ("gzip, deflate, br", true),
            ("x-gzip", true),
            ("*", true),
            ("gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
