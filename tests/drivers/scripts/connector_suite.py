"""Connector/Python's own tests against one server, its runner made to write outcomes as outcomes.py does.

Arguments: HOST PORT USER PASSWORD, then a regular expression of the modules' names, or nothing for all.
The working folder is that of the unpacked source.
"""

import os
import sys

sys.path.insert(0, os.getcwd())

import unittests  # noqa: E402  (the source's own)

_FILE = open(os.environ["OUTCOMES"], "w", encoding="utf-8")


class Result(unittests.BasicTestResult):
    """Its runner keeps no names of what passed."""

    def _note(self, test, outcome, why=""):
        lines = str(why).strip().splitlines() or [""]
        print(test.id(), outcome, lines[-1], sep="\t", file=_FILE, flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._note(test, "passed")

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "failed", f"{err[0].__name__}: {err[1]}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "failed", f"{err[0].__name__}: {err[1]}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)


host, port, user, password, *modules = sys.argv[1:]
unittests.BasicTestRunner.resultclass = Result
sys.argv = ["unittests.py", "--use-external-server", "--skip-install", f"--host={host}", f"--port={port}"]
sys.argv += [f"--user={user}", f"--password={password}"]
if modules:
    sys.argv += ["--test-regex", modules[0]]
unittests.main()
