//! Answers of the server's own.

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderValue, Response, StatusCode, header};

/// Returns a page of text.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Outgoing> {
    answer(status, "text/plain; charset=utf-8", text.into())
}

/// Returns a refusal in the form that every refusal has.
pub(crate) fn refusal(status: StatusCode, error: &str, reason: &str, hint: &str) -> Response<Outgoing> {
    let body = serde_json::json!({ "error": error, "reason": reason, "hint": hint });
    answer(status, "application/json", body.to_string().into())
}

/// Returns a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Response<Outgoing> {
    let text = serde_json::to_vec(value).unwrap_or_default();
    answer(StatusCode::OK, "application/json", text.into())
}

/// Returns bytes of one type.
pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Outgoing> {
    let length = body.len();
    let mut response = Response::new(host::http::whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}
