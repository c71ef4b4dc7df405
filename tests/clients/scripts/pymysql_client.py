"""What PyMySQL sees. Prints everything; ids and times of the server are left out."""

import datetime
import decimal
import sys

import pymysql

host, port, user, password, schema = sys.argv[1:6]


def connect(**options):
    return pymysql.connect(
        host=host, port=int(port), user=user, password=password, database=schema, charset="utf8mb4", **options
    )


def show(cursor):
    for column in cursor.description or ():
        print("  column", column[:2], column[3:7])
    for row in cursor.fetchall():
        print("  row", row)


def attempt(cursor, statement, arguments=None):
    print(statement)
    try:
        count = cursor.execute(statement, arguments)
        print("  count", count, "last id", cursor.lastrowid)
        show(cursor)
        while cursor.nextset():
            print("  next result")
            show(cursor)
    except pymysql.MySQLError as error:
        print("  error", type(error).__name__, error.args)


with connect(autocommit=True) as connection, connection.cursor() as cursor:
    attempt(
        cursor,
        "CREATE TABLE things (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50), price DECIMAL(10,2), born DATE, "
        "seen DATETIME(6), data BLOB, ratio DOUBLE, UNIQUE (name))",
    )
    rows = [
        ("eins", decimal.Decimal("1.10"), datetime.date(2024, 2, 29), datetime.datetime(2024, 1, 2, 3, 4, 5, 678901), b"\x00\xff", 0.1),
        ("zwei \U0001f30a", None, None, None, b"", -1e300),
        ("quote ' \\ %", decimal.Decimal("-99999999.99"), datetime.date(1000, 1, 1), None, None, None),
    ]
    insert = "INSERT INTO things (name, price, born, seen, data, ratio) VALUES (%s, %s, %s, %s, %s, %s)"
    print("many", cursor.executemany(insert, rows))
    attempt(cursor, insert, rows[0])
    attempt(cursor, "SELECT id, name, price, born, seen, data, ratio FROM things ORDER BY id")
    attempt(cursor, "SELECT name FROM things WHERE id = %s", (2,))
    attempt(cursor, "SELECT name FROM things WHERE 1 = 0")
    attempt(cursor, "UPDATE things SET price = 5 WHERE id < %s", (3,))
    attempt(cursor, "SELECT SUM(price), COUNT(*), MAX(name) FROM things")
    attempt(cursor, "SELECT LAST_INSERT_ID(), @@autocommit, DATABASE()")
    attempt(cursor, "SELECT * FROM missing")
    attempt(cursor, "SELEC 1")
    attempt(cursor, "SET @a = 7")
    attempt(cursor, "SELECT @a + 1")
    attempt(cursor, "SELECT CAST('12x' AS SIGNED)")
    attempt(cursor, "SHOW WARNINGS")
    attempt(cursor, "SELECT REPEAT('x', 100000) AS long_text")
    attempt(cursor, "CREATE TEMPORARY TABLE scratch (a INT)")
    attempt(cursor, "INSERT INTO scratch VALUES (1), (2)")
    attempt(cursor, "SELECT a FROM scratch ORDER BY a")
    attempt(cursor, "SELECT GET_LOCK('client', 1), RELEASE_LOCK('client')")
    attempt(cursor, "CREATE PROCEDURE two() BEGIN SELECT 1 AS one; SELECT name FROM things ORDER BY id; END")
    cursor.callproc("two")
    show(cursor)
    while cursor.nextset():
        print("  next result")
        show(cursor)
    connection.ping(reconnect=False)
    print("status", bool(connection.open), connection.character_set_name(), connection.get_autocommit())

# PyMySQL's own default: every statement is in a transaction.
with connect() as connection, connection.cursor() as cursor:
    attempt(cursor, "INSERT INTO things (name) VALUES ('kept')")
    connection.commit()
    attempt(cursor, "INSERT INTO things (name) VALUES ('lost')")
    attempt(cursor, "SELECT COUNT(*) FROM things")
    connection.rollback()
    attempt(cursor, "SELECT name FROM things WHERE name IN ('kept', 'lost')")

with connect(autocommit=True, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS) as connection:
    with connection.cursor() as cursor:
        attempt(cursor, "SELECT 1; INSERT INTO things (name) VALUES ('multi'); SELECT name FROM things ORDER BY id DESC LIMIT 1")
        attempt(cursor, "SELECT 1; SELECT * FROM missing; SELECT 3")
    with connection.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute("SELECT a.id, b.id, c.id FROM things a, things b, things c ORDER BY 1, 2, 3")
        print("streamed", sum(1 for _ in cursor))

try:
    pymysql.connect(host=host, port=int(port), user=user, password="wrong", database=schema)
except pymysql.MySQLError as error:
    print("wrong password", error.args)
try:
    pymysql.connect(host=host, port=int(port), user=user, password=password, database="missing")
except pymysql.MySQLError as error:
    print("wrong schema", error.args)
