-- Version comments are text to some servers and nothing to others. A plain read is one only where every
-- supported version of its server's family (MySQL 8.0 and later, MariaDB 10.6 and later) reads it alike.

-- > replica plain_read
SELECT /*!40001 SQL_NO_CACHE */ * FROM t
SELECT /*! SQL_NO_CACHE */ * FROM t
SELECT /*!50100 1 */
SELECT 1 /*!50100 + 1 */
/*!40101 SELECT 1 */
SELECT * FROM t /*!40000 ORDER BY id */
SELECT /*!50000 a, */ b FROM t
SELECT/*!50100*/1
SELECT '/*!50100 FOR UPDATE */'
-- Nobody knows what later versions are called.
-- > primary not_plain
SELECT 1 /*!99999 FOR UPDATE */
SELECT 1 /*!99999 nonsense that nobody reads */

-- What is hidden in them counts wherever one server could read it.
-- > primary not_plain
SELECT * FROM t /*!50000 FOR UPDATE */
SELECT * FROM t /*! FOR UPDATE */
SELECT * FROM t /*!FOR UPDATE*/
SELECT * FROM t FOR /*! UPDATE */
SELECT * FROM t /*!50000 FOR */ UPDATE
SELECT * FROM t /*!50000 LOCK IN SHARE MODE */
SELECT 1 /*!50000 INTO @a */
SELECT * FROM t /*!50000 INTO OUTFILE '/dev/null/no' */
SELECT /*!50000 GET_LOCK('a', 0) */
SELECT GET_LOCK/*!50000 ('a', 0) */
SELECT /*!50000 @a := 1 */
SELECT 1 /*!50000 UNION SELECT GET_LOCK('a', 0) */
SELECT 1 /*!50000 */ FOR UPDATE
-- > primary stored_function
SELECT /*!50000 writes_no_sql(1) */

-- Versions between the supported ones: one server reads it, the other does not.
-- > primary not_plain
SELECT 1 /*!80030 + 1 */
SELECT 1 /*!90000 + 1 */
SELECT 1 /*!80400 FOR UPDATE */
SELECT 1 /*!100100 FOR UPDATE */
SELECT 1 /*!101100 + 1 */
SELECT 1 /*!50100 + 1
SELECT 1 /*!50100 /* x */ + 1 */
SELECT 1 /*!5010 + 1 */
SELECT 1 /*!501001 + 1 */
SELECT 1 /*!80000FOR UPDATE*/
-- The oldest supported versions, and comments that only the other family could read.
-- > mysql: replica plain_read
SELECT 1 /*!80000 + 1 */
SELECT 1 /*M!100100 FOR UPDATE */
SELECT 1 /*M! FOR UPDATE */
SELECT 1 /*M!101100 + 1 */
SELECT /*!50701 1 + */ 1
-- > mariadb: primary not_plain
SELECT 1 /*!80000 + 1 */
SELECT 1 /*M!100100 FOR UPDATE */
SELECT 1 /*M! FOR UPDATE */
SELECT 1 /*M!101100 + 1 */
SELECT /*!50701 1 + */ 1
-- > mysql: primary not_plain
SELECT 1 /*!100600 + 1 */
-- > mariadb: replica plain_read
SELECT 1 /*!100600 + 1 */

-- > primary write
INSERT INTO t (a) VALUES (1) /*!50000 ON DUPLICATE KEY UPDATE a = 1 */
INSERT /*!40000 IGNORE */ INTO t (a) VALUES (1)
/*!50000 UPDATE t SET a = 1 WHERE id = 1 */
-- > primary ddl
CREATE TABLE /*!32312 IF NOT EXISTS*/ ddl_version (a INT) /*!40100 DEFAULT CHARSET=utf8mb4 */
DROP /*!50000 TABLE */ IF EXISTS ddl_version
-- What mysqldump writes.
-- > primary session_change
/*!40101 SET NAMES utf8mb4 */
/*!50503 SET NAMES utf8mb4 */;
/*!40101 SET character_set_client = utf8mb4 */
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
-- > primary session_change
DROP /*!40005 TEMPORARY */ TABLE IF EXISTS tmp
-- > primary session_change
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
