"""A pytest plugin: the outcome of each test, a line each, in the file $OUTCOMES names."""

import os

import pytest

_FILE = open(os.environ["OUTCOMES"], "w", encoding="utf-8")
_SEEN = {}
# The worst of a test's phases counts.
_RANK = {"passed": 0, "skipped": 1, "failed": 2}


@pytest.hookimpl
def pytest_runtest_logreport(report):
    outcome, why = _SEEN.get(report.nodeid, ("passed", ""))
    if _RANK[report.outcome] > _RANK[outcome]:
        outcome = report.outcome
        why = str(report.longrepr).strip().splitlines()[-1:] or [""]
        why = why[0]
    _SEEN[report.nodeid] = (outcome, why)
    if report.when == "teardown":
        print(report.nodeid, outcome, why, sep="\t", file=_FILE, flush=True)


@pytest.hookimpl
def pytest_collectreport(report):
    if report.failed:
        print(report.nodeid, "failed", "it cannot be collected", sep="\t", file=_FILE, flush=True)
