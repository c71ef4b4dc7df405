-- Schemas that every server has its own of.

-- > primary not_plain
SELECT * FROM information_schema.tables LIMIT 1
SELECT * FROM INFORMATION_SCHEMA.TABLES LIMIT 1
SELECT * FROM `information_schema`.`tables` LIMIT 1
SELECT * FROM information_schema . tables LIMIT 1
SELECT table_name FROM information_schema.columns WHERE table_schema = 'app' LIMIT 1
SELECT * FROM performance_schema.threads LIMIT 1
SELECT * FROM mysql.user LIMIT 1
SELECT user, host FROM `mysql`.user
SELECT * FROM sys.version
SELECT * FROM t JOIN information_schema.tables AS i ON 1 = 1 LIMIT 1
SELECT * FROM t WHERE id IN (SELECT 1 FROM information_schema.engines)
WITH x AS (SELECT * FROM information_schema.engines) SELECT * FROM x
SELECT 1 UNION SELECT 2 FROM information_schema.engines
SELECT mysql.user.host FROM mysql.user
SELECT * FROM Mysql.general_log
-- > primary session_change
USE mysql
USE information_schema
USE performance_schema
-- > replica plain_read
SELECT 'information_schema.tables'
SELECT * FROM t /* mysql.user */

-- ? schema=mysql
-- > primary local_schema
SELECT 1
SELECT * FROM user
SELECT * FROM general_log
-- ? schema=information_schema
-- > primary local_schema
SELECT * FROM tables LIMIT 1
SELECT 1
-- ? schema=performance_schema
-- > primary local_schema
SELECT * FROM threads LIMIT 1
