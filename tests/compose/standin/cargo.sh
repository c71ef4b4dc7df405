#!/bin/bash
# Stands for cargo in the stand-in for the Rust image: compiling needs a toolchain, 250 crates and
# minutes. What the image would be built from is checked, and what this machine has built is handed over.
set -eu
if [ "$*" != 'build --release --locked --bin headgate' ]; then
    echo "the stand-in for cargo does not know: cargo $*" >&2
    exit 1
fi
# Fails where a file is missing that Cargo.toml names.
/opt/rust/cargo read-manifest >/dev/null
for file in Cargo.lock src/main.rs src/lib.rs; do
    [ -f "$file" ] || { echo "$file is not in the build context" >&2 && exit 1; }
done
for file in .git target docs; do
    [ ! -e "$file" ] || { echo "$file should not be in the build context" >&2 && exit 1; }
done
mkdir -p target/release
cp /opt/rust/headgate target/release/headgate
