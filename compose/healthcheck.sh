# Is this database server ready? It must serve clients over the network (while the image prepares a
# new data folder the server has no port), and if it follows another, both its threads must run. Who
# follows whom may change: any of the three may be the primary.
client=$(command -v mariadb || command -v mysql)
export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"
status=$("$client" --host=127.0.0.1 --user=root --vertical --execute='SHOW REPLICA STATUS') || exit 1
[ -n "$status" ] || exit 0
running=$(printf '%s\n' "$status" | grep -cE '_(IO|SQL)_Running: Yes')
[ "$running" -eq 2 ]
