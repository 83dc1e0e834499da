//! What is said where the way to the command is cut short by somebody else.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::{OUTLAST, World};

#[test]
fn an_interrupt_is_no_fault_of_outlast_however_early_it_comes() {
    let world = World::new();
    world.outlast(&["exec", "-q", "--", "true"]).expect(0);
    for ms in 0..24 {
        let mut command = world.command(OUTLAST);
        let child = command.args(["exec", "--", "sleep", "60"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(ms));
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(!stderr.contains("fault of Outlast") && !stderr.contains("-v"), "{ms} ms: {stderr}");
        if stderr.contains("error: ") {
            assert_eq!(ended.status.code(), Some(130), "{ms} ms: {stderr}");
            assert!(
                stderr.contains("interrupted by signal 2") && stderr.contains("hint: "),
                "{ms} ms: {stderr}"
            );
        }
    }
}
