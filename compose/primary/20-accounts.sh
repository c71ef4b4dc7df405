# The accounts that the cluster needs besides the application's; they reach the replicas as all data does.
case $(docker_process_sql --skip-column-names <<<'SELECT VERSION()') in
*MariaDB*) watch='REPLICA MONITOR, BINLOG MONITOR, SHOW VIEW' ;;
*) watch='REPLICATION CLIENT, SHOW VIEW' ;;
esac

docker_process_sql <<SQL
CREATE USER replication@'%' IDENTIFIED BY '$REPLICATION_PASSWORD';
GRANT REPLICATION SLAVE ON *.* TO replication@'%';

-- Headgate's control account: it watches the servers and cannot read the application's data.
CREATE USER headgate@'%' IDENTIFIED BY '$CONTROL_PASSWORD';
GRANT $watch ON *.* TO headgate@'%';
GRANT SELECT ON mysql.user TO headgate@'%';
SQL
