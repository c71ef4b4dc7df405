// What the connector does that is MariaDB's own: a batch is one bulk execution.

'use strict';

const mariadb = require('mariadb');

const [host, port, user, password, schema] = process.argv.slice(2);

const show = (label, value) => console.log(label, JSON.stringify(value, (_, inner) =>
  typeof inner === 'bigint' ? `${inner}n` : inner));

async function main() {
  const connection = await mariadb.createConnection({ host, port: Number(port), user, password, database: schema });
  await connection.query('CREATE TABLE things (id INT PRIMARY KEY, name VARCHAR(50), amount DOUBLE)');
  const rows = Array.from({ length: 1000 }, (_, i) => [i, i % 7 === 0 ? null : `name ${i}`, i + 0.5]);
  show('batch', await connection.batch('INSERT INTO things VALUES (?, ?, ?)', rows));
  show('what is there', await connection.query(
    'SELECT COUNT(*) AS n, SUM(id) AS ids, COUNT(name) AS names, SUM(amount) AS amounts FROM things'));
  show('updates', await connection.batch('UPDATE things SET name = ? WHERE id = ?', [['x', 1], ['y', 2], ['z', 5000]]));
  show('names', await connection.query('SELECT * FROM things WHERE id < 4 ORDER BY id'));
  try {
    await connection.batch('INSERT INTO things VALUES (?, ?, ?)', [[2000, 'a', 1], [1, 'again', 2], [2001, 'b', 3]]);
  } catch (error) {
    show('refused', [error.errno, error.sqlState, error.sqlMessage]);
  }
  show('rows', (await connection.query('SELECT COUNT(*) AS n FROM things'))[0]);
  // One for each batch, and not one for each row.
  const [status] = await connection.query("SHOW SESSION STATUS LIKE 'Com_stmt_execute'");
  show('executions', status.Value);
  await connection.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
