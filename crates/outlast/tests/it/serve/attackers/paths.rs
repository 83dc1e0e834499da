//! Paths and names that are not what they seem.

use super::Siege;
use crate::raw;

#[test]
fn a_path_that_climbs_or_hides_something_is_refused_and_nobody_is_asked() {
    let siege = Siege::new();
    let long = format!("/npm/{}", "a/".repeat(3000));
    for (path, status) in [
        ("/npm/../../../etc/passwd", 400),
        ("/files/files.example/../../etc/passwd", 400),
        ("/files/files.example/%2e%2e/%2e%2e/etc/passwd", 400),
        ("/files/files.example/..%2f..%2fetc%2fpasswd", 400),
        ("/files/files.example/a%5c..%5cb", 400),
        ("/files/files.example/a%00.txt", 400),
        ("/files/files.example/a%0d%0aX-Evil:%20yes", 400),
        ("/files/files.example/100%", 400),
        ("/files/..%2f..%2fetc/passwd", 400),
        ("/files/%2e%2e/etc/passwd", 400),
        ("/npm/left-pad%2f..%2f..%2fetc", 400),
        ("/npm/@a%2fb%2fc", 400),
        ("/pypi/simple/%2e%2e/%2e%2e/", 400),
        ("/cargo/..%2fconfig.json", 400),
        ("/composer/dists/../../x/1.0.0.0/a.zip", 400),
        ("/copies/../../etc/passwd", 401),
        (long.as_str(), 414),
        ("/files/", 404),
        ("/files//etc/passwd", 404),
        ("/files/localhost/etc/passwd", 404),
        ("/files/127.0.0.1/x", 404),
        ("/files/2130706433/x", 404),
        ("/files/[::1]/x", 404),
        ("/files/me@files.example/x", 404),
        ("/files/files.example:99999/x", 404),
        ("/files/files.example%2f@evil.example/x", 404),
        ("/etc/passwd", 404),
        ("//etc/passwd", 404),
        ("/npm", 404),
    ] {
        let got = siege.get(path);
        assert_eq!(got.status, status, "{path}: {got:?}");
        assert!(!got.text().contains("root:"), "{path}: {}", got.text());
    }
    // An address that is a number in other words is an address.
    for path in ["/files/0x7f.1/x", "/files/127.1.0x0.1/x"] {
        assert!([400, 404, 503].contains(&siege.get(path).status), "{path}");
    }
    assert_eq!(siege.upstream.log().len(), 0, "{:?}", siege.upstream.log());
    siege.assert_unharmed();
}

#[test]
fn the_server_answers_to_its_own_names_alone() {
    let siege = Siege::new();
    let ask = |head: &str| raw::exchange(&siege.served.base, format!("{head}\r\n\r\n").as_bytes()).status;
    for (head, status) in [
        ("GET /npm/left-pad HTTP/1.1\r\nHost: evil.example", 421),
        ("GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1.evil.example", 421),
        ("GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example", 421),
        ("GET /npm/left-pad HTTP/1.1\r\nHost:", 421),
        ("GET /npm/left-pad HTTP/1.1\r\nX: y", 421),
        ("GET http://evil.example/npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1", 501),
        ("CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 127.0.0.1", 501),
        ("PUT /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0", 403),
        ("DELETE /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1", 403),
        ("OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1", 404),
        ("GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1", 200),
    ] {
        assert_eq!(ask(head), status, "{head}");
    }
    siege.assert_unharmed();
}
