-- User variables belong to the session; most system variables to the session or the server.

-- > primary not_plain
SELECT @a
SELECT @a, @b FROM t
SELECT @`a b`
SELECT @'x', @"y"
SELECT @a.b
SELECT @a:=1
SELECT @a := 1
SELECT @a:=a FROM t
SELECT @rank := @rank + 1 AS r, a FROM t, (SELECT @rank := 0) AS z
SELECT * FROM t WHERE (@x := a) > 1
SELECT * FROM t WHERE id = @id
SELECT * FROM t LIMIT 1 OFFSET 0 -- @a«0a»UNION SELECT @a, 1, 1, 1, 1, 1, 1
SELECT @@version
SELECT @@version_comment LIMIT 1
SELECT @@session.auto_increment_increment
SELECT @@SESSION.sql_mode, @@global.max_connections
SELECT @@autocommit
SELECT @@tx_isolation
SELECT @@transaction_isolation
SELECT @@identity
SELECT @@last_insert_id
SELECT @@warning_count, @@error_count
SELECT @@global.read_only
SELECT @@hostname, @@server_id, @@port
SELECT @@gtid_executed
SELECT @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@max_allowed_packet AS max_allowed_packet
SELECT 1 + @@max_allowed_packet FROM t
SELECT /* hello */ @@timestamp
SELECT @@ version
SELECT @ @version
