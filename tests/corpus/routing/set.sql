-- SET in its forms.

-- Variables of the session with a value that is the same on any connection.
-- > primary session_change
SET sql_mode = ''
SET sql_mode = 'STRICT_TRANS_TABLES'
SET SESSION sql_mode = 'ANSI_QUOTES'
SET LOCAL sql_mode = ''
SET @@sql_mode = ''
SET @@session.sql_mode = ''
SET @@local.sql_mode = ''
SET sql_mode := ''
SET sql_mode = DEFAULT
SET time_zone = '+00:00'
SET time_zone = '+02:00', sql_mode = ''
SET SESSION time_zone = '+00:00', SESSION sql_mode = ''
SET wait_timeout = 600
SET wait_timeout=28800
SET net_write_timeout = 600
SET SESSION group_concat_max_len = 100000
SET sort_buffer_size = 300000
SET foreign_key_checks = 0
SET FOREIGN_KEY_CHECKS=1
SET unique_checks = OFF
SET lc_time_names = 'de_DE'
SET div_precision_increment = 6
SET sql_select_limit = 100
SET sql_safe_updates = 1
SET optimizer_switch = 'mrr=off'
SET lock_wait_timeout = 5, innodb_lock_wait_timeout = 5
SET autocommit = 1, sql_mode = ''
SET sql_mode = '', autocommit = 1
SET sql_mode='STRICT_TRANS_TABLES', time_zone='+00:00', autocommit=1
SET max_sort_length = 512
SET transaction_isolation = 'READ-COMMITTED'
SET SESSION tx_isolation = 'READ-COMMITTED'
-- > mysql: primary session_change
SET max_execution_time = 1000
SET SESSION cte_max_recursion_depth = 10
-- > mariadb: primary session_change
SET max_statement_time = 1
SET SESSION old_mode = ''

-- Character sets.
-- > primary session_change
SET NAMES utf8mb4
SET NAMES 'utf8mb4'
SET NAMES "latin1"
set names utf8
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci'
SET NAMES/**/utf8mb4
SET NAMES DEFAULT
SET NAMES latin1;
SET CHARACTER SET utf8mb4
SET CHARSET utf8mb4
SET CHARACTER SET 'latin1'
SET CHARACTER SET DEFAULT
SET character_set_results = NULL
SET character_set_client = latin1
SET character_set_connection = utf8mb4
SET SESSION character_set_results = utf8mb4
SET collation_connection = utf8mb4_bin
SET character_set_client = utf8mb4, character_set_results = utf8mb4
SET @@character_set_results = utf8mb4
USE app
USE `app`
use app;

-- User variables, and values that are only known when they run.
-- > primary session_change
SET @a = 1
SET @a := 1
SET @a = 1, sql_mode = ''
SET sql_mode = '', @a = 1
SET NAMES utf8mb4, @a = 1
-- > primary not_plain
SET @a = (SELECT MAX(a) FROM t)
SET @a = writes_no_sql(1)
SET sql_mode = (SELECT 'ANSI_QUOTES')
SET time_zone = writes_no_sql(1)
-- > primary session_change
SET sql_mode = @a
SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')
-- > primary transaction_control
SET autocommit = @a

-- What cannot be made again, or is spent.
-- > primary not_plain
SET ROLE NONE
SET ROLE ALL
SET
SET TRANSACTION
SET sql_mode
SET sql_mode = ,
SET = 1
SET @@
SET SESSION
-- > primary session_change
SET timestamp = 1000000
SET timestamp = DEFAULT
SET insert_id = 100
SET last_insert_id = 77
SET rand_seed1 = 1, rand_seed2 = 2
SET identity = 5
SET sql_log_bin = 0
SET SESSION sql_log_bin = OFF
SET pseudo_thread_id = 5
SET gtid_next = 'AUTOMATIC'
SET session_track_schema = 0
SET session_track_system_variables = '*'
SET SESSION session_track_state_change = 1
SET no_such_variable = 1
SET sql_mode = 'ANSI' sql_mode
-- > mysql: primary not_plain
SET RESOURCE GROUP USR_default
-- > mariadb: primary not_plain
SET STATEMENT max_statement_time = 1 FOR SELECT 1
SET STATEMENT sql_mode = 'ANSI' FOR INSERT INTO t (a) VALUES (1)
-- > mariadb: primary session_change
SET skip_replication = 1
SET gtid_domain_id = 0
SET server_id = 1

-- For everybody.
-- ? harmful
-- > primary not_plain
SET GLOBAL max_connections = 500
SET GLOBAL read_only = 1
SET @@global.max_connections = 500
SET sql_mode = '', GLOBAL max_connections = 500
SET SESSION sql_mode = '', @@global.max_connections = 500
-- > mysql: primary not_plain
SET PERSIST max_connections = 500
SET PERSIST_ONLY max_connections = 500
SET @@persist.max_connections = 500
RESET PERSIST max_connections
