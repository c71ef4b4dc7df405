"""What Connector/Python sees, in its pure Python form, with text and prepared cursors."""

import datetime
import decimal
import sys

import mysql.connector

host, port, user, password, schema = sys.argv[1:6]


def connect(**options):
    return mysql.connector.connect(
        host=host, port=int(port), user=user, password=password, database=schema, use_pure=True,
        compress="compress" in sys.argv, **options
    )


def attempt(cursor, statement, arguments=()):
    print(statement, arguments)
    try:
        cursor.execute(statement, arguments)
        if cursor.with_rows:
            print("  columns", [(column[0], column[1]) for column in cursor.description])
            for row in cursor.fetchall():
                print("  row", row)
        print("  count", cursor.rowcount, "last id", cursor.lastrowid, "warnings", cursor.warnings)
    except mysql.connector.Error as error:
        print("  error", error.errno, error.sqlstate, error.msg)


connection = connect(autocommit=True, get_warnings=True)
cursor = connection.cursor()
attempt(
    cursor,
    "CREATE TABLE things (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50) UNIQUE, price DECIMAL(10,2), "
    "born DATE, seen DATETIME(6), data BLOB, ratio DOUBLE, small TINYINT, big BIGINT UNSIGNED)",
)
insert = "INSERT INTO things (name, price, born, seen, data, ratio, small, big) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
rows = [
    ("eins", decimal.Decimal("1.10"), datetime.date(2024, 2, 29), datetime.datetime(2024, 1, 2, 3, 4, 5, 678901), b"\x00\xff", 0.5, -1, 2**64 - 1),
    ("zwei \U0001f30a", None, None, None, None, None, None, None),
]
cursor.executemany(insert, rows)
print("many", cursor.rowcount)
attempt(cursor, insert, rows[0])
attempt(cursor, "SELECT * FROM things ORDER BY id")
attempt(cursor, "SELECT CAST('12x' AS SIGNED)")
attempt(cursor, "SELECT * FROM missing")
attempt(cursor, "SELECT COUNT(*) FROM things WHERE name = %s", ("eins",))
attempt(cursor, "CREATE PROCEDURE add_one(IN n INT, OUT m INT) BEGIN SET m = n + 1; SELECT name FROM things ORDER BY id; END")
print("called", cursor.callproc("add_one", (41, 0)))
for result in cursor.stored_results():
    print("  result", result.fetchall())
cursor.close()

prepared = connection.cursor(prepared=True)
attempt(prepared, "INSERT INTO things (name, price, born, ratio, big) VALUES (?, ?, ?, ?, ?)", ("drei", decimal.Decimal("3.33"), datetime.date(1999, 12, 31), 2.25, 3))
for identifier in (1, 2, 3, 4, 5):
    attempt(prepared, "SELECT name, price, born, seen, ratio, small, big FROM things WHERE id = ?", (identifier,))
attempt(prepared, "SELECT name FROM things WHERE id < ? ORDER BY id", (10,))
attempt(prepared, "SELECT ? + 1", (41,))
attempt(prepared, "SELECT nothing FROM missing WHERE a = ?", (1,))
prepared.close()

connection.autocommit = False
cursor = connection.cursor(dictionary=True)
connection.start_transaction(isolation_level="READ COMMITTED")
attempt(cursor, "INSERT INTO things (name) VALUES ('lost')")
attempt(cursor, "SELECT COUNT(*) AS n FROM things")
print("in transaction", connection.in_transaction)
connection.rollback()
attempt(cursor, "SELECT COUNT(*) AS n FROM things")
connection.commit()
connection.ping(reconnect=False)
connection.database = schema
print("schema", connection.database, connection.sql_mode != "", connection.is_connected())
cursor.close()
connection.close()

try:
    mysql.connector.connect(host=host, port=int(port), user=user, password="wrong", use_pure=True)
except mysql.connector.Error as error:
    print("wrong password", error.errno, error.sqlstate, error.msg)
