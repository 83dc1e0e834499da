#!/bin/sh
# Fetches 182 crates and 313 npm packages. Knows nothing of Outlast.
set -eu
cargo fetch --locked
(cd web && npm ci --ignore-scripts --no-audit --no-fund)
