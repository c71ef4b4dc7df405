"""Connector/Python's own tests against one server, its runner made to write outcomes as outcomes.py does.

Arguments: HOST PORT USER PASSWORD, then a regular expression of the modules' names, or nothing for all.
The working folder is that of the unpacked source.
"""

import os
import sys

sys.path.insert(0, os.getcwd())

import unittests  # noqa: E402  (the source's own)

from recorded import Recorded  # noqa: E402


class Result(Recorded, unittests.BasicTestResult):
    """Its runner keeps no names of what passed."""


host, port, user, password, *modules = sys.argv[1:]
unittests.BasicTestRunner.resultclass = Result
sys.argv = ["unittests.py", "--use-external-server", "--skip-install", f"--host={host}", f"--port={port}"]
sys.argv += [f"--user={user}", f"--password={password}"]
if modules:
    sys.argv += ["--test-regex", modules[0]]
unittests.main()
