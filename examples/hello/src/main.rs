//! Says hello, with a little help from crates.io.

use unicode_width::UnicodeWidthStr;

fn main() {
    let name = "world — 世界";
    let mut numbers = itoa::Buffer::new();
    let width = numbers.format(name.width());
    println!("hello, {name} ({width} columns, {})", hex::encode(fastrand::Rng::with_seed(7).u32(..).to_be_bytes()));
}
