-- What today's proxies get wrong, as listed in ours and their users' reports. What happens over several
-- statements of a session is in tests/routing too, and in tests/mysql.

-- Reads that were sent to replicas and do something there.
-- > primary not_plain
SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE
SELECT GET_LOCK('failures', 0)
SELECT * FROM t WHERE id = 1 for /* rule */ update
SELECT * FROM t«0a»WHERE id = 1«0a»FOR«0a»UPDATE
SELECT @a := 1
SELECT @a
SELECT ROW_COUNT()
SELECT last_insert_id() AS id
SELECT 1 INTO @x
-- > primary stored_function
SELECT writes_reads_sql_data(7)
-- > primary several
SELECT 1; INSERT INTO t (a) VALUES (1)

-- Reads that stayed on the primary because they do not begin with SELECT.
-- > replica plain_read
WITH x AS (SELECT 1 AS n) SELECT n FROM x
(SELECT 1)
(SELECT a FROM t) UNION (SELECT a FROM u)
/* traced */ SELECT 1
-- traced«0a»SELECT 1
«0a»«0a»   SELECT 1
-- > replica read_only_transaction
START TRANSACTION READ ONLY

-- Settings that were answered without being made, or pinned the session for ever.
-- > primary session_change
SET wait_timeout = 600
SET sql_mode = 'nonsense'
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci
SET @a = 7
-- > primary transaction_control
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
-- > primary session_change
CREATE TEMPORARY TABLE tmp (a INT)
LOCK TABLES t WRITE
PREPARE s FROM 'SELECT 1'
-- > primary write
LOAD DATA LOCAL INFILE '/dev/null/no' INTO TABLE t
