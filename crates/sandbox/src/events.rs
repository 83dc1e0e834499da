//! What happens in a room, as its owner hears it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use model::Refused;
use tokio::net::TcpStream;

/// Hears what the command in a room does, and answers it.
pub trait Events: Send + Sync + 'static {
    /// Takes over a connection that the command made; called on the runtime, must not block.
    fn connection(&self, connection: Connection);

    /// Says whether a name exists. Called once per lookup; names of the machine itself are not asked for.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;

    /// Hears of something that was refused; each address, port and protocol is told once.
    fn refused(&self, refused: Refused);

    /// Hears that something was refused, and that too much was before to tell what.
    fn refused_more(&self) {}
}

/// A resolution on its way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = Resolution> + Send + 'a>>;

/// Whether a name exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It does, and gets an address of the room.
    Answer,
    /// It is known not to exist.
    Nxdomain,
    /// Nobody knows.
    Unknown,
}

/// A connection of the command to a terminated port.
#[derive(Debug)]
pub struct Connection {
    /// The accepted connection.
    pub stream: TcpStream,
    /// Where the command believes it goes.
    pub address: SocketAddr,
    /// The name for which `address` was given out, if it was.
    pub looked_up: Option<String>,
}
