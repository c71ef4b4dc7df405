"""The console through PyMySQL and Connector/Python, without TLS and with it."""

import ssl
import sys

import mysql.connector
import pymysql

host, port, password = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def refused(code, work):
    try:
        work()
    except pymysql.MySQLError as error:
        assert error.args[0] == code, error
    else:
        raise AssertionError(f"{code} was not raised")


def check(context):
    options = {"ssl": context} if context else {"ssl_disabled": True}
    connection = pymysql.connect(host=host, port=port, user="admin", password=password, **options)
    with connection.cursor() as cursor:
        cursor.execute("SELECT role, number, age_ms / 1e9 < 1.0 FROM servers ORDER BY number")
        assert cursor.fetchall() == (("primary", 0, 1), ("replica", 1, 1)), cursor.description
        cursor.execute("SELECT avg(number) FROM servers")
        assert cursor.fetchone() == (0.5,)
        cursor.execute("SHOW SESSIONS WHERE user = %s", ("nobody's",))
        assert cursor.fetchall() == ()
        assert cursor.description[0][0] == "Id"
        # Quotes escaped the way drivers escape them.
        cursor.execute("EXPLAIN ROUTE FOR %s", ("SELECT a FROM t WHERE b = 'x'",))
        assert ("Reason", "plain_read", "") in cursor.fetchall()
        cursor.execute("SELECT 'é' || '漢' || '🚰', NULL")
        assert cursor.fetchone() == ("é漢🚰", None)
        refused(1146, lambda: cursor.execute("SELECT * FROM weights"))
        cursor.execute("HELP")
        assert len(cursor.fetchall()) > 4
    connection.ping(reconnect=False)
    connection.select_db("headgate")
    connection.commit()
    connection.close()
    refused(
        1045,
        lambda: pymysql.connect(host=host, port=port, user="admin", password=password + "x", **options),
    )


def check_connector(tls):
    options = {"ssl_disabled": not tls}
    connection = mysql.connector.connect(
        host=host, port=port, user="admin", password=password, use_pure=True, **options
    )
    cursor = connection.cursor()
    cursor.execute("SELECT count(*) FROM servers")
    assert cursor.fetchall() == [(2,)]
    connection.cmd_statistics()
    connection.cmd_reset_connection()
    try:
        connection.cmd_change_user("nobody", "wrong", "")
    except mysql.connector.Error as error:
        assert error.errno == 1235, error
    else:
        raise AssertionError("COM_CHANGE_USER was accepted")
    cursor.execute("SELECT user()")
    assert cursor.fetchone()[0].startswith("admin@")
    connection.close()


check(None)
check_connector(False)
print("plain ok")
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
check(context)
check_connector(True)
print("tls ok")
