//! What nobody in a room, and above all not its root, may do to the machine's devices and to the kernel's settings.

use crate::probe::{Probe, User, is_root, outside};

/// Opens files for writing, writes nothing, and says which could be opened.
const OPEN: &str = r#"python3 -c '
import sys
for path in sys.argv[1:]:
    try: open(path, "r+b", 0).close(); print("open", path)
    except OSError as error: print(type(error).__name__, path)' "#;

#[test]
fn the_kernels_settings_cannot_be_written() {
    let settings = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
    ];
    let settings: Vec<&str> =
        settings.into_iter().filter(|path| std::path::Path::new(path).exists()).collect();
    assert!(settings.contains(&"/proc/sys/kernel/core_pattern"));
    // Read-only for a moment and for nobody else: the attempts that lift it must fail as well.
    let lift = "for point in /proc/sys /proc/sysrq-trigger /sys; do mount -o remount,bind,rw $point; umount -l $point; \
                unshare -m umount -l $point; done 2>/dev/null; ";
    let again = "mkdir /run/lock/p; unshare -p -f -m sh -c '(mount -t proc proc /run/lock/p || unshare -U -r mount -t proc \
                 proc /run/lock/p) && : >> /run/lock/p/sys/kernel/core_pattern && echo open again' 2>/dev/null";
    let open = format!("{OPEN} {}", settings.join(" "));
    let control = outside(&open);
    let control = String::from_utf8_lossy(&control.stdout);
    if control.contains("open") {
        assert!(control.contains("open /proc/sys/kernel/core_pattern"), "the control: {control}");
    }
    let before = std::fs::read("/proc/sys/kernel/core_pattern").unwrap();
    for script in [open.clone(), format!("{lift}{open}"), format!("{again}; {open}")] {
        let outcome = Probe::new(User::Caller, "").script(&script).run().good();
        assert_eq!(outcome.stdout.lines().count(), settings.len(), "{script}: {outcome:?}");
        assert!(!outcome.stdout.contains("open "), "{script}: {outcome:?}");
        assert_eq!(std::fs::read("/proc/sys/kernel/core_pattern").unwrap(), before, "{script}");
    }
    // They can be read, by everyone.
    for user in User::all() {
        let outcome = Probe::new(user, "").script("cat /proc/sys/kernel/ostype; ls /sys/class").run().good();
        assert!(outcome.stdout.starts_with("Linux\n"), "{outcome:?}");
    }
}

#[test]
fn there_is_no_disk_no_console_and_no_kernel_log() {
    if !is_root() {
        // Whoever is nobody outside is nobody inside: there they are seen, and not opened.
        let open = format!("{OPEN} $(find /dev -type b) /dev/kmsg /dev/loop-control /dev/console");
        let outcome = Probe::new(User::Caller, "").script(&open).run().good();
        assert!(outcome.stdout.lines().count() > 2 && !outcome.stdout.contains("open "), "{outcome:?}");
        let make = Probe::new(User::Caller, "").script("mknod /run/lock/disk b 254 0 2>/dev/null").run();
        assert_ne!(make.code, Some(0), "{make:?}");
        return;
    }
    let list = "find /dev -type b; cd /dev; ls -d loop-control kmsg console ttyS0 tty1 mem fuse vsock 2>/dev/null; true";
    let control = outside(list);
    assert!(!control.stdout.is_empty(), "the control: the machine has such devices");
    let outcome = Probe::new(User::Caller, "").script(list).run().good();
    assert_eq!(outcome.stdout, "", "{outcome:?}");
    // Nor can they be made.
    let make = "mknod /dev/disk b 254 0 2>/dev/null && head -c 1 /dev/disk; umount -l /dev 2>/dev/null; find /dev -type b";
    let outcome = Probe::new(User::Caller, "").script(make).run().good();
    assert_eq!(outcome.stdout, "", "{outcome:?}");
}

#[test]
fn the_devices_that_programs_need_work() {
    let script = r#"
set -e
echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; head -c 3 /dev/random | wc -c
(echo x > /dev/full) 2>/dev/null || echo full
echo fd | cat /dev/stdin /dev/fd/0; (echo out > /dev/stdout) | cat; (echo err > /dev/stderr) 2>&1 | cat
python3 -c '
import os, multiprocessing.shared_memory as shared
shared.SharedMemory(create=True, size=8).unlink()
master, slave = os.openpty()
print(os.isatty(slave), os.ttyname(slave)[:9]); os.write(master, b"x\n"); print(os.read(slave, 9))
os.close(os.open(os.ttyname(slave), os.O_RDWR | os.O_NOCTTY))'
"#;
    for user in User::all() {
        let outcome = Probe::new(user, "").script(script).run().good();
        assert_eq!(
            outcome.stdout, "3\n3\n3\nfull\nfd\nout\nerr\nTrue /dev/pts/\nb'x\\n'\n",
            "{user:?} {outcome:?}"
        );
    }
}
