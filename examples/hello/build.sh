#!/bin/sh
# Builds the Cargo part and, where npm is installed, the npm part. Knows nothing of Outlast.
set -eu
cargo build --release --locked
mkdir -p out
cp target/release/hello out/hello
./out/hello
if command -v npm >/dev/null; then
    (cd web && npm ci --no-audit --no-fund && node hello.js >../out/hello.txt)
    cat out/hello.txt
fi
