"""The outcome of each test of a unittest suite, a line each, in the file $OUTCOMES names; as outcomes.py does it
for pytest."""

import os

_FILE = open(os.environ["OUTCOMES"], "w", encoding="utf-8")


class Recorded:
    """Mixed into the class of results that a suite's own runner has."""

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
