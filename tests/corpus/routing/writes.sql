-- Statements that write data.

-- > primary write
INSERT INTO t (a) VALUES (1)
insert into t (a) values (1);
INSERT t (a) VALUES (1)
INSERT INTO t VALUES (DEFAULT, 1, 2, 'x', NULL, NULL, NULL)
INSERT INTO t SET a = 1, b = 2
INSERT INTO app.t (a) VALUES (1)
INSERT INTO `t` (`a`) VALUES (1), (2), (3)
INSERT IGNORE INTO t (id, a) VALUES (1, 1)
INSERT LOW_PRIORITY INTO t (a) VALUES (1)
INSERT HIGH_PRIORITY INTO t (a) VALUES (1)
INSERT INTO t (a) SELECT a FROM u
INSERT INTO t (a) SELECT a FROM u ON DUPLICATE KEY UPDATE t.a = 2
INSERT INTO t (id, a) VALUES (1, 1) ON DUPLICATE KEY UPDATE a = VALUES(a) + 1
INSERT INTO t (a) VALUES (ABS(-1)), (LENGTH('x'))
INSERT INTO t (a, d) VALUES (1, NOW())
INSERT INTO t (c) VALUES (UUID())
INSERT INTO t (a) VALUES (LAST_INSERT_ID())
INSERT INTO t (a) VALUES (@a)
INSERT INTO t (c) VALUES ('; SELECT 1')
INSERT INTO t (c) VALUES ('it''s'), ("a\"b")
INSERT INTO t (a) VALUES ((SELECT MAX(a) FROM u))
INSERT INTO parts PARTITION (p0) (id) VALUES (-1)
/* x */ INSERT INTO t (a) VALUES (1)
INSERT/**/INTO/**/t(a)VALUES(1)
REPLACE INTO t (id, a) VALUES (1, 1)
REPLACE t (id, a) VALUES (1, 1)
REPLACE INTO t SET id = 1, a = 2
REPLACE INTO t (id, a) SELECT id, a FROM u
UPDATE t SET a = a + 1
UPDATE t SET a = 1 WHERE id = 1
UPDATE t SET a := 1 WHERE id = 1
UPDATE t AS x SET x.a = 1 WHERE x.id = 1
UPDATE t JOIN u USING (id) SET t.a = u.a
UPDATE t, u SET t.a = 1 WHERE t.id = u.id
UPDATE IGNORE t SET a = 1 WHERE id = 1
UPDATE LOW_PRIORITY t SET a = 1 ORDER BY id LIMIT 1
UPDATE t SET a = (SELECT MAX(a) FROM u) WHERE id = 1
UPDATE app.t SET a = 1 WHERE id = -1
DELETE FROM t WHERE id = -1
DELETE FROM t WHERE id IN (SELECT id FROM u WHERE id = -1)
DELETE QUICK FROM t WHERE id = -1
DELETE t FROM t JOIN u USING (id) WHERE t.id = -1
DELETE FROM t USING t JOIN u USING (id) WHERE t.id = -1
DELETE FROM t ORDER BY id LIMIT 1
-- > mysql: primary write
WITH x AS (SELECT 1 AS n) UPDATE t, x SET t.a = x.n WHERE t.id = 1
WITH x AS (SELECT -1 AS n) DELETE FROM t WHERE id IN (SELECT n FROM x)
WITH x AS (SELECT -1 AS n) DELETE t FROM t JOIN x ON t.id = x.n
INSERT INTO t (a) WITH x AS (SELECT 1 AS n) SELECT n FROM x
INSERT INTO t (id, a) VALUES (1, 1) AS n ON DUPLICATE KEY UPDATE a = n.a
INSERT INTO t (a) VALUES ROW(1), ROW(2)
INSERT INTO u TABLE empty_u
-- > mariadb: primary write
INSERT INTO t (a) VALUES (1) RETURNING id
REPLACE INTO t (id, a) VALUES (1, 1) RETURNING *
DELETE FROM t WHERE id = -1 RETURNING id
INSERT DELAYED INTO t (a) VALUES (1)
DELETE HISTORY FROM t

-- A read whose table has a trigger is a read; a write is one whatever it fires.
-- > primary write
INSERT INTO triggered (a) VALUES (1)
UPDATE triggered SET a = 2
DELETE FROM triggered
INSERT INTO v_updatable (a) VALUES (1)
LOAD DATA LOCAL INFILE '/dev/null/no' INTO TABLE t
LOAD DATA LOCAL INFILE '/dev/null/no' INTO TABLE t FIELDS TERMINATED BY ',' LINES TERMINATED BY ';' IGNORE 1 LINES
LOAD DATA INFILE '/dev/null/no' REPLACE INTO TABLE t
LOAD DATA LOCAL INFILE '/dev/null/no' IGNORE INTO TABLE t (a) SET b = 2
LOAD XML LOCAL INFILE '/dev/null/no' INTO TABLE t

-- With effects beyond the data.
-- > primary not_plain
INSERT INTO t (a) VALUES (writes_no_sql(1))
-- > primary write
UPDATE t SET a = (@x := 1) WHERE id = 1
-- > primary not_plain
UPDATE t SET a = app.writes_no_sql(1) WHERE id = 1
DELETE FROM t WHERE writes_no_sql(id) = -1
-- > primary write
LOAD DATA LOCAL INFILE '/dev/null/no' INTO TABLE t (id, @x) SET a = @x
-- > primary not_plain
LOAD INDEX INTO CACHE t
-- A literal before a parenthesis could be a name under ANSI_QUOTES.
LOAD DATA LOCAL INFILE '/dev/null/no' INTO TABLE t FIELDS TERMINATED BY ',' (id, a)
