//! Writes programs for the kernel's classic packet filter (BPF), which also judges system calls, with names to jump to.

use libc::sock_filter;

pub(super) const LOAD_WORD: u16 = 0x20;
pub(super) const LOAD_HALF: u16 = 0x28;
pub(super) const LOAD_BYTE: u16 = 0x30;
pub(super) const LOAD_WORD_X: u16 = 0x40;
pub(super) const LOAD_HALF_X: u16 = 0x48;
pub(super) const LOAD_BYTE_X: u16 = 0x50;
/// Loads four times the low half of a byte into X: the length of an IPv4 header.
pub(super) const LOAD_X_HEADER: u16 = 0xb1;
pub(super) const AND: u16 = 0x54;
pub(super) const EQUAL: u16 = 0x15;
pub(super) const AT_LEAST: u16 = 0x35;
pub(super) const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Goes on with the following step.
pub(super) const NEXT: &str = "";

/// One line of a program.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A place to jump to.
    Label(&'static str),
    /// An instruction without a jump.
    Do(u16, u32),
    /// A test, where to go if it holds, and where if not; only forward.
    If(u16, u32, &'static str, &'static str),
    /// The verdict.
    Return(u32),
}

/// Returns the program's instructions.
///
/// # Panics
/// If a label is missing or farther than 255 instructions; the programs are constants that tests assemble.
pub(super) fn assemble(steps: &[Step]) -> Vec<sock_filter> {
    let distance = |from: usize, label: &str| -> u8 {
        if label == NEXT {
            return 0;
        }
        let to = steps[from..].iter().position(|step| matches!(step, Step::Label(name) if *name == label));
        let to = to.expect("every label stands below its use");
        let between =
            steps[from + 1..from + to].iter().filter(|step| !matches!(step, Step::Label(_))).count();
        u8::try_from(between).expect("a jump is shorter than 256 instructions")
    };
    let instruction = |(at, step): (usize, &Step)| match *step {
        Step::Label(_) => None,
        Step::Do(code, k) => Some(sock_filter { code, jt: 0, jf: 0, k }),
        Step::If(code, k, yes, no) => {
            Some(sock_filter { code, jt: distance(at, yes), jf: distance(at, no), k })
        }
        Step::Return(k) => Some(sock_filter { code: RETURN, jt: 0, jf: 0, k }),
    };
    steps.iter().enumerate().filter_map(instruction).collect()
}

/// Returns what the kernel takes for a program.
pub(super) fn program(instructions: &[sock_filter]) -> libc::sock_fprog {
    libc::sock_fprog {
        len: u16::try_from(instructions.len()).unwrap_or(0),
        filter: instructions.as_ptr().cast_mut(),
    }
}
