# A shop that knows one address. Every second it takes an order and reads it back in the same
# session, which must show it; then somebody else looks at the total, which any server may answer.

# mysql://USER:PASSWORD@HOST:PORT/DATABASE
rest=${DSN#mysql://}
account=${rest%@*}
place=${rest##*@}
address=${place%/*}
export MYSQL_PWD="${account#*:}"

# MariaDB's command line wants to check a certificate; the one Headgate makes for itself has no authority.
if command -v mariadb >/dev/null; then
    set -- mariadb --disable-ssl-verify-server-cert
else
    set -- mysql
fi
set -- "$@" --host="${address%:*}" --port="${address#*:}" --user="${account%%:*}" --database="${place#*/}" \
    --batch --skip-column-names --connect-timeout=5

number=0
while sleep 1; do
    number=$((number + 1))
    case $((number % 3)) in
    0) item=tea ;;
    1) item=coffee ;;
    *) item=cocoa ;;
    esac
    pieces=$((number % 5 + 1))
    order=$("$@" --execute="INSERT INTO orders (item, pieces) VALUES ('$item', $pieces);
        SELECT CONCAT('order ', id, ': ', pieces, ' ', item) FROM orders WHERE id = LAST_INSERT_ID()") &&
        total=$("$@" --execute="SELECT CONCAT('in all ', SUM(pieces), ' pieces in ', COUNT(*), ' orders') FROM orders") || {
        echo 'the shop is closed for the moment'
        continue
    }
    echo "$order; $total"
    date +%s >/tmp/last-order
done
