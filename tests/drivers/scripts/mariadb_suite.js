// What the mariadb package offers, one test for each part. It carries no tests.
'use strict';
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const mariadb = require('mariadb');
const run = require('./cases.js');

const [host, port, user, password, database] = process.argv.slice(2);
const options = { host, port: Number(port), user, password, database, allowPublicKeyRetrieval: true, connectTimeout: 10000 };

async function connected(body, more = {}) {
  const connection = await mariadb.createConnection({ ...options, ...more });
  try {
    return await body(connection);
  } finally {
    connection.destroy();
  }
}

async function fails(errno, promise) {
  await assert.rejects(promise, (error) => error.errno === errno || assert.fail(`${error.errno} and not ${errno}`));
}

async function table(c, name, columns) {
  await c.query(`DROP TABLE IF EXISTS ${name}`);
  await c.query(`CREATE TABLE ${name} (${columns})`);
}

run({
  'query: rows, metadata, values': () => connected(async (c) => {
    const rows = await c.query('SELECT 1 AS a, "x" AS b, NULL AS c');
    assert.deepStrictEqual([Number(rows[0].a), rows[0].b, rows[0].c], [1, 'x', null]);
    assert.strictEqual(rows.meta.length, 3);
    const arrays = await c.query({ sql: 'SELECT 1, 2', rowsAsArray: true });
    assert.deepStrictEqual(arrays.map((row) => row.map(Number)), [[1, 2]]);
    const nested = await c.query({ sql: 'SELECT t.a FROM (SELECT 5 AS a) t', nestTables: true });
    assert.strictEqual(Number(nested[0].t.a), 5);
  }),
  'query: placeholders and names': () => connected(async (c) => {
    assert.strictEqual((await c.query('SELECT ? AS s', ["o'clock"]))[0].s, "o'clock");
    const rows = await c.query({ sql: 'SELECT :b AS s', namedPlaceholders: true }, { b: 'named' });
    assert.strictEqual(rows[0].s, 'named');
  }),
  'query: errors': () => connected(async (c) => {
    await fails(1146, c.query('SELECT * FROM missing_table'));
    await fails(1064, c.query('SELEC 1'));
    await assert.rejects(c.query('SELECT nothing'), { sqlState: '42S22' });
    assert.strictEqual(Number((await c.query('SELECT 1 AS a'))[0].a), 1);
  }),
  'query: insert ids and affected rows': () => connected(async (c) => {
    await table(c, 'm_ids', 'id INT AUTO_INCREMENT PRIMARY KEY, a INT');
    const inserted = await c.query('INSERT INTO m_ids (a) VALUES (1), (2)');
    assert.deepStrictEqual([Number(inserted.insertId), inserted.affectedRows], [1, 2]);
    assert.strictEqual((await c.query('DELETE FROM m_ids')).affectedRows, 2);
  }),
  'query: pipelined statements': () => connected(async (c) => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => c.query(`SELECT ${i} AS i`)));
    answers.forEach((rows, i) => assert.strictEqual(Number(rows[0].i), i));
  }),
  'query: pipelined writes and reads': () => connected(async (c) => {
    await table(c, 'm_pipe', 'a INT');
    const work = [];
    for (let i = 0; i < 60; i += 1) {
      work.push(c.query('INSERT INTO m_pipe VALUES (?)', [i]));
      work.push(c.query('SELECT COUNT(*) AS n FROM m_pipe').then((rows) => assert.strictEqual(Number(rows[0].n), i + 1)));
    }
    await Promise.all(work);
  }),
  'query: pipelined with an error between': () => connected(async (c) => {
    const settled = await Promise.allSettled([c.query('SELECT 1'), c.query('SELEC'), c.query('SELECT 2')]);
    assert.deepStrictEqual(settled.map((each) => each.status), ['fulfilled', 'rejected', 'fulfilled']);
  }),
  'query: several statements': () => connected(async (c) => {
    const results = await c.query('SELECT 1 AS a; DO 0; SELECT 3 AS c');
    assert.strictEqual(results.length, 3);
    await fails(1146, c.query('SELECT 1; SELECT * FROM missing_table'));
  }, { multipleStatements: true }),
  'query: a stream of rows': () => connected(async (c) => {
    let count = 0;
    const stream = c.queryStream('WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n');
    for await (const row of stream) count += row.i ? 1 : 0;
    assert.strictEqual(count, 900);
  }),
  'query: load data from a file': () => connected(async (c) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'suite-'));
    const file = path.join(folder, 'rows.csv');
    fs.writeFileSync(file, '1,one\n2,two\n');
    await table(c, 'm_loaded', 'a INT, b VARCHAR(20)');
    const result = await c.query(`LOAD DATA LOCAL INFILE '${file}' INTO TABLE m_loaded FIELDS TERMINATED BY ','`);
    fs.rmSync(folder, { recursive: true });
    assert.strictEqual(result.affectedRows, 2);
  }, { permitLocalInfile: true }),
  'query: a megabyte both ways': () => connected(async (c) => {
    const text = 'é'.repeat(500000);
    const rows = await c.query('SELECT ? AS t', [text]);
    assert.strictEqual(rows[0].t, text);
  }),
  'execute: parameters of every type': () => connected(async (c) => {
    const rows = await c.execute('SELECT ? AS i, ? AS s, ? AS n, ? AS b, ? AS big, ? AS f', [5, 'é', null, Buffer.from([0, 255]), 9007199254740993n, 1.5]);
    assert.strictEqual(Number(rows[0].i), 5);
    assert.strictEqual(rows[0].s, 'é');
    assert.strictEqual(rows[0].n, null);
    assert.strictEqual(BigInt(rows[0].big), 9007199254740993n);
  }),
  'execute: prepare, execute, stream, close': () => connected(async (c) => {
    const statement = await c.prepare('SELECT ? AS a');
    assert.strictEqual((await statement.execute(['x']))[0].a, 'x');
    assert.strictEqual((await statement.execute(['yy']))[0].a, 'yy');
    let rows = 0;
    for await (const row of statement.executeStream(['z'])) rows += row.a === 'z' ? 1 : 0;
    assert.strictEqual(rows, 1);
    statement.close();
    await fails(1064, c.prepare('SELEC ?'));
  }),
  'execute: more statements than are kept': () => connected(async (c) => {
    for (let i = 0; i < 40; i += 1) {
      const rows = await c.execute(`SELECT ? + ${i} AS n`, [1]);
      assert.strictEqual(Number(rows[0].n), i + 1);
    }
  }, { prepareCacheLength: 4 }),
  'batch: rows at once': () => connected(async (c) => {
    await table(c, 'm_batch', 'id INT PRIMARY KEY, b VARCHAR(20)');
    const rows = Array.from({ length: 500 }, (_, i) => [i, i % 7 ? `name ${i}` : null]);
    await c.batch('INSERT INTO m_batch VALUES (?, ?)', rows);
    const [row] = await c.query('SELECT COUNT(*) AS n, COUNT(b) AS b FROM m_batch');
    assert.deepStrictEqual([Number(row.n), Number(row.b)], [500, 428]);
  }),
  'batch: one result for all rows, where the server executes in bulk': () => connected(async (c) => {
    await table(c, 'm_bulk', 'id INT PRIMARY KEY');
    const result = await c.batch('INSERT INTO m_bulk VALUES (?)', [[1], [2], [3]]);
    assert.strictEqual(result.affectedRows, 3);
  }),
  'batch: updates and an error': () => connected(async (c) => {
    await table(c, 'm_more', 'id INT PRIMARY KEY, b INT');
    await c.batch('INSERT INTO m_more VALUES (?, ?)', [[1, 1], [2, 2]]);
    await c.batch('UPDATE m_more SET b = ? WHERE id = ?', [[10, 1], [20, 2]]);
    await fails(1062, c.batch('INSERT INTO m_more VALUES (?, ?)', [[3, 3], [1, 1]]));
    const [row] = await c.query('SELECT SUM(b) AS s FROM m_more WHERE id < 3');
    assert.strictEqual(Number(row.s), 30);
  }),
  'procedures: results': () => connected(async (c) => {
    await c.query('DROP PROCEDURE IF EXISTS m_two');
    await c.query('CREATE PROCEDURE m_two(IN a INT) BEGIN SELECT a; SELECT a * 2 AS b; END');
    assert.strictEqual(Number((await c.query('CALL m_two(4)'))[1][0].b), 8);
    assert.strictEqual(Number((await c.execute('CALL m_two(?)', [5]))[1][0].b), 10);
  }),
  'transactions: commit and roll back': () => connected(async (c) => {
    await table(c, 'm_money', 'a INT');
    await c.beginTransaction();
    await c.query('INSERT INTO m_money VALUES (1)');
    await c.rollback();
    await c.beginTransaction();
    await c.query('INSERT INTO m_money VALUES (2)');
    await c.commit();
    assert.strictEqual(Number((await c.query('SELECT SUM(a) AS s FROM m_money'))[0].s), 2);
  }),
  'session: variables and schema stay': () => connected(async (c) => {
    await c.query('SET @v = 41');
    const [row] = await c.query('SELECT @v + 1 AS v, DATABASE() AS d');
    assert.deepStrictEqual([Number(row.v), row.d], [42, database]);
  }),
  'session: variables given at connect': () => connected(async (c) => {
    const [row] = await c.query('SELECT @@sql_mode AS m, @@wait_timeout AS w');
    assert.strictEqual(Number(row.w), 1234);
    assert.ok(row.m.includes('ANSI_QUOTES'));
  }, { sessionVariables: { sql_mode: 'ANSI', wait_timeout: 1234 } }),
  'session: first statements': () => connected(async (c) => {
    assert.strictEqual(Number((await c.query('SELECT @i AS i'))[0].i), 7);
  }, { initSql: ['SET @i = 7'] }),
  'session: another collation': () => connected(async (c) => {
    const [row] = await c.query('SELECT @@collation_connection AS c, "é" AS e');
    assert.deepStrictEqual([row.c, row.e], ['utf8mb4_bin', 'é']);
  }, { collation: 'UTF8MB4_BIN' }),
  'connection: ping, reset, server version': () => connected(async (c) => {
    await c.ping();
    await c.query('SET @v = 1');
    await c.reset();
    assert.strictEqual((await c.query('SELECT @v AS v'))[0].v, null);
    assert.ok(c.serverVersion().length > 3);
  }),
  'connection: change of user': () => connected(async (c) => {
    await c.query('SET @v = 1');
    try {
      await c.changeUser({ user, password, database });
    } catch (error) {
      // The driver does not do it on MySQL.
      if (error.errno === 45003) return;
      throw error;
    }
    assert.strictEqual((await c.query('SELECT @v AS v'))[0].v, null);
  }),
  'connection: compressed': () => connected(async (c) => {
    const text = 'compress me '.repeat(10000);
    assert.strictEqual((await c.query('SELECT ? AS t', [text]))[0].t, text);
  }, { compress: true }),
  'connection: a wrong password': () => fails(1045, mariadb.createConnection({ ...options, password: 'wrong' })),
  'connection: a schema that does not exist': () => fails(1049, mariadb.createConnection({ ...options, database: 'no_such_schema' })),
  'pool: more work than connections': async () => {
    const pool = mariadb.createPool({ ...options, connectionLimit: 3 });
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => pool.query('SELECT ? AS i', [i])));
    answers.forEach((rows, i) => assert.strictEqual(Number(rows[0].i), i));
    await pool.end();
  },
}).then(() => process.exit(0));
