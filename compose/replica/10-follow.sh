# Sourced by the image's entrypoint, once, when the data folder is new.
#
# What this server has made by itself is in no history (the primary has it too: see 10-history.sh
# there), so it follows the primary from the beginning. The server keeps these settings, and starts
# to replicate by itself at every start.
case $(docker_process_sql --skip-column-names <<<'SELECT VERSION()') in
*MariaDB*)
    docker_process_sql <<SQL
RESET MASTER;
SET GLOBAL gtid_slave_pos = '';
CHANGE MASTER TO MASTER_HOST = 'primary', MASTER_USER = 'replication',
    MASTER_PASSWORD = '$REPLICATION_PASSWORD', MASTER_USE_GTID = slave_pos,
    MASTER_SSL = 0, MASTER_CONNECT_RETRY = 1;
SQL
    ;;
*)
    docker_process_sql <<<'RESET BINARY LOGS AND GTIDS' 2>/dev/null || docker_process_sql <<<'RESET MASTER'
    docker_process_sql <<SQL
CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'primary', SOURCE_USER = 'replication',
    SOURCE_PASSWORD = '$REPLICATION_PASSWORD', SOURCE_AUTO_POSITION = 1,
    GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400;
SQL
    ;;
esac
