//! Pages about the server itself.

use host::http::Outgoing;
use http::{Method, Response, StatusCode};

use crate::answer::{answer, refusal, text};
use crate::server::Server;
use crate::setup;

/// Returns whether anybody may see a page: it says nothing of what is kept, or of who asks for it.
pub(crate) fn is_open(path: &str) -> bool {
    path != "/metrics"
}

/// Returns the page of a path, `None` where it is none of the server's own.
pub(crate) fn page(server: &Server, method: &Method, path: &str) -> Option<Response<Outgoing>> {
    let page = match path {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" if server.is_ending() => text(StatusCode::SERVICE_UNAVAILABLE, "ending\n"),
        "/readyz" => text(StatusCode::OK, "ready\n"),
        "/metrics" => {
            answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", server.metrics.text().into())
        }
        "/" | "/setup" => text(StatusCode::OK, setup::page(&server.settings().site)),
        setup::CA_PATH => {
            let pem = server.settings().forward.as_ref()?.certifier.root_pem();
            answer(StatusCode::OK, "application/x-pem-file", pem.into())
        }
        _ => return None,
    };
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    Some(if is_read {
        page
    } else {
        let hint = "ask with GET";
        refusal(StatusCode::METHOD_NOT_ALLOWED, "refused", "this page can only be read", hint)
    })
}
