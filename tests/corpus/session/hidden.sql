-- Changes that no SET of the client's names.

-- ? a procedure that sets
CALL p_sets()
SET sql_mode = ''

-- ? a procedure that sets and fails
CALL p_sets_and_fails()
SELECT 1
SELECT COUNT(*) FROM t

-- ? a procedure that sets the character set
CALL p_sets_names()

-- ? a procedure that does nothing
CALL p_reads()
SET sql_mode = ''

-- ? a function that sets
SELECT sets_sql_mode()
SELECT 1

-- ? a function that sets, in a write
INSERT INTO t (a) VALUES (sets_sql_mode())
SELECT 1

-- ? a trigger that sets
INSERT INTO t_sets (a) VALUES (1)
SELECT 1

-- ? a trigger that sets and fails
INSERT INTO t_fails (a) VALUES (1)
SELECT 1
SELECT 2
SELECT 3

-- ? a view over a function that sets
SELECT * FROM v_sets
SELECT 1

-- ? prepared text
PREPARE s FROM 'SET sql_mode = ''ANSI_QUOTES'''
EXECUTE s
DEALLOCATE PREPARE s
SET time_zone = '+01:00'

-- ? several statements in one text
SET sql_mode = 'ANSI_QUOTES'; SET time_zone = '+01:00'
SELECT 1; SET group_concat_max_len = 4096; SELECT 2
SET NAMES latin1; SELECT 1
USE latin; SET NAMES utf8mb4 COLLATE utf8mb4_bin
SET sql_mode = ''; nonsense
SET sql_mode = 'ANSI'; SELECT * FROM no_such_table; SET time_zone = '+03:00'
SET @a = 1; SET time_zone = '+04:00'

-- ? version comments
/*!40101 SET sql_mode = 'ANSI_QUOTES' */
/*!50503 SET NAMES latin1 */
SET /*!40101 time_zone = '+01:00', */ group_concat_max_len = 4096
SET sql_notes = 0 /*!99999 , time_zone = '+09:00' */

-- ? what mysqldump writes
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */
/*!40101 SET NAMES utf8mb4 */
/*!40103 SET TIME_ZONE='+00:00' */
/*!40014 SET FOREIGN_KEY_CHECKS=0 */
/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */

-- ? user variables
SET @a = 1
SET sql_mode = ''
-- ? user variables
SELECT @a := 1
SET sql_mode = ''
-- ? user variables
SELECT 1 INTO @b
SET sql_mode = ''

-- ? locks and temporary tables
CREATE TEMPORARY TABLE tmp (a INT)
SET sql_mode = 'ANSI_QUOTES'
DROP TEMPORARY TABLE tmp
-- ? locks and temporary tables
LOCK TABLES t READ
SET time_zone = '+01:00'
UNLOCK TABLES
SET time_zone = '+02:00'
-- ? locks and temporary tables
SELECT GET_LOCK('oracle', 0)
SET sql_mode = ''
SELECT RELEASE_LOCK('oracle')

-- ? roles
SET ROLE NONE
SET sql_mode = ''

-- ? one statement's variables
SELECT /*+ SET_VAR(sql_mode='ANSI_QUOTES') */ 1
SELECT 1
-- > mariadb
SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT 1
SET STATEMENT time_zone = '+01:00' FOR SELECT NOW()
SELECT 1

-- ? everything for everybody
SET GLOBAL group_concat_max_len = 2000
SET SESSION group_concat_max_len = DEFAULT
SET GLOBAL group_concat_max_len = DEFAULT
SET SESSION group_concat_max_len = DEFAULT

-- ? resets
SET sql_mode = 'ANSI_QUOTES', time_zone = '+01:00'
SET NAMES latin1
\reset
SET NAMES utf8mb4
SET sql_mode = ''
\reset
\reset
SET NAMES utf8mb4
USE latin
\reset
SET NAMES utf8mb4
SELECT 1

-- ? what drivers send first
SET NAMES utf8mb4
SET AUTOCOMMIT = 1
SET SQL_AUTO_IS_NULL = 0
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
SET sql_mode='STRICT_TRANS_TABLES'
SET character_set_results = NULL
SET @@SESSION.sql_mode = CONCAT(CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), ',NO_AUTO_VALUE_ON_ZERO'), @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483

-- ? what drivers send first
SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci'
SET SESSION sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'
SET time_zone='+00:00'
SET character_set_results = NULL, sql_mode = 'STRICT_TRANS_TABLES', autocommit = 1
