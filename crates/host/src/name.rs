//! Names as this machine's resolver sees them: whether one exists, and a plain connection to it.

use std::io;

/// Returns whether a host name resolves; an error means that nobody could say.
pub async fn exists(name: &str) -> io::Result<bool> {
    match tokio::net::lookup_host((name, 0)).await {
        Ok(mut found) => Ok(found.next().is_some()),
        Err(error) if is_no_such_name(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Connects to a host that is not looked into: whoever configured it has allowed it.
pub(crate) async fn connect(name: &str, port: u16) -> io::Result<tokio::net::TcpStream> {
    let stream = tokio::net::TcpStream::connect((name, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns whether a lookup failed because the name does not exist: getaddrinfo's EAI_NONAME and EAI_NODATA reach std
/// as text only.
pub(crate) fn is_no_such_name(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("Name or service not known") || text.contains("No address associated")
}
