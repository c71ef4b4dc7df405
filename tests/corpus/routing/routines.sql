-- Functions that are not built in, views, and procedures. The names say what the guard's schema defines:
-- `writes_…` write whatever they are declared as, `locks_…` take user locks, `pure_…` compute.

-- > primary stored_function
SELECT writes_reads_sql_data(1)
SELECT app.writes_reads_sql_data(1)
SELECT `writes_reads_sql_data`(1)
SELECT `app`.`writes_reads_sql_data`(1)
SELECT writes_reads_sql_data (1)
SELECT writes_reads_sql_data/**/(1)
SELECT writes_reads_sql_data -- x«0a»(1)
SELECT app . writes_reads_sql_data(1)
SELECT writes_no_sql(1)
SELECT writes_deterministic(1)
SELECT locks_no_sql('a')
SELECT sets_variable(1)
SELECT writes_through_another(1)
SELECT * FROM t WHERE writes_reads_sql_data(a) = 1
SELECT * FROM t ORDER BY writes_reads_sql_data(a)
SELECT a FROM t GROUP BY a HAVING writes_no_sql(a) = 1
SELECT (SELECT writes_no_sql(1))
SELECT * FROM (SELECT writes_no_sql(1) AS x) AS dt
WITH x AS (SELECT writes_no_sql(1) AS n) SELECT * FROM x
SELECT 1 UNION SELECT writes_no_sql(1)
SELECT COUNT(writes_no_sql(a)) FROM t
SELECT CASE WHEN writes_no_sql(1) THEN 1 END
SELECT IF(writes_no_sql(1), 1, 2)
SELECT ABS(writes_no_sql(1))
SELECT SUM(writes_no_sql(a)) OVER (ORDER BY id) FROM t
SELECT * FROM t JOIN u ON writes_no_sql(t.id) = u.id
SELECT no_such_function(1)
SELECT app.abs(1)
SELECT COUNT (1)
SELECT NOW ()
-- > primary not_plain
SELECT 1 LIMIT 1 PROCEDURE ANALYSE()
SELECT sys.version_major()

-- What only reads is a read, behind a view or a function too.
-- > replica plain_read
SELECT * FROM v_plain
SELECT * FROM app.v_plain
SELECT * FROM `app`.`v_plain`
SELECT x.id FROM v_plain AS x JOIN t USING (id)
SELECT pure_add(1, 2)
SELECT app.pure_add(1, 2)
SELECT `app`.`pure_add`(a, b) FROM t WHERE pure_add(a, 1) > 1
SELECT pure_add(1, pure_add(2, 3)) FROM v_plain

-- > primary stored_function
SELECT pure_add(writes_no_sql(1), 2)
SELECT pure_add(1, 2), writes_no_sql(3)

-- > primary view
SELECT pure_add(1, 2) FROM v_writes
SELECT v_plain.id FROM v_plain, v_writes
SELECT * FROM v_writes
SELECT x.n FROM t, v_writes AS x
SELECT * FROM t WHERE id IN (SELECT n FROM v_writes)
WITH x AS (SELECT * FROM v_writes) SELECT * FROM x
SELECT 1 UNION SELECT n FROM v_writes
SELECT * FROM (SELECT * FROM v_writes) AS dt
SELECT * FROM v_on_view
SELECT * FROM v_locks

-- > primary not_plain
CALL p_reads()
CALL p_writes()
call app.p_writes()
CALL `p_writes`
CALL/**/p_writes()
CALL p_sets()
CALL p_signals()
CALL no_such_procedure(1)
(CALL p_writes())
DO writes_no_sql(1)
DO SLEEP(0.01)
DO 1
