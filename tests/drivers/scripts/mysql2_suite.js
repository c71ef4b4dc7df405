// What mysql2 offers, one test for each part. Its package carries no tests.
'use strict';
const assert = require('assert');
const { Readable } = require('stream');
const mysql = require('mysql2/promise');
const plain = require('mysql2');
const run = require('./cases.js');

const [host, port, user, password, database] = process.argv.slice(2);
const options = { host, port: Number(port), user, password, database };

async function connected(body, more = {}) {
  const connection = await mysql.createConnection({ ...options, ...more });
  try {
    return await body(connection);
  } finally {
    connection.destroy();
  }
}

async function fails(code, promise) {
  await assert.rejects(promise, (error) => error.code === code || assert.fail(`${error.code} and not ${code}`));
}

const table = (c, name, columns) => c.query(`CREATE OR REPLACE TABLE ${name} (${columns})`).catch(async () => {
  await c.query(`DROP TABLE IF EXISTS ${name}`);
  await c.query(`CREATE TABLE ${name} (${columns})`);
});

run({
  'query: rows and fields': () => connected(async (c) => {
    const [rows, fields] = await c.query('SELECT 1 AS a, "x" AS b, NULL AS c');
    assert.deepStrictEqual(rows.map((row) => ({ ...row })), [{ a: 1, b: 'x', c: null }]);
    assert.deepStrictEqual(fields.map((field) => field.name), ['a', 'b', 'c']);
  }),
  'query: placeholders, names and lists': () => connected(async (c) => {
    const [rows] = await c.query({ sql: 'SELECT :a + :b AS s', namedPlaceholders: true }, { a: 2, b: 3 });
    assert.strictEqual(Number(rows[0].s), 5);
    const [lists] = await c.query('SELECT 2 IN (?) AS inside, ?? FROM (SELECT 7 AS seven) AS t', [[1, 2], 'seven']);
    assert.strictEqual(lists[0].inside, 1);
    assert.strictEqual(lists[0].seven, 7);
  }),
  'query: rows as arrays': () => connected(async (c) => {
    const [rows] = await c.query({ sql: 'SELECT 1, 2', rowsAsArray: true });
    assert.deepStrictEqual(rows, [[1, 2]]);
  }),
  'query: nested tables': () => connected(async (c) => {
    const [rows] = await c.query({ sql: 'SELECT t.a, u.a FROM (SELECT 1 AS a) t, (SELECT 2 AS a) u', nestTables: '_' });
    assert.deepStrictEqual({ ...rows[0] }, { t_a: 1, u_a: 2 });
  }),
  'query: big numbers, decimals, dates': () => connected(async (c) => {
    const [[row]] = await c.query('SELECT 9223372036854775807 AS n, 1.10 AS d, CAST("2024-02-29 10:11:12.25" AS DATETIME(2)) AS t');
    assert.deepStrictEqual([row.n, row.d, row.t], ['9223372036854775807', '1.10', '2024-02-29 10:11:12.25']);
  }, { supportBigNumbers: true, bigNumberStrings: true, dateStrings: true }),
  'query: a type cast of ours': () => connected(async (c) => {
    const typeCast = (field, next) => (field.type === 'LONGLONG' ? `n${field.string()}` : next());
    const [[row]] = await c.query({ sql: 'SELECT 5000000000 AS a, "x" AS b', typeCast });
    assert.strictEqual(row.a, 'n5000000000');
    assert.strictEqual(row.b, 'x');
  }),
  'query: errors have code, number and state': () => connected(async (c) => {
    await assert.rejects(c.query('SELECT * FROM missing_table'), { code: 'ER_NO_SUCH_TABLE', errno: 1146, sqlState: '42S02' });
    await fails('ER_PARSE_ERROR', c.query('SELEC 1'));
    await fails('ER_BAD_FIELD_ERROR', c.query('SELECT nothing'));
    const [[row]] = await c.query('SELECT 1 AS a');
    assert.strictEqual(row.a, 1);
  }),
  'query: insert id, affected and changed rows': () => connected(async (c) => {
    await table(c, 'ids', 'id INT AUTO_INCREMENT PRIMARY KEY, a INT');
    const [inserted] = await c.query('INSERT INTO ids (a) VALUES (1), (2), (3)');
    assert.deepStrictEqual([inserted.insertId, inserted.affectedRows], [1, 3]);
    const [updated] = await c.query('UPDATE ids SET a = 2');
    assert.deepStrictEqual([updated.affectedRows, updated.changedRows], [3, 2]);
    const [deleted] = await c.query('DELETE FROM ids WHERE a = 9');
    assert.strictEqual(deleted.affectedRows, 0);
  }),
  'query: reads see the writes before them': () => connected(async (c) => {
    await table(c, 'own', 'id INT PRIMARY KEY, a INT');
    for (let i = 0; i < 200; i += 1) {
      await c.query('INSERT INTO own VALUES (?, ?)', [i, i * 2]);
      const [[row]] = await c.query('SELECT a FROM own WHERE id = ?', [i]);
      assert.strictEqual(row.a, i * 2);
    }
  }),
  'query: reads in other sessions see what a session saw': () => connected(async (c) => {
    await table(c, 'seen', 'a INT');
    await connected(async (other) => {
      for (let i = 0; i < 50; i += 1) {
        await c.query('INSERT INTO seen VALUES (1)');
        await c.query('SELECT COUNT(*) FROM seen');
      }
      let last = 0;
      for (let i = 0; i < 50; i += 1) {
        const [[row]] = await other.query('SELECT COUNT(*) AS n FROM seen');
        assert.ok(row.n >= last);
        last = row.n;
      }
    });
  }),
  'query: many statements in flight at once': () => connected(async (c) => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => c.query(`SELECT ${i} AS i`)));
    answers.forEach(([[row]], i) => assert.strictEqual(row.i, i));
  }),
  'query: several statements': () => connected(async (c) => {
    const [results] = await c.query('SELECT 1 AS a; SELECT 2 AS b; DO 0; SELECT 3 AS c');
    assert.strictEqual(results.length, 4);
    assert.strictEqual(results[3][0].c, 3);
    await fails('ER_NO_SUCH_TABLE', c.query('SELECT 1; SELECT * FROM missing_table; SELECT 2'));
    const [[row]] = await c.query('SELECT 4 AS d');
    assert.strictEqual(row.d, 4);
  }, { multipleStatements: true }),
  'query: several statements refused': () => connected((c) => fails('ER_PARSE_ERROR', c.query('SELECT 1; SELECT 2'))),
  'query: rows as a stream': () => new Promise((resolve, reject) => {
    const connection = plain.createConnection(options);
    let count = 0;
    connection.query('WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n')
      .stream()
      .on('data', () => { count += 1; })
      .on('error', reject)
      .on('end', () => {
        connection.destroy();
        count === 900 ? resolve() : reject(new Error(`${count} rows`));
      });
  }),
  'query: a time limit of the client': () => connected((c) => fails('PROTOCOL_SEQUENCE_TIMEOUT', c.query({ sql: 'SELECT SLEEP(2)', timeout: 200 }))),
  'query: a megabyte both ways': () => connected(async (c) => {
    const text = 'é'.repeat(500000);
    const [[row]] = await c.query('SELECT ? AS t, LENGTH(?) AS n', [text, text]);
    assert.strictEqual(row.t, text);
    assert.strictEqual(row.n, 1000000);
  }),
  'query: load data from a stream': () => connected(async (c) => {
    await table(c, 'loaded', 'a INT, b VARCHAR(20)');
    const [result] = await c.query({
      sql: 'LOAD DATA LOCAL INFILE "stream" INTO TABLE loaded FIELDS TERMINATED BY ","',
      infileStreamFactory: () => Readable.from([Buffer.from('1,one\n'), Buffer.from('2,two\n3,three\n')]),
    });
    assert.strictEqual(result.affectedRows, 3);
    const [rows] = await c.query('SELECT b FROM loaded ORDER BY a');
    assert.deepStrictEqual(rows.map((row) => row.b), ['one', 'two', 'three']);
  }),
  'execute: every type of parameter': () => connected(async (c) => {
    const when = new Date(Date.UTC(2024, 1, 29, 10, 11, 12));
    const [[row]] = await c.execute('SELECT ? AS i, ? AS s, ? AS n, ? AS b, ? AS d, ? AS j', [5, 'é', null, Buffer.from([0, 255]), when, { a: [1] }]);
    assert.strictEqual(Number(row.i), 5);
    assert.strictEqual(row.s, 'é');
    assert.strictEqual(row.n, null);
    assert.deepStrictEqual(Buffer.from(row.b), Buffer.from([0, 255]));
  }),
  'execute: cached statements and their end': () => connected(async (c) => {
    for (let i = 0; i < 20; i += 1) {
      const [[row]] = await c.execute('SELECT ? + 1 AS n', [i]);
      assert.strictEqual(Number(row.n), i + 1);
    }
    c.unprepare('SELECT ? + 1 AS n');
    const [[row]] = await c.execute('SELECT ? + 1 AS n', [1]);
    assert.strictEqual(Number(row.n), 2);
  }),
  'execute: more statements than are kept': () => connected(async (c) => {
    for (let i = 0; i < 40; i += 1) {
      const [[row]] = await c.execute(`SELECT ? + ${i} AS n`, [1]);
      assert.strictEqual(Number(row.n), i + 1);
    }
  }, { maxPreparedStatements: 5 }),
  'execute: prepare, execute, close': () => connected(async (c) => {
    const statement = await c.prepare('SELECT ? AS a');
    assert.strictEqual((await statement.execute(['x']))[0][0].a, 'x');
    assert.strictEqual((await statement.execute(['y']))[0][0].a, 'y');
    await statement.close();
    await fails('ER_PARSE_ERROR', c.prepare('SELEC ?'));
  }),
  'execute: types of columns in binary': () => connected(async (c) => {
    await table(c, 'kinds', 'a TINYINT, b BIGINT UNSIGNED, c DOUBLE, d DECIMAL(10,3), e DATE, f TIME, g JSON, h BIT(3), i BLOB, j YEAR');
    await c.execute('INSERT INTO kinds VALUES (-5, 18446744073709551615, 1.5, 2.125, "2024-02-29", "-10:11:12", ?, b\'101\', ?, 2024)', ['{"k": 1}', Buffer.from('blob')]);
    const [[row]] = await c.execute('SELECT * FROM kinds');
    assert.deepStrictEqual([row.a, String(row.b), row.c, row.d, row.e, row.f], [-5, '18446744073709551615', 1.5, '2.125', '2024-02-29', '-10:11:12']);
    assert.strictEqual(row.j, 2024);
  }, { supportBigNumbers: true, dateStrings: true }),
  'procedures: results and parameters': () => connected(async (c) => {
    await c.query('DROP PROCEDURE IF EXISTS two');
    await c.query('CREATE PROCEDURE two(IN a INT) BEGIN SELECT a; SELECT a * 2 AS b; END');
    const [results] = await c.query('CALL two(4)');
    assert.strictEqual(results[1][0].b, 8);
    const [bound] = await c.execute('CALL two(?)', [5]);
    assert.strictEqual(bound[1][0].b, 10);
  }),
  'transactions: commit and roll back': () => connected(async (c) => {
    await table(c, 'money', 'a INT');
    await c.beginTransaction();
    await c.query('INSERT INTO money VALUES (1)');
    await c.rollback();
    await c.beginTransaction();
    await c.query('INSERT INTO money VALUES (2)');
    const [[inside]] = await c.query('SELECT SUM(a) AS s FROM money');
    assert.strictEqual(Number(inside.s), 2);
    await c.commit();
    const [[after]] = await c.query('SELECT SUM(a) AS s FROM money');
    assert.strictEqual(Number(after.s), 2);
  }),
  'transactions: a deadlock is one': () => connected(async (one) => {
    await table(one, 'dead', 'id INT PRIMARY KEY, a INT');
    await one.query('INSERT INTO dead VALUES (1, 0), (2, 0)');
    await connected(async (two) => {
      await one.beginTransaction();
      await two.beginTransaction();
      await one.query('UPDATE dead SET a = 1 WHERE id = 1');
      await two.query('UPDATE dead SET a = 2 WHERE id = 2');
      const settled = await Promise.allSettled([
        one.query('UPDATE dead SET a = 1 WHERE id = 2'),
        two.query('UPDATE dead SET a = 2 WHERE id = 1'),
      ]);
      const failed = settled.filter((each) => each.status === 'rejected').map((each) => each.reason.code);
      assert.deepStrictEqual(failed, ['ER_LOCK_DEADLOCK']);
    });
  }),
  'session: variables and schema stay': () => connected(async (c) => {
    await c.query('SET @v = 41, SESSION sql_mode = "ANSI_QUOTES"');
    await c.query('CREATE DATABASE IF NOT EXISTS suite_b');
    await c.query('USE suite_b');
    const [[row]] = await c.query('SELECT @v + 1 AS v, @@sql_mode AS m, DATABASE() AS d');
    assert.deepStrictEqual([Number(row.v), row.m, row.d], [42, 'ANSI_QUOTES', 'suite_b']);
  }),
  'session: another character set': () => connected(async (c) => {
    const [[row]] = await c.query('SELECT @@character_set_client AS a, "é" AS e, LENGTH("é") AS n');
    assert.deepStrictEqual([row.a, row.e, row.n], ['latin1', 'é', 1]);
  }, { charset: 'LATIN1_SWEDISH_CI' }),
  'session: the time zone': () => connected(async (c) => {
    await c.query('SET time_zone = "+03:00"');
    const [[row]] = await c.query('SELECT FROM_UNIXTIME(0) AS t');
    assert.strictEqual(row.t, '1970-01-01 03:00:00');
  }, { dateStrings: true }),
  'session: found rows and not changed rows': async () => {
    await connected((c) => table(c, 'flags', 'a INT').then(() => c.query('INSERT INTO flags VALUES (1)')));
    await connected(async (c) => assert.strictEqual((await c.query('UPDATE flags SET a = 1'))[0].affectedRows, 1));
    await connected(async (c) => assert.strictEqual((await c.query('UPDATE flags SET a = 1'))[0].affectedRows, 0), { flags: ['-FOUND_ROWS'] });
  },
  'session: temporary tables': () => connected(async (c) => {
    await c.query('CREATE TEMPORARY TABLE temp_t (a INT)');
    await c.query('INSERT INTO temp_t VALUES (1), (2)');
    const [[row]] = await c.query('SELECT COUNT(*) AS n FROM temp_t');
    assert.strictEqual(row.n, 2);
  }),
  'session: locks by name': () => connected(async (one) => {
    const [[got]] = await one.query('SELECT GET_LOCK("suite", 0) AS l');
    assert.strictEqual(got.l, 1);
    await connected(async (two) => assert.strictEqual((await two.query('SELECT GET_LOCK("suite", 0) AS l'))[0][0].l, 0));
    const [[released]] = await one.query('SELECT RELEASE_LOCK("suite") AS l');
    assert.strictEqual(released.l, 1);
  }),
  'connection: ping': () => connected((c) => c.ping()),
  'connection: reset by change of user': () => connected(async (c) => {
    await c.query('SET @v = 1');
    await c.changeUser({ user, password, database });
    const [[row]] = await c.query('SELECT @v AS v, DATABASE() AS d');
    assert.deepStrictEqual([row.v, row.d], [null, database]);
  }),
  'connection: a wrong password': () => fails('ER_ACCESS_DENIED_ERROR', mysql.createConnection({ ...options, password: 'wrong' })),
  'connection: a schema that does not exist': () => fails('ER_BAD_DB_ERROR', mysql.createConnection({ ...options, database: 'no_such_schema' })),
  'connection: by URI': async () => {
    const c = await mysql.createConnection(`mysql://${user}:${password}@${host}:${port}/${database}`);
    await c.query('SELECT 1');
    await c.end();
  },
  'connection: TLS': () => connected(async (c) => {
    const [[row]] = await c.query('SELECT 1 AS a');
    assert.strictEqual(row.a, 1);
  }, { ssl: { rejectUnauthorized: false } }).catch((error) => {
    // An untouched MariaDB 10.11 has none.
    if (error.code !== 'HANDSHAKE_NO_SSL_SUPPORT') throw error;
  }),
  'pool: more work than connections': async () => {
    const pool = mysql.createPool({ ...options, connectionLimit: 3 });
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => pool.query('SELECT ? AS i', [i])));
    answers.forEach(([[row]], i) => assert.strictEqual(row.i, i));
    await pool.end();
  },
  'pool: transactions do not mix': async () => {
    const pool = mysql.createPool({ ...options, connectionLimit: 4 });
    await pool.query('DROP TABLE IF EXISTS mix');
    await pool.query('CREATE TABLE mix (id INT PRIMARY KEY, n INT)');
    await pool.query('INSERT INTO mix VALUES (1, 0)');
    await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const c = await pool.getConnection();
      await c.beginTransaction();
      await c.query('UPDATE mix SET n = n + 1 WHERE id = 1');
      await (i % 2 ? c.commit() : c.rollback());
      c.release();
    }));
    const [[row]] = await pool.query('SELECT n FROM mix');
    assert.strictEqual(row.n, 10);
    await pool.end();
  },
}).then(() => process.exit(0));
