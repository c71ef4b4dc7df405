"""Runs the tests of a Rust crate and writes their outcomes as outcomes.py does.

Arguments: the arguments of `cargo test`. The working folder is the crate's. $VARIANTS names the ways to run them
in, each with the variables it sets: `plain` or `tls:SSL=true,COMPRESS=true`, separated by spaces.
"""

import os
import re
import subprocess
import sys

_BINARY = re.compile(r"^\s+Running (?:unittests )?(\S+)")
# What a test prints comes between its name and its outcome only where nothing is captured.
_TEST = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)")
_OUTCOMES = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
# A test that hangs shall not hang whoever waits for it.
_LIMIT = "1200"


def run(variant, arguments, file):
    """One pass over all tests."""
    name, _, settings = variant.partition(":")
    environment = dict(os.environ, **dict(pair.split("=", 1) for pair in settings.split(",") if pair))
    command = ["timeout", "--kill-after=10", _LIMIT, os.environ.get("CARGO", "cargo"), "test", *arguments]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    binary, outcomes, reasons, failing = "", {}, {}, None
    for line in process.stdout:
        print(line, end="", flush=True)
        if match := _BINARY.match(line):
            binary = match[1].removesuffix(".rs").removeprefix("tests/").replace("/", "::")
        elif match := _TEST.match(line):
            outcomes[f"{name} {binary}::{match[1]}"] = _OUTCOMES[match[2]]
        elif match := re.match(r"^---- (\S+) stdout ----", line):
            failing = f"{name} {binary}::{match[1]}"
        elif line.startswith(("failures:", "test result:")):
            failing = None
        elif failing and line.strip() and not line.startswith(("note:", "stack backtrace")):
            reasons.setdefault(failing, []).append(line.strip())
    process.wait()
    for test, outcome in sorted(outcomes.items()):
        why = " ".join(reasons.get(test, []))[:500].replace("\t", " ")
        print(test, outcome, why, sep="\t", file=file, flush=True)
    if process.returncode == 124:
        print(f"{name} the end of it", "failed", f"not after {_LIMIT} seconds", sep="\t", file=file, flush=True)


with open(os.environ["OUTCOMES"], "w", encoding="utf-8") as outcomes_file:
    for each in os.environ["VARIANTS"].split():
        run(each, sys.argv[1:], outcomes_file)
