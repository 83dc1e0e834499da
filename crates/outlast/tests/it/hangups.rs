//! Clients that end a connection before they ask for anything: what is said of each.

use fakes::{Answer, Upstream};

use crate::world::{World, need};

const HOST: &str = "web.example";
const DISTRUST: &str = "web.example: the client did not trust the run's certificate";
const HANG_UP: &str = "web.example: the client hung up before it asked for anything, and did not say why";

/// Says hello, and hangs up without another word.
const HELLO: &str = "
import socket, ssl
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname='web.example')
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    pass
with socket.create_connection(('web.example', 443)) as stream:
    stream.sendall(outgoing.read())
";
/// Agrees on everything, and asks for nothing.
const AGREE: &str = "
import socket, ssl
with socket.create_connection(('web.example', 443)) as stream:
    ssl.create_default_context().wrap_socket(stream, server_hostname='web.example').close()
";

#[test]
fn only_an_alert_says_that_the_certificate_is_not_trusted() {
    need("python3");
    let check = |command: &[&str], code: i32, said: &[&str]| {
        let (world, upstream) = (World::new(), Upstream::start_blocking());
        world.place(&upstream, &[HOST]);
        upstream.put(HOST, "/", Answer::text("here\n"));
        let done = world.outlast(&[&["exec", "--"], command].concat()).expect(code);
        for line in [DISTRUST, HANG_UP] {
            assert_eq!(done.stderr.contains(line), said.contains(&line), "{command:?}: {}", done.stderr);
        }
    };
    check(&["python3", "-c", HELLO], 0, &[HANG_UP]);
    check(&["python3", "-c", AGREE], 0, &[HANG_UP]);
    let distrust = ["curl", "-sS", "--cacert", "../upstream-ca.pem", "https://web.example/"];
    check(&distrust, 60, &[DISTRUST]);
    // Whoever said so once need not be guessed about.
    let both = format!("{}; python3 -c \"{HELLO}\"", distrust.join(" "));
    check(&["sh", "-c", &both], 0, &[DISTRUST]);
    check(&["curl", "-sS", "--fail", "https://web.example/"], 0, &[]);
}
