// What mysql2 sees: text and prepared statements, transactions, several results, streams, errors.

'use strict';

const mysql = require('mysql2/promise');
const { Readable } = require('stream');

const [host, port, user, password, schema, ...options] = process.argv.slice(2);
const account = { host, port: Number(port), user, password, database: schema, dateStrings: true, supportBigNumbers: true,
  compress: options.includes('compress') };

const show = (label, value) => console.log(label, JSON.stringify(value, (_, inner) =>
  typeof inner === 'bigint' ? `${inner}n` : inner));

async function attempt(connection, how, statement, values) {
  console.log(how, statement.sql || statement, JSON.stringify(values || []));
  try {
    const [rows, fields] = await connection[how](statement, values);
    show('  rows', rows);
    if (fields) show('  fields', fields.flat().map((field) => field && [field.name, field.columnType, field.flags]));
  } catch (error) {
    show('  error', [error.errno, error.code, error.sqlState, error.sqlMessage]);
  }
}

async function main() {
  const connection = await mysql.createConnection({
    ...account,
    multipleStatements: true,
  });
  await attempt(connection, 'query', 'CREATE TABLE things (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50) UNIQUE, '
    + 'price DECIMAL(10,2), seen DATETIME(3), data BLOB, big BIGINT)');
  await attempt(connection, 'query', 'INSERT INTO things (name, price, seen, data) VALUES (?, ?, ?, ?)',
    ['eins', 1.1, '2024-02-29 01:02:03.004', Buffer.from([0, 255])]);
  await attempt(connection, 'query', 'INSERT INTO things (name) VALUES ?', [[['zwei'], ['drei \u{1f30a}']]]);
  await attempt(connection, 'query', 'SELECT * FROM things ORDER BY id');
  await attempt(connection, 'query', "INSERT INTO things (name) VALUES ('eins')");
  await attempt(connection, 'query', 'SELECT name FROM things WHERE id = 1');
  await attempt(connection, 'query', 'SELECT * FROM missing');
  await attempt(connection, 'query', 'SELECT 1 AS a; SELECT name FROM things ORDER BY id; UPDATE things SET big = 7; SELECT 2 AS b');
  await attempt(connection, 'query', 'SELECT 1 AS a; SELECT * FROM missing; SELECT 2 AS b');
  await attempt(connection, 'query', { sql: "LOAD DATA LOCAL INFILE 'rows' INTO TABLE things FIELDS TERMINATED BY ',' (id, name)",
    infileStreamFactory: () => Readable.from([Buffer.from('10,ten\n11,eleven\n')]) });

  await attempt(connection, 'execute', 'INSERT INTO things (name, price, big) VALUES (?, ?, ?)', ['vier', '4.40', '9007199254740993']);
  for (const id of [1, 2, 10, 99]) {
    await attempt(connection, 'execute', 'SELECT id, name, price, seen, data, big FROM things WHERE id = ?', [id]);
  }
  await attempt(connection, 'execute', 'SELECT nothing FROM missing WHERE a = ?', [1]);

  await connection.beginTransaction();
  await attempt(connection, 'query', "INSERT INTO things (name) VALUES ('lost')");
  await attempt(connection, 'query', 'SELECT COUNT(*) AS n FROM things');
  await connection.rollback();
  await attempt(connection, 'query', 'SELECT COUNT(*) AS n FROM things');
  await connection.ping();

  let streamed = 0;
  const rows = connection.connection.query('SELECT a.id FROM things a, things b, things c, things d').stream();
  for await (const row of rows) streamed += row.id;
  show('streamed', streamed);
  await connection.end();

  // A pool: connections come and go. What other sessions have written is asked of the primary.
  const pool = mysql.createPool({ ...account, connectionLimit: 5 });
  await pool.query('CREATE TABLE seen (id INT PRIMARY KEY)');
  for (let id = 0; id < 50; id += 1) await pool.query('INSERT INTO seen VALUES (?)', [id]);
  show('parallel', await Promise.all([...Array(50).keys()].map(async (id) =>
    (await pool.query('/* headgate: primary */ SELECT COUNT(*) AS n FROM seen WHERE id = ?', [id]))[0][0].n)));
  await pool.end();

  await mysql.createConnection({ ...account, password: 'wrong' })
    .then(() => console.log('wrong password accepted'))
    .catch((error) => show('wrong password', [error.errno, error.sqlState, error.sqlMessage]));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
