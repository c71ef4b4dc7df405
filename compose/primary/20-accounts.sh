# The accounts that the cluster needs besides the application's; they reach the replicas as all data does.
# What Headgate's account may do beyond watching, it needs to make another server the primary:
# docs/grants.md says what each of it is for.
version=$(docker_process_sql --skip-column-names <<<'SELECT VERSION()')
case $version in
*MariaDB*)
    watch='REPLICA MONITOR, BINLOG MONITOR, SHOW VIEW'
    promote='REPLICATION SLAVE ADMIN, READ_ONLY ADMIN, CONNECTION ADMIN, PROCESS, RELOAD,
        REPLICATION MASTER ADMIN, BINLOG ADMIN, EVENT, SET USER'
    routines='SELECT ON mysql.proc'
    ;;
*)
    watch='REPLICATION CLIENT, SHOW VIEW'
    promote='REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, PROCESS, RELOAD,
        XA_RECOVER_ADMIN, EVENT, SET_ANY_DEFINER'
    routines='SHOW_ROUTINE ON *.*'
    [ "${version#8.0.}" = "$version" ] || promote=${promote/SET_ANY_DEFINER/SET_USER_ID}
    ;;
esac

docker_process_sql <<SQL
CREATE USER replication@'%' IDENTIFIED BY '$REPLICATION_PASSWORD';
GRANT REPLICATION SLAVE ON *.* TO replication@'%';

-- Headgate's control account: it watches the servers and promotes them, and has no right of its own to the application's data.
CREATE USER headgate@'%' IDENTIFIED BY '$CONTROL_PASSWORD';
GRANT $watch, $promote ON *.* TO headgate@'%';
GRANT SELECT ON mysql.user TO headgate@'%';
-- What stored code leaves on a connection. Without both, sessions that write keep theirs.
GRANT TRIGGER ON *.* TO headgate@'%';
GRANT $routines TO headgate@'%';
-- Here replicas count the heartbeats that they get. MariaDB tells that elsewhere, and does not mind.
GRANT SELECT ON performance_schema.* TO headgate@'%';
SQL
