-- What the application stores, in the database that MYSQL_DATABASE names.
CREATE TABLE orders (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    item VARCHAR(40) NOT NULL,
    pieces INT NOT NULL,
    ordered_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
