"""Customers of a bank, by PyMySQL or Connector/Python with their defaults.

They move money in transactions, and connect again only when the driver says that the connection is lost. Each line that
is printed is what one of them was told: `ok`, a number; or `error`, what was being done, code, SQLSTATE and text; or
`lost`. It ends with its input.

With `asked` instead of a number of customers there are two: one that inserts with autocommit, one that commits. `go` on
the input has each of them do so once, `again` has them look whether their sessions are what they were and do it again.
"""

import queue
import random
import sys
import threading
import time

driver, host, port, user, password, schema, customers, base = sys.argv[1:9]
base = int(base)
account = dict(host=host, port=int(port), user=user, password=password, database=schema)
if driver == "pymysql":
    import pymysql as module

    def facts(error):
        """PyMySQL keeps no SQLSTATE."""
        code = error.args[0] if error.args else 0
        return code, "-", error.args[1] if len(error.args) > 1 else str(error)

    def is_lost(connection, error):
        return isinstance(error, module.InterfaceError) or facts(error)[0] in (2006, 2013) or not connection.open

    def commit_by_itself(connection):
        connection.autocommit(True)

else:
    import mysql.connector as module

    def facts(error):
        return error.errno, error.sqlstate or "-", error.msg or str(error)

    def is_lost(connection, error):
        return error.errno in (2006, 2013, 2055)

    def commit_by_itself(connection):
        connection.autocommit = True


printing = threading.Lock()
closed = threading.Event()
numbers = iter(range(base, base + 10**9))


def say(*fields):
    line = "\t".join(str(field).replace("\t", " ").replace("\n", " ") for field in fields)
    with printing:
        print(line, flush=True)


def next_number():
    with printing:
        return next(numbers)


def transfer(connection, number, doing):
    first, second = sorted(random.sample(range(50), 2))
    amount = random.choice((-1, 1)) * random.randint(1, 9)
    doing("write")
    with connection.cursor() as cursor:
        cursor.execute("SELECT balance FROM accounts WHERE id IN (%s, %s) ORDER BY id FOR UPDATE", (first, second))
        cursor.fetchall()
        cursor.execute("INSERT INTO transfers (id) VALUES (%s)", (number,))
        for place, change in ((first, amount), (second, -amount)):
            cursor.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (change, place))
    doing("commit")
    connection.commit()


def transact(connection, number, doing):
    """A transaction that waits for nobody else's."""
    doing("write")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO transfers (id) VALUES (%s)", (number,))
    doing("commit")
    connection.commit()


def insert(connection, number, doing):
    doing("autocommit")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO transfers (id) VALUES (%s)", (number,))


class Customer:
    def __init__(self, work):
        self.work = work
        self.connection = None
        self.what = "connect"

    def connect(self):
        self.what = "connect"
        self.connection = module.connect(**account)
        if self.work is insert:
            commit_by_itself(self.connection)

    def doing(self, what):
        self.what = what

    def once(self, number):
        """Whether it was told that it is done."""
        try:
            if self.connection is None:
                self.connect()
            self.work(self.connection, number, self.doing)
            say("ok", number)
            return True
        except module.Error as error:
            self.complain(error)
            return False

    def complain(self, error):
        say("error", self.what, *facts(error))
        if self.connection is None:
            return
        if not is_lost(self.connection, error):
            try:
                if self.work is not insert:
                    self.connection.rollback()
                return
            except module.Error as further:
                say("error", "rollback", *facts(further))
                if not is_lost(self.connection, further):
                    return
        say("lost")
        self.connection = None

    def live(self):
        while not closed.is_set():
            if not self.once(next_number()):
                time.sleep(0.02)
            time.sleep(0.03)


class Asked(Customer):
    def __init__(self, work):
        super().__init__(work)
        self.orders = queue.Queue()

    def look(self, number):
        if self.connection is None:
            return
        try:
            (marked,), = self.mark("SELECT @mark")
            say("mark", marked is not None and int(marked) == number)
            if self.work is not insert:
                self.connection.rollback()
        except module.Error as error:
            self.what = "read"
            self.complain(error)

    def mark(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else None

    def live(self):
        self.connect()
        number = next_number()
        self.mark(f"SET @mark = {number}")
        if self.work is not insert:
            self.connection.commit()
        say("ready", number)
        while self.orders.get() is not None:
            self.once(number)
            if self.orders.get() is None:
                return
            self.look(number)
            number = next_number()
            self.once(number)


if customers == "asked":
    both = [Asked(insert), Asked(transact)]
else:
    both = [Customer(transfer) for _ in range(int(customers))]
threads = [threading.Thread(target=one.live, daemon=True) for one in both]
for thread in threads:
    thread.start()
for line in sys.stdin:
    for one in both:
        one.orders.put(line)
closed.set()
for one in both:
    if customers == "asked":
        one.orders.put(None)
for thread in threads:
    thread.join(timeout=40)
