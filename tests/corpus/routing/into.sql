-- SELECT … INTO: a file on the server's host, or a variable of the session.

-- > primary not_plain
SELECT 1 INTO @a
SELECT 1 into @a
SELECT a INTO @a FROM t LIMIT 1
SELECT a FROM t LIMIT 1 INTO @a
SELECT id, a INTO @x, @y FROM t LIMIT 1
SELECT a FROM t LIMIT 1 INTO @`a b`
SELECT a FROM t LIMIT 1/**/INTO/**/@a
SELECT a FROM t LIMIT 1 INTO @a FOR UPDATE
SELECT a FROM t LIMIT 1 FOR UPDATE INTO @a
(SELECT a FROM t LIMIT 1) UNION (SELECT 1) LIMIT 1 INTO @a
WITH x AS (SELECT 1 AS n) SELECT n FROM x INTO @a
SELECT 1 INTO OUTFILE '/dev/null/no'
SELECT * FROM t INTO OUTFILE '/dev/null/no'
SELECT * INTO OUTFILE '/dev/null/no' FROM t
SELECT * FROM t INTO OUTFILE '/dev/null/no' FIELDS TERMINATED BY ',' LINES TERMINATED BY '\n'
SELECT * FROM t INTO OUTFILE '/dev/null/no' CHARACTER SET utf8mb4
SELECT c FROM t LIMIT 1 INTO DUMPFILE '/dev/null/no'
SELECT c INTO DUMPFILE '/dev/null/no' FROM t LIMIT 1
SELECT 1e1INTO @x
SELECT a INTO variable FROM t
-- > mysql: primary not_plain
TABLE t INTO OUTFILE '/dev/null/no'
TABLE t LIMIT 1 INTO @a, @b
VALUES ROW(1) INTO @a
