"""Django's tests on one server; their outcomes as outcomes.py writes them. PyMySQL stands in for MySQLdb."""

import os
import unittest

import pymysql
from django.test.runner import DiscoverRunner
from recorded import Recorded

# Django asks for a version of mysqlclient, which needs a C library.
pymysql.version_info = (2, 2, 7, "final", 0)
pymysql.install_as_MySQLdb()


def _database(name):
    return {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ["SUITE_HOST"],
        "PORT": os.environ["SUITE_PORT"],
        "USER": os.environ["SUITE_USER"],
        "PASSWORD": os.environ["SUITE_PASSWORD"],
        "NAME": name,
        "TEST": {"CHARSET": "utf8mb4", "NAME": f"test_{name}"},
    }


DATABASES = {"default": _database("dj_default"), "other": _database("dj_other")}
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "django_settings.Runner"


class Result(Recorded, unittest.TextTestResult):
    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, "failed", f"{err[0].__name__}: {err[1]}")


class Runner(DiscoverRunner):
    def get_resultclass(self):
        return Result
