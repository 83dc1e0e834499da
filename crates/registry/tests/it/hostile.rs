//! Paths, names and documents made to hurt.

use std::fmt::Write as _;

use http::Method;
use registry::{Class, INDEX_BYTES_MAX, LOCK_BYTES_MAX, LockError, read_locks};

use crate::ask;

const ITOA: &str = "https://index.crates.io/it/oa/itoa";
const LOG: &str = "https://repo.packagist.org/p2/psr/log.json";
const PACKAGIST: &str = "https://repo.packagist.org/packages.json";
const LEFT_PAD: &str = "https://registry.npmjs.org/left-pad";
const SIX: &str = "https://pypi.org/simple/six/";
const SIX_JSON: &str = "https://pypi.org/pypi/six/json";

#[test]
fn a_hostile_path_is_refused_on_every_host() {
    for host in
        ["index.crates.io", "registry.npmjs.org", "repo.packagist.org", "api.github.com", "example.com"]
    {
        let check = |path: &str, expected: Option<u16>| {
            let got = match ask(&Method::GET, &format!("https://{host}{path}")).1 {
                Class::Refuse { status, .. } => Some(status),
                _ => None,
            };
            assert_eq!(got, expected, "{host}{path}");
        };
        check("/..%2f..%2fetc%2fpasswd", Some(400));
        check("/a/-/..%2fa-1.0.0.tgz", Some(400));
        check("/it/oa/itoa%00", Some(400));
        check("/it/oa/itoa%0a", Some(400));
        check("/it%5coa%5citoa", Some(400));
        check("/100%", Some(400));
        check(&format!("/{}", "a/".repeat(3000)), Some(414));
        check("/it/oa/itoa", None);
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_the_end_of_the_stack() {
    let deep = |open: &str| open.repeat(INDEX_BYTES_MAX / 2 / open.len());
    for (url, body) in [
        (ITOA, deep("[")),
        (ITOA, deep("{\"name\":")),
        (ITOA, format!("{{\"name\":\"itoa\",\"deps\":{}", deep("["))),
        (LOG, deep("[")),
        (LOG, deep("{\"packages\":")),
        (LOG, format!("{{\"packages\":{{\"psr/log\":{}", deep("["))),
        (LOG, format!("{{\"packages\":{{\"psr/log\":[{{\"version\":\"1\",\"dist\":{}", deep("{\"a\":"))),
        (PACKAGIST, deep("[")),
        (PACKAGIST, format!("{{\"packages\":{}", deep("{\"a/b\":"))),
        (SIX, deep("<a ")),
        (SIX, deep("<!--")),
        (SIX, deep("{\"files\":")),
        (SIX, format!("{{\"name\":\"six\",\"files\":{}", deep("["))),
        (SIX, format!("{{\"name\":\"six\",\"files\":[{{\"core-metadata\":{}", deep("[{\"a\":"))),
        (SIX_JSON, deep("[")),
        (SIX_JSON, format!("{{\"info\":{{\"name\":\"six\"}},\"urls\":[],\"releases\":{}", deep("[{\"a\":"))),
        (LEFT_PAD, deep("[")),
        (LEFT_PAD, deep("{\"versions\":")),
        (LEFT_PAD, format!("{{\"name\":\"left-pad\",\"readme\":{}", deep("[{\"a\":"))),
        (LEFT_PAD, format!("{{\"name\":\"left-pad\",\"versions\":{{\"1.0.0\":{{\"x\":{}", deep("["))),
    ] {
        let (ecosystem, Class::Index(request)) = ask(&Method::GET, url) else {
            panic!("{url} is no index");
        };
        assert!(ecosystem.read_index(&request, body.as_bytes()).is_err(), "{url} {}", &body[..40]);
    }
    for (file_name, open) in [
        ("package-lock.json", "{\"dependencies\":{\"a\":"),
        ("package-lock.json", "{\"packages\":{\"a\":"),
        ("package-lock.json", "["),
        ("composer.lock", "{\"packages\":[{\"dist\":"),
        ("composer.lock", "{\"packages\":[{\"x\":["),
        ("uv.lock", "a = ["),
        ("poetry.lock", "a = {a="),
        ("pylock.toml", "a = ["),
        ("Pipfile.lock", "{\"default\":{\"a\":"),
        ("Pipfile.lock", "{\"_meta\":["),
        ("Cargo.lock", "a = ["),
        ("Cargo.lock", "a = {a="),
    ] {
        let body = open.repeat(100_000);
        assert!(read_locks(file_name, body.as_bytes()).unwrap().is_err(), "{file_name} {open}");
    }
    let brackets = format!("a = {}", "[".repeat(100_000));
    assert!(read_locks("Cargo.lock", brackets.as_bytes()).unwrap().is_err());
    let values = format!(
        "{{\"packages\":{{\"node_modules/a\":{{\"version\":{}1{}}}}}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(read_locks("package-lock.json", values.as_bytes()).unwrap().is_err());
}

#[test]
fn a_lock_above_the_limit_is_an_error() {
    let body = vec![b' '; LOCK_BYTES_MAX + 1];
    let lock = read_locks("Cargo.lock", &body).unwrap();
    assert!(matches!(lock, Err(LockError::TooLarge { .. })), "{lock:?}");
}

#[test]
fn a_lock_that_names_more_than_any_lock_is_an_error() {
    let n_most = LOCK_BYTES_MAX / 64;
    let read =
        |line: &str, n_lines: usize| read_locks("requirements.txt", line.repeat(n_lines).as_bytes()).unwrap();
    let most = read("a\n", n_most).unwrap();
    assert_eq!((most.pins.len(), most.unpinned.len()), (0, 1));
    assert!(matches!(read("a\n", n_most + 1), Err(LockError::ManyNamed)));
}

#[test]
fn the_largest_real_packument_is_no_trouble() {
    // As large as the largest packument seen, with as many versions.
    let mut body = "{\"name\":\"left-pad\",\"readme\":\"".to_owned();
    body.push_str(&"x".repeat(1_000_000));
    body.push_str("\",\"versions\":{");
    for n in 0..4000 {
        let separator = if n == 0 { "" } else { "," };
        write!(
            body,
            "{separator}\"1.0.{n}\":{{\"name\":\"left-pad\",\"scripts\":{{\"x\":\"{}\"}},\
             \"dist\":{{\"shasum\":\"{n:040x}\",\"tarball\":\"https://registry.npmjs.org/left-pad/-/left-pad-1.0.{n}.tgz\"}}}}",
            "y".repeat(5000)
        )
        .unwrap();
    }
    body.push_str("}}");
    assert!(body.len() > 20_000_000, "{}", body.len());
    let (ecosystem, Class::Index(request)) = ask(&Method::GET, LEFT_PAD) else {
        panic!("no index");
    };
    let facts = ecosystem.read_index(&request, body.as_bytes()).unwrap();
    assert_eq!((facts.versions.len(), facts.vouched.len()), (4000, 4000));
}

/// Large enough that a reader which takes more than linear time does not come back within the hour.
const HOSTILE_BYTES: usize = 4 * 1024 * 1024;

#[test]
fn a_page_of_nothing_but_one_piece_is_read_in_linear_time() {
    let fill = |start: &str, piece: &str, end: &str| {
        let n_pieces = (HOSTILE_BYTES - start.len() - end.len()) / piece.len();
        format!("{start}{}{end}", piece.repeat(n_pieces))
    };
    let page = "<title>Links for six</title>";
    for (start, piece, end) in [
        ("<a href=\"", "&", "\">six-1.0.zip</a></html>"),
        ("<a href=x>", "&#", "</a></html>"),
        ("<a ", "a ", ">six-1.0.zip</a></html>"),
        (page, "<a></a>", "</html>"),
        (page, "<a href=x>six-1.0.zip</a>", "</html>"),
        (page, "<a x>", "</b></html>"),
        (page, "</", "</html>"),
        ("<a href=x>", "-", ".zip</a></html>"),
        ("<a href=x>six-", "1.", ".zip</a></html>"),
        ("{\"name\":\"six\",\"files\":[{}", ",{}", "]}"),
        (
            "{\"name\":\"six\",\"files\":[",
            "{\"filename\":\"\",\"url\":\"\"},",
            "{\"filename\":\"\",\"url\":\"\"}]}",
        ),
        ("{\"name\":\"six\",\"meta\":{\"_last-serial\":[1", ",1", "]},\"files\":[]}"),
    ] {
        let body = fill(start, piece, end);
        let (ecosystem, Class::Index(request)) = ask(&Method::GET, SIX) else {
            panic!("no index");
        };
        let n_files = ecosystem.read_index(&request, body.as_bytes()).map_or(0, |facts| facts.vouched.len());
        assert!(n_files <= 1, "{start}{piece}{end}");
    }
}
