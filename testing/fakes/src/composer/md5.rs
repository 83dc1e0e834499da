//! MD5 (RFC 1321), which Composer names a manifest's content by.

use crate::archive::hex;

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Returns the digest in hex.
pub(super) fn md5(bytes: &[u8]) -> String {
    let mut message = bytes.to_vec();
    message.push(0x80);
    message.resize((bytes.len() + 9).next_multiple_of(64) - 8, 0);
    message.extend_from_slice(&(bytes.len() as u64 * 8).to_le_bytes());
    let sum = message.chunks_exact(64).fold(START, block);
    hex(&sum.map(u32::to_le_bytes).concat())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the table is of 32 bits, by definition"
)]
fn block(sum: [u32; 4], block: &[u8]) -> [u32; 4] {
    let word = |n: usize| {
        let bytes = &block[4 * n..4 * n + 4];
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    };
    let [mut a, mut b, mut c, mut d] = sum;
    for step in 0..64_usize {
        let (mix, n) = match step / 16 {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let sine = (f64::from(step as u32 + 1).sin().abs() * 4_294_967_296.0) as u32;
        let turned = a.wrapping_add(mix).wrapping_add(sine).wrapping_add(word(n % 16));
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(turned.rotate_left(SHIFTS[step / 16][step % 4]));
    }
    [sum[0].wrapping_add(a), sum[1].wrapping_add(b), sum[2].wrapping_add(c), sum[3].wrapping_add(d)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_suite_of_the_rfc_passes() {
        let check = |text: &str, expected: &str| assert_eq!(md5(text.as_bytes()), expected, "{text}");
        check("", "d41d8cd98f00b204e9800998ecf8427e");
        check("a", "0cc175b9c0f1b6a831c399e269772661");
        check("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
        check(&"1234567890".repeat(8), "57edf4a22be3c955ac49da2e2107b67a");
    }
}
