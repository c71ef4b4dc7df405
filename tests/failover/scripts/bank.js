// Customers of a bank, by mysql2 or MariaDB's connector with their defaults and server-side prepared statements. What is
// printed and what is read is as in bank.py.

'use strict';

const readline = require('readline');

const [driver, host, port, user, password, schema, customers, base] = process.argv.slice(2);
const module_ = require(driver === 'mysql2' ? 'mysql2/promise' : 'mariadb');
const account = { host, port: Number(port), user, password, database: schema };
// Without TLS and without this it does not log in to accounts of MySQL.
if (driver === 'mariadb') account.allowPublicKeyRetrieval = true;

let numbers = Number(base);
let closed = false;
const nextNumber = () => numbers++;
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const pick = (below) => Math.floor(Math.random() * below);
const say = (...fields) =>
  process.stdout.write(`${fields.map((field) => String(field).replace(/[\t\n]/g, ' ')).join('\t')}\n`);
const facts = (error) => [error.errno || error.code, error.sqlState || '-', error.sqlMessage || error.message];

async function transfer(connection, number, doing) {
  const one = pick(50);
  const [first, second] = [one, (one + 1 + pick(49)) % 50].sort((a, b) => a - b);
  const amount = (pick(2) ? 1 : -1) * (1 + pick(9));
  doing('begin');
  await connection.beginTransaction();
  doing('write');
  await connection.execute('SELECT balance FROM accounts WHERE id IN (?, ?) ORDER BY id FOR UPDATE', [first, second]);
  await connection.execute('INSERT INTO transfers (id) VALUES (?)', [number]);
  for (const [place, change] of [[first, amount], [second, -amount]]) {
    await connection.execute('UPDATE accounts SET balance = balance + ? WHERE id = ?', [change, place]);
  }
  doing('commit');
  await connection.commit();
}

/** A transaction that waits for nobody else's. */
async function transact(connection, number, doing) {
  doing('begin');
  await connection.beginTransaction();
  doing('write');
  await connection.execute('INSERT INTO transfers (id) VALUES (?)', [number]);
  doing('commit');
  await connection.commit();
}

async function insert(connection, number, doing) {
  doing('autocommit');
  await connection.execute('INSERT INTO transfers (id) VALUES (?)', [number]);
}

class Customer {
  constructor(work) {
    this.work = work;
    this.connection = null;
    this.what = 'connect';
  }

  async connect() {
    this.what = 'connect';
    const connection = await module_.createConnection(account);
    // Both drivers report a connection that is lost while it idles by an event, which has to be taken.
    connection.on('error', (error) => {
      this.idleLoss = error;
    });
    this.connection = connection;
  }

  async once(number) {
    try {
      if (this.connection === null) await this.connect();
      await this.work(this.connection, number, (what) => { this.what = what; });
      say('ok', number);
      return true;
    } catch (error) {
      await this.complain(error);
      return false;
    }
  }

  async complain(error) {
    say('error', this.what, ...facts(error));
    if (this.connection === null) return;
    if (!error.fatal) {
      try {
        if (this.work !== insert) await this.connection.rollback();
        return;
      } catch (further) {
        say('error', 'rollback', ...facts(further));
        if (!further.fatal) return;
      }
    }
    say('lost');
    this.connection.destroy();
    this.connection = null;
  }

  async live() {
    while (!closed) {
      if (!(await this.once(nextNumber()))) await pause(20);
      await pause(30);
    }
  }

  async look(number) {
    if (this.connection === null) return;
    try {
      const rows = await this.ask('SELECT @mark AS mark');
      say('mark', Number(rows[0].mark) === number);
    } catch (error) {
      this.what = 'read';
      await this.complain(error);
    }
  }

  /** The answer of a statement, whichever way the driver gives it. */
  async ask(sql) {
    const answer = await this.connection.query(sql);
    return driver === 'mysql2' ? answer[0] : answer;
  }
}

async function asked(customer, orders) {
  await customer.connect();
  let number = nextNumber();
  await customer.ask(`SET @mark = ${number}`);
  say('ready', number);
  await orders.next();
  await customer.once(number);
  await orders.next();
  await customer.look(number);
  number = nextNumber();
  await customer.once(number);
}

/** Lines of the input, for one customer. */
class Orders {
  constructor() {
    this.waiting = [];
    this.come = [];
  }

  put(line) {
    if (this.waiting.length) this.waiting.shift()(line);
    else this.come.push(line);
  }

  next() {
    if (this.come.length) return Promise.resolve(this.come.shift());
    return new Promise((resolve) => { this.waiting.push(resolve); });
  }
}

const input = readline.createInterface({ input: process.stdin });
let lives;
if (customers === 'asked') {
  const orders = [new Orders(), new Orders()];
  input.on('line', (line) => orders.forEach((one) => one.put(line)));
  lives = [asked(new Customer(insert), orders[0]), asked(new Customer(transact), orders[1])];
} else {
  lives = Array.from({ length: Number(customers) }, () => new Customer(transfer).live());
}
input.on('close', async () => {
  closed = true;
  if (customers !== 'asked') await Promise.all(lives);
  process.exit(0);
});
