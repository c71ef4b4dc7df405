-- Several statements in one text run on one server, so that one of them decides for all.

-- > replica plain_read
SELECT 1;
SELECT 1; ;
SELECT ';'
SELECT 1 /* ; */
SELECT `a;b` FROM odd

-- > primary several
SELECT 1; SELECT 2
SELECT 1;SELECT 2;
SELECT 1; INSERT INTO t (a) VALUES (1)
INSERT INTO t (a) VALUES (1); SELECT 1
SELECT 1; UPDATE t SET a = 1 WHERE id = 1
SELECT 1; DELETE FROM t WHERE id = -1
SELECT * FROM t; SELECT * FROM t FOR UPDATE
BEGIN; SELECT 1; COMMIT
BEGIN; INSERT INTO t (a) VALUES (1); COMMIT;
START TRANSACTION READ ONLY; SELECT 1; COMMIT
SET autocommit = 0; SELECT 1
SET NAMES utf8mb4; SELECT 1
USE app; SELECT 1
SELECT 1; CREATE TABLE IF NOT EXISTS ddl_several (a INT)
SELECT 1; DROP TABLE IF EXISTS ddl_several
SELECT 1; SHOW WARNINGS
INSERT INTO t (a) VALUES (1); SELECT LAST_INSERT_ID()
SELECT 1; -- x«0a»SELECT 2
SELECT 'a;b'; SELECT "c;d"
SELECT 1 /* ; */; SELECT 2
SELECT 1; (SELECT 2)
SELECT 1; SET @a = 1
-- > primary not_plain
SET sql_mode = ''; SELECT 1
-- > primary not_plain
SELECT 1; CALL p_writes()
-- > primary several
SELECT 1; SELECT 1 INTO @a
-- > primary not_plain
SELECT 1; CREATE TEMPORARY TABLE tmp_several (a INT)
SELECT 1; nonsense
SELECT 1; 'nonsense
CALL p_writes(); SELECT 1
SELECT 1; LOCK TABLES t READ
-- > primary several
SELECT 1; SELECT writes_no_sql(1)
SELECT 1; SELECT GET_LOCK('a', 0)
SELECT 1; -- end
SELECT 1; /* end */
