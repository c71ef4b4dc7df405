-- Character sets, of which the servers report the smaller half.

-- ? SET NAMES
SET NAMES utf8mb4
SET NAMES latin1
SET NAMES 'utf8mb4'
SET NAMES "latin2"
SET NAMES utf8mb3
SET NAMES utf8
SET NAMES binary
SET NAMES ascii
SET NAMES DEFAULT
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci
SET NAMES utf8mb4
SET NAMES 'latin1' COLLATE 'latin1_german2_ci'
SET NAMES latin1 COLLATE utf8mb4_bin
SET NAMES no_such_charset
SET NAMES utf8mb4 COLLATE no_such_collation
SET NAMES gbk
SET NAMES sjis
SET NAMES utf8mb4

-- ? SET CHARACTER SET, which takes the schema's collation for the connection
SET CHARACTER SET utf8mb4
SET CHARACTER SET latin1
SET CHARSET utf8mb4
SET CHARACTER SET 'utf8mb4'
SET CHARACTER SET DEFAULT
SET CHARACTER SET no_such_charset
USE latin
SET CHARACTER SET utf8mb4
USE app
SET CHARACTER SET utf8mb4
SET NAMES utf8mb4

-- ? single variables
SET character_set_client = latin1
SET character_set_results = utf8mb4
SET character_set_results = NULL
SET character_set_results = binary
SET character_set_results = utf8mb4
SET character_set_connection = latin1
SET character_set_connection = utf8mb4
SET collation_connection = utf8mb4_bin
SET collation_connection = latin1_swedish_ci
SET collation_connection = utf8mb4_unicode_ci
SET character_set_client = utf8mb4, character_set_connection = utf8mb4, character_set_results = utf8mb4
SET SESSION character_set_results = latin1, sql_mode = 'ANSI_QUOTES'
SET @@character_set_results = utf8mb4
SET @@session.collation_connection = utf8mb4_general_ci
SET collation_connection = no_such_collation
SET character_set_client = ucs2
SET character_set_client = DEFAULT
SET collation_connection = DEFAULT
SET character_set_results = DEFAULT

-- ? mixed
SET NAMES latin1
SET collation_connection = utf8mb4_bin
SET NAMES utf8mb4
SET character_set_results = NULL
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SET character_set_server = latin1
-- ? mixed
SET collation_server = utf8mb4_bin
SET NAMES utf8mb4
-- ? mixed
SET character_set_database = latin1
-- ? mixed
SET collation_database = utf8mb4_bin
-- ? mixed
SET character_set_filesystem = utf8mb4
-- ? an error between
SET NAMES latin1
SELECT * FROM no_such_table
SET NAMES utf8mb4 COLLATE utf8mb4_bin
INSERT INTO t (id) VALUES (1)
SET NAMES latin2
nonsense
SET NAMES utf8mb4
