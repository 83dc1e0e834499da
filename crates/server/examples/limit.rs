//! The least that any server in Rust does: the same bytes from memory for every request. `cargo xtask bench doors` measures the
//! server beside it.
//!
//! `limit FILE CONTENT-TYPE [CONTENT-ENCODING]`; the first line on stdout is `listening http://IP:PORT`.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is how its caller learns the port")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let body = Bytes::from(std::fs::read(arguments.get(1).ok_or("no file")?)?);
    let kind = HeaderValue::try_from(arguments.get(2).ok_or("no content type")?)?;
    let encoding = arguments.get(3).map(HeaderValue::try_from).transpose()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (body, kind, encoding) = (body.clone(), kind.clone(), encoding.clone());
        let service = service_fn(move |_| {
            let mut response = Response::new(Full::new(body.clone()));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, kind.clone());
            if let Some(encoding) = &encoding {
                headers.insert(header::CONTENT_ENCODING, encoding.clone());
            }
            std::future::ready(Ok::<_, Infallible>(response))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
