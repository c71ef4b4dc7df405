-- What comments ask of Headgate. A hint is an ordinary comment to the server.

-- > primary hint_primary
/* headgate: primary */ SELECT 1
SELECT /* headgate: primary */ 1
SELECT 1 /* headgate: primary */
/*headgate:primary*/SELECT 1
/* HEADGATE: PRIMARY */ SELECT 1
/*   headgate  :  primary   */ SELECT 1
/* headgate: primary */ SELECT * FROM t WHERE id = 1
/* x */ /* headgate: primary */ SELECT 1
-- headgate: primary«0a»SELECT 1
# headgate: primary«0a»SELECT 1

-- > replica hint_replica
/* headgate: replica */ SELECT @@server_id
/* headgate: replica */ SELECT @@hostname, @@port
/* headgate: replica */ SELECT /*+ SET_VAR(sort_buffer_size=300000) */ 1
/* headgate: replica */ SHOW STATUS LIKE 'Threads%'
/* headgate: replica */ SELECT * FROM information_schema.tables LIMIT 1
/* headgate: replica */ SHOW SESSION VARIABLES
/* headgate: replica */ SHOW TABLES
/* headgate: replica */ EXPLAIN SELECT * FROM t

-- A plain read goes there anyway.
-- > replica plain_read
/* headgate: replica */ SELECT 1
/* headgate: replica */ SELECT * FROM v_plain
/* headgate: max_lag=500ms */ SELECT 1
/* headgate: max_lag=60s */ SELECT 1
/* headgate: replica, max_lag=500ms */ SELECT 1
/* headgate is a proxy */ SELECT 1
/* see headgate */ SELECT 1
SELECT '/* headgate: primary */'
SELECT `/* headgate: primary */` FROM odd

-- A write stays a write.
-- > primary write
/* headgate: replica */ INSERT INTO t (a) VALUES (1)
/* headgate: replica */ UPDATE t SET a = 1 WHERE id = 1
/* headgate: replica */ DELETE FROM t WHERE id = -1
/* headgate: replica */ REPLACE INTO t (id, a) VALUES (1, 1)
/* headgate: max_lag=1s */ INSERT INTO t (a) VALUES (1)
-- > primary ddl
/* headgate: replica */ CREATE TABLE IF NOT EXISTS ddl_hint (a INT)
/* headgate: replica */ DROP TABLE IF EXISTS ddl_hint
-- > primary not_plain
/* headgate: replica */ SELECT * FROM t FOR UPDATE
/* headgate: replica */ SELECT * FROM t LOCK IN SHARE MODE
/* headgate: replica */ SELECT 1 INTO @a
/* headgate: replica */ SELECT GET_LOCK('a', 0)
/* headgate: replica */ SELECT RELEASE_ALL_LOCKS()
/* headgate: replica */ SELECT LAST_INSERT_ID(5)
/* headgate: replica */ SELECT LAST_INSERT_ID()
/* headgate: replica */ SELECT CONNECTION_ID()
/* headgate: replica */ SELECT VERSION()
/* headgate: replica */ SELECT @@port, GET_LOCK('a', 0)
/* headgate: replica */ SELECT * FROM information_schema.engines FOR UPDATE
/* headgate: replica */ SELECT /*+ SET_VAR(sort_buffer_size=300000) */ * FROM t FOR UPDATE
/* headgate: replica */ SELECT 1«a0»FOR«a0»UPDATE
/* headgate: replica */ SELECT @a := 1
/* headgate: replica */ SELECT @a
/* headgate: replica */ CALL p_writes()
/* headgate: replica */ DO writes_no_sql(1)
-- > primary session_change
/* headgate: replica */ SET @a = 1
-- > primary not_plain
/* headgate: replica */ SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1
-- > mysql: primary not_plain
/* headgate: replica */ SELECT * FROM t FOR SHARE
-- > mariadb: primary not_plain
/* headgate: replica */ SELECT NEXTVAL(seq)
/* headgate: replica */ SELECT SETVAL(seq, 5)
-- > primary several
/* headgate: replica */ SELECT 1; INSERT INTO t (a) VALUES (1)
-- What a function or a view does cannot be seen. Who asks for a replica vouches for it, and the server refuses
-- to write.
-- > replica hint_replica
/* headgate: replica */ SELECT writes_no_sql(1)
/* headgate: replica */ SELECT locks_no_sql('hinted')
/* headgate: replica */ SELECT * FROM v_writes
/* headgate: replica */ SELECT * FROM v_locks
/* headgate: replica */ SHOW VARIABLES WHERE Variable_name = 'port' AND GET_LOCK('shown', 0)
-- > mysql: replica hint_replica
/* headgate: replica */ EXPLAIN ANALYZE SELECT GET_LOCK('explained', 0)
-- > primary transaction_control
/* headgate: replica */ BEGIN
-- > primary account
/* headgate: replica */ FLUSH PRIVILEGES

-- What cannot be understood is on the safe side.
-- > primary hint_unreadable
/* headgate: prmary */ SELECT 1
/* headgate: */ SELECT 1
/* headgate: primary replica */ SELECT 1
/* headgate: primary */ SELECT 1 /* headgate: replica */
/* headgate: max_lag=soon */ SELECT 1
/* headgate: max_lag= */ SELECT 1
/* headgate: max_lag=-1s */ SELECT 1
/* headgate: replica; primary */ SELECT 1
/* headgate: primary SELECT 2 */ SELECT 1
