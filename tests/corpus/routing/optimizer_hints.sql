-- Hints to the server's optimizer change how a statement runs, and some of them what it is.

-- > primary not_plain
SELECT /*+ SET_VAR(sql_mode='') */ 1
SELECT /*+ BKA(t) */ * FROM t FOR UPDATE
SELECT (SELECT /*+ SET_VAR(sort_buffer_size=300000) */ 1)
-- > replica plain_read
SELECT /*+ MAX_EXECUTION_TIME(1000) */ * FROM t
SELECT /*+ NO_INDEX(t) */ * FROM t
SELECT /*+ */ 1
-- > primary write
INSERT /*+ SET_VAR(foreign_key_checks=OFF) */ INTO t (a) VALUES (1)
UPDATE /*+ NO_MERGE() */ t SET a = 1 WHERE id = 1
DELETE /*+ NO_MERGE() */ FROM t WHERE id = -1
-- > replica plain_read
SELECT 1 /* + SET_VAR(sql_mode='') */
SELECT '/*+ SET_VAR(sql_mode=\'\') */'
