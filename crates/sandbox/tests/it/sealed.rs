//! What *sealed* means: one way out each, open without a room and closed in it.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::probe::{Folder, Outcome, Probe, User, await_that, elsewhere, outside};

/// A script that prints what a service says at once, if it can be reached.
fn ping(path: &Path) -> String {
    format!(
        "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"{}\"); \
         print(s.recv(9).decode(), end=\"\")' 2>/dev/null",
        path.display()
    )
}

/// Runs a script in a room for each user.
fn for_each_user(options: &str, script: &str, check: impl Fn(User, Outcome)) {
    for user in User::all() {
        check(user, Probe::new(user, options).script(script).run());
    }
}

#[test]
fn an_inherited_descriptor_is_closed() {
    let folder = Folder::new();
    folder.make("open");
    let target = folder.write("target", "");
    let write = "echo leak >&9";
    outside(&format!("exec 9>>{}; sh -c '{write}'", target.display()));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "leak\n", "the control");
    let probe = env!("CARGO_BIN_EXE_sandbox-probe");
    let output = outside(&format!("exec 9>>{}; {probe} -- sh -c '{write}'", target.display()));
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "leak\n");
    let listed = Probe::new(User::Caller, "").script("ls /proc/self/fd").run().good();
    // Standard streams, and the folder that ls itself has open.
    assert_eq!(listed.stdout.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[test]
fn a_unix_socket_from_outside_is_out_of_reach() {
    let folder = Folder::new();
    let path = folder.join("service");
    let service = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    service.set_nonblocking(true).unwrap();
    let script = |address: &str| {
        format!("python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect({address})' 2>&1")
    };
    let by_path = script(&format!("\"{}\"", path.display()));
    assert!(outside(&by_path).status.success(), "the control");
    assert!(service.accept().is_ok(), "the control");
    for_each_user("", &by_path, |user, outcome| {
        assert_eq!(outcome.code, Some(1), "{user:?} {outcome:?}");
        assert!(outcome.has(&format!("masked {}", path.display())), "{outcome:?}");
        assert!(service.accept().is_err());
    });
    // An abstract one.
    let name = format!("sandbox-{:x}", u64::from_be_bytes(host::random::bytes()));
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name)
            .unwrap();
    let service = UnixListener::bind_addr(&address).unwrap();
    service.set_nonblocking(true).unwrap();
    let by_name = script(&format!("\"\\0{name}\""));
    assert!(outside(&by_name).status.success(), "the control");
    assert!(service.accept().is_ok(), "the control");
    for_each_user("", &by_name, |user, outcome| {
        assert_eq!(outcome.code, Some(1), "{user:?} {outcome:?}");
        assert!(service.accept().is_err());
    });
}

#[test]
fn a_unix_socket_of_another_network_namespace_is_out_of_reach() {
    let folder = Folder::new();
    let (shared, theirs) = (folder.make("shared"), folder.make("theirs"));
    let path = shared.join("service");
    // By the path that it has here, and as in a container, which has a folder of the machine under another name.
    let share = format!("mount --bind {} {}", shared.display(), theirs.display());
    for (mounts, bound) in [("", &path), (&*share, &theirs.join("service"))] {
        let serve = format!(
            "import os, socket\ns = socket.socket(socket.AF_UNIX); s.bind('{0}'); os.chmod('{0}', 0o777); s.listen()\n\
             while True: s.accept()[0].send(b'pong')",
            bound.display()
        );
        let _service = elsewhere(mounts, &serve);
        await_that("the service", || outside(&ping(&path)).stdout == b"pong");
        for_each_user("", &ping(&path), |user, outcome| {
            assert_eq!(outcome.stdout, "", "{user:?} {mounts} {outcome:?}");
            assert!(outcome.has(&format!("masked {}", path.display())), "{outcome:?}");
        });
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_unix_socket_of_the_rooms_own_works() {
    let script = r#"python3 -c '
import socket
a = socket.socket(socket.AF_UNIX); a.bind("/run/lock/own"); a.listen()
b = socket.socket(socket.AF_UNIX); b.connect("/run/lock/own"); b.send(b"x"); print(a.accept()[0].recv(1))
socket.socketpair()'"#;
    for_each_user("", script, |_, outcome| assert_eq!(outcome.good().stdout, "b'x'\n"));
}

#[test]
fn services_named_by_variables_are_hidden_and_not_named() {
    let folder = Folder::new();
    let runtime = folder.make("runtime");
    let _agent = UnixListener::bind(runtime.join("agent")).unwrap();
    let mut probe = Probe::new(User::Caller, "").script(
        "echo \"[$SSH_AUTH_SOCK][$XDG_RUNTIME_DIR][$DOCKER_HOST]\"; ls -A $XDG_RUNTIME_DIR $WAS; ls -A /run",
    );
    probe.command.env("SSH_AUTH_SOCK", runtime.join("agent")).env("XDG_RUNTIME_DIR", &runtime);
    probe.command.env("DOCKER_HOST", "unix:///var/run/docker.sock").env("WAS", &runtime);
    let outcome = probe.run().good();
    let own = format!("/run/user/{}", nix::unistd::geteuid());
    let expected = format!("[][{own}][]\n{own}:\n\n{}:\nlock\noutlast\nuser\n", runtime.display());
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&outcome.stdout), sorted(&expected), "{outcome:?}");
}

#[test]
fn the_hypervisors_sockets_are_denied() {
    let script = "python3 -c 'import socket; socket.socket(socket.AF_VSOCK)' 2>&1";
    let control = outside(script);
    if !control.status.success() {
        // Without the family there is no control; the filter itself has a unit test for every architecture.
        let text = String::from_utf8_lossy(&control.stdout).into_owned();
        assert!(text.contains("Errno 97") || text.contains("AF_VSOCK"), "{text}");
    }
    for_each_user("", script, |user, outcome| {
        assert_eq!(outcome.code, Some(1), "{user:?}");
        assert!(outcome.stdout.contains("Errno 97"), "{outcome:?}");
    });
}

#[test]
fn a_ring_is_denied() {
    let script = "python3 -c 'import ctypes; l = ctypes.CDLL(None, use_errno=True); \
                  print(l.syscall(425, 0, 0), ctypes.get_errno())'";
    let control = outside(script);
    assert!(String::from_utf8_lossy(&control.stdout).contains("-1 "), "the control: no entries is an error");
    for_each_user("", script, |_, outcome| assert_eq!(outcome.good().stdout, "-1 38\n"));
    assert!(
        !String::from_utf8_lossy(&control.stdout).contains("-1 38"),
        "the control: outside it is another error"
    );
}

#[test]
fn the_machines_loopback_is_out_of_reach_unless_allowed() {
    for address in ["127.0.0.1", "::1"] {
        let Ok(service) = TcpListener::bind((address, 0)) else { continue };
        service.set_nonblocking(true).unwrap();
        let port = service.local_addr().unwrap().port();
        let script = format!(
            "python3 -c 'import socket; socket.create_connection((\"{address}\", {port}), 5).sendall(b\"hello\")' 2>&1"
        );
        assert!(outside(&script).status.success(), "the control");
        assert!(service.accept().is_ok(), "the control");
        for_each_user("--port 80", &script, |user, outcome| {
            assert_eq!(outcome.code, Some(1), "{user:?} {outcome:?}");
            assert!(service.accept().is_err());
            assert!(
                !outcome.log.iter().any(|line| line.starts_with("refused")),
                "a build's own affair: {outcome:?}"
            );
        });
        // Both as a port of its own and as one that is terminated at other addresses.
        for options in [format!("--local {port}"), format!("--local {port} --port {port}")] {
            for_each_user(&options, &script, |_, outcome| {
                outcome.good();
                // The client was told that it is connected before this end of the bridge is.
                let (mut stream, _) = accepted(&service);
                stream.set_nonblocking(false).unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                assert_eq!(text, "hello");
            });
        }
    }
}

/// Accepts a connection that is on its way.
fn accepted(service: &TcpListener) -> (std::net::TcpStream, std::net::SocketAddr) {
    for _ in 0..500 {
        if let Ok(accepted) = service.accept() {
            return accepted;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nobody connected");
}

#[test]
fn terminated_ports_of_the_loopback_and_of_cloud_metadata_are_refused() {
    let script = "curl -sS http://169.254.169.254/latest/; curl -sS http://127.0.0.1/; curl -sS 'http://[fd00:ec2::254]/'; \
                  curl -sS http://203.0.113.1/";
    let outcome = Probe::new(User::Caller, "--port 80").script(script).run().good();
    assert_eq!(outcome.stdout, "Outlast as  at 203.0.113.1:80\n", "{outcome:?}");
    for line in
        ["refused tcp 169.254.169.254 80 ", "refused tcp 127.0.0.1 80 ", "refused tcp fd00:ec2::254 80 "]
    {
        assert!(outcome.has(line), "{outcome:?}");
    }
}

#[test]
fn a_raw_address_is_refused_and_listed() {
    let script = r#"python3 - <<'E'
import socket
for address, port in (("1.1.1.1", 22), ("2606:4700:4700::1111", 22), ("git.example", 22), ("127.0.0.1", 22)):
    try: socket.create_connection((address, port), 5); print("connected")
    except ConnectionRefusedError: print("refused")
E"#;
    for_each_user("--port 80", script, |_, outcome| {
        let outcome = outcome.good();
        assert_eq!(outcome.stdout, "refused\n".repeat(4), "{outcome:?}");
        for line in [
            "refused tcp 1.1.1.1 22 ",
            "refused tcp 2606:4700:4700::1111 22 ",
            "refused tcp 198.18.0.16 22 git.example",
        ] {
            assert!(outcome.has(line), "{line}: {outcome:?}");
        }
        assert!(!outcome.has("refused tcp 127.0.0.1 22 "));
    });
    // A connection that was taken and ends is no refusal.
    let outcome = Probe::new(User::Caller, "--port 80").script("curl -sS http://a.example/").run().good();
    assert!(!outcome.log.iter().any(|line| line.starts_with("refused")), "{outcome:?}");
}

#[test]
fn datagrams_reach_nobody_and_are_listed() {
    let service = UdpSocket::bind("127.0.0.1:0").unwrap();
    service.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
    let port = service.local_addr().unwrap().port();
    let script = format!(
        "python3 -c 'import socket
for host in (\"127.0.0.1\", \"9.9.9.9\", \"2620:fe::9\"):
    s = socket.socket(socket.AF_INET6 if \":\" in host else socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b\"x\", (host, {port}))'"
    );
    outside(&script);
    assert!(service.recv(&mut [0; 4]).is_ok(), "the control");
    for_each_user("", &script, |_, outcome| {
        let outcome = outcome.good();
        assert!(service.recv(&mut [0; 4]).is_err());
        for line in [format!("refused udp 9.9.9.9 {port} "), format!("refused udp 2620:fe::9 {port} ")] {
            assert!(outcome.has(&line), "{outcome:?}");
        }
    });
}

#[test]
fn a_masked_folder_is_empty_and_nobody_can_lift_the_mask() {
    let folder = Folder::new();
    let home = folder.make("home");
    let key = folder.write("home/key", "secret");
    assert!(outside(&format!("cat {}", key.display())).status.success(), "the control");
    let attempts = [
        "cat KEY",
        "echo x > HOME/new",
        "umount HOME; cat KEY",
        "umount -l HOME; cat KEY",
        "cat /proc/1/root/KEY",
        "mkdir -p /run/lock/m; mount --bind BASE /run/lock/m && cat /run/lock/m/home/key",
        "unshare -m sh -c 'umount HOME; cat KEY'",
        "unshare -Ur -m sh -c 'umount HOME; cat KEY'",
        "mount -t tmpfs -o remount,rw tmpfs HOME && echo x > HOME/new",
    ];
    for attempt in attempts {
        let attempt = attempt
            .replace("KEY", key.to_str().unwrap())
            .replace("HOME", home.to_str().unwrap())
            .replace("BASE", folder.path().to_str().unwrap());
        let script = format!("{attempt}; echo done");
        for_each_user(&format!("--mask {}", home.display()), &script, |user, outcome| {
            assert!(outcome.stdout.ends_with("done\n"), "{user:?} {attempt}: {outcome:?}");
            assert!(!outcome.stdout.contains("secret"), "{user:?} {attempt}: {outcome:?}");
            assert!(outcome.has(&format!("masked {}", home.display())));
        });
        assert!(!home.join("new").exists(), "{attempt}");
    }
}

#[test]
fn not_even_root_changes_a_route_or_the_loopback() {
    let script = "ip route flush table local; ip link set lo down; ip route add 1.1.1.1 dev lo; \
                  curl -sS http://203.0.113.1/";
    let outcome = Probe::new(User::Caller, "--port 80").script(script).run().good();
    assert_eq!(outcome.stdout, "Outlast as  at 203.0.113.1:80\n", "{outcome:?}");
    assert_eq!(outcome.stderr.matches("Operation not permitted").count(), 3, "{outcome:?}");
}

#[test]
fn processes_outside_are_not_seen() {
    let own = std::process::id();
    let script = format!(
        "test -d /proc/{own} && grep -q sandbox /proc/{own}/comm && echo seen; ls /proc/1/root; kill -0 {own}"
    );
    for_each_user("", &script, |_, outcome| {
        assert_eq!(outcome.stdout, "", "{outcome:?}");
        assert_ne!(outcome.code, Some(0));
    });
}
