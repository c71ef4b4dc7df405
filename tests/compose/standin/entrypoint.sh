#!/bin/bash
# What docker-compose.yml relies on in the entrypoints of the official mysql and mariadb images, written
# anew: the environment variables, the init folder with its docker_process_sql, the unprivileged user.
set -eo pipefail
shopt -s nullglob

socket=/var/run/mysqld/mysqld.sock
data=/var/lib/mysql
client=$(command -v mariadb || command -v mysql)

# As the images have it: root's password from the environment, the database chosen if there is one.
docker_process_sql() {
    local password=$MYSQL_ROOT_PASSWORD
    if [ "${1-}" = --dont-use-mysql-root-password ]; then
        password=
        shift
    fi
    MYSQL_PWD=$password "$client" --user=root --socket="$socket" --comments \
        ${MYSQL_DATABASE:+--database="$MYSQL_DATABASE"} "$@"
}

initialize() {
    case $1 in
    mysqld) "$@" --initialize-insecure ;;
    *)
        # mariadb-install-db needs programs that are not here; these are its scripts. The lines left
        # out make accounts for the name of this host.
        mkdir -p "$data/mysql"
        local script
        {
            printf 'USE mysql;\nSET @auth_root_socket = NULL;\n'
            for script in system_tables performance_tables system_tables_data; do
                cat /opt/server/usr/share/m*/m*_"$script".sql | grep -v '@current_hostname'
            done
        } | "$@" --bootstrap --skip-log-bin --enforce-storage-engine= --max-allowed-packet=8M
        ;;
    esac
}

start_temporary_server() {
    "$@" --skip-networking --skip-slave-start &
    server=$!
    local left=120
    until docker_process_sql --dont-use-mysql-root-password --database=mysql <<<'SELECT 1' >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] && kill -0 "$server" || { echo 'the temporary server does not start' >&2 && exit 1; }
        sleep 0.5
    done
}

# root's password and its account for other hosts are not logged; what follows them is.
make_accounts() {
    docker_process_sql --dont-use-mysql-root-password --database=mysql <<SQL
SET SESSION sql_log_bin = 0;
DROP USER IF EXISTS root@'127.0.0.1', root@'::1';
ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
CREATE USER root@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
SQL
    [ -z "$MYSQL_DATABASE" ] || docker_process_sql --database=mysql <<<"CREATE DATABASE $MYSQL_DATABASE"
    [ -z "$MYSQL_USER" ] || docker_process_sql --database=mysql <<SQL
CREATE USER $MYSQL_USER@'%' IDENTIFIED BY '$MYSQL_PASSWORD';
GRANT ALL ON $MYSQL_DATABASE.* TO $MYSQL_USER@'%';
SQL
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        echo "running $file"
        case $file in
        *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
        *.sql) docker_process_sql <"$file" ;;
        *) echo "ignoring $file" ;;
        esac
    done
}

if [ "${1:0:1}" = - ]; then
    set -- "$SERVER" "$@"
fi
if [ "$1" = "$SERVER" ]; then
    if [ "$(id -u)" -eq 0 ]; then
        chown mysql "$data" /var/run/mysqld
        exec setpriv --reuid=999 --regid=999 --clear-groups "$0" "$@"
    fi
    if [ ! -d "$data/mysql" ]; then
        : "${MYSQL_ROOT_PASSWORD:?is not set}"
        initialize "$@"
        start_temporary_server "$@"
        make_accounts
        run_init_files
        kill "$server"
        wait "$server"
    fi
fi
exec "$@"
