//! Tables and functions by sqlparser.

use super::*;

fn found(text: &str) -> Option<(String, String)> {
    let show = |names: &[(Option<Name>, Name)]| {
        let one = |(schema, name): &(Option<Name>, Name)| match schema {
            Some(schema) => format!("{schema}.{name}"),
            None => name.to_string(),
        };
        names.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    relations(text.as_bytes(), MODE).map(|found| (show(&found.tables), show(&found.functions)))
}

#[test]
fn tables_and_functions() {
    for (text, tables, functions) in [
        ("SELECT v FROM t", "t", ""),
        ("SELECT a.v, COUNT(*) FROM d.t AS v JOIN `u x` ON v.a = f(`u x`.v)", "d.t u x", "COUNT f"),
        ("SELECT (SELECT 1 FROM a) FROM (SELECT 2 FROM b) AS c WHERE EXISTS (SELECT 3 FROM d)", "a b d", ""),
        ("SELECT 1 FROM a UNION SELECT 2 FROM b UNION ALL (SELECT d.f(1) FROM c)", "a b c", "d.f"),
        ("WITH c AS (SELECT 1 FROM t) SELECT * FROM c, u", "t u", ""),
        // Without RECURSIVE a table of WITH is not seen in itself, and nowhere before.
        ("WITH t AS (SELECT 1 FROM t) SELECT * FROM t", "t", ""),
        ("WITH RECURSIVE t AS (SELECT 1 UNION SELECT 2 FROM t) SELECT * FROM t", "", ""),
        ("WITH a AS (SELECT 1 FROM b), b AS (SELECT 1 FROM a) SELECT * FROM a, b", "b", ""),
        ("WITH a AS (WITH b AS (SELECT 1 FROM a) SELECT 1 FROM b) SELECT 1 FROM b, a", "a b", ""),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT 1 FROM a) AS x, a", "a", ""),
        // Another schema's, or another case's, is not the same.
        ("WITH a AS (SELECT 1) SELECT 1 FROM d.a, A", "d.a A", ""),
        ("SELECT * FROM a JOIN (b CROSS JOIN c) ON 1", "a b c", ""),
        ("SELECT * FROM a, JSON_TABLE('[]', '$[*]' COLUMNS(x INT PATH '$')) AS j", "a", ""),
        ("SELECT größe FROM `maße`", "maße", ""),
    ] {
        assert_eq!(found(text), Some((tables.to_owned(), functions.to_owned())), "{text}");
    }
}

#[test]
fn nothing_is_known_of_the_rest() {
    let long = format!("SELECT '{}'", "x".repeat(17_000));
    let chain = format!("SELECT 1{}", " + 1".repeat(251));
    for text in [
        "SELECT 1; SELECT 2",
        "INSERT INTO t VALUES (1)",
        "WITH a AS (SELECT 1) DELETE FROM t",
        "TABLE t",
        "SELECT * FROM t UNION TABLE u",
        "SELCT 1",
        "SELECT",
        "SELECT 'a",
        "SELECT * FROM a.b.c",
        "SELECT * FROM f(1)",
        "SELECT * FROM /*!50000 v */",
        "SELECT * FROM t /*M! v */",
        &long,
        &chain,
        "",
    ] {
        assert_eq!(found(text), None, "{text:.60}");
    }
    assert_eq!(relations(b"SELECT '\xff'", MODE), None);
    assert_eq!(relations(b"SELECT 1 FROM 'w'", MODE), None, "a string is no table");
    assert_eq!(relations(b"SELECT \"a\" FROM t", ANSI), None);
    assert_eq!(relations(b"SELECT '\\' FROM t", NO_ESCAPES), None);
    assert!(relations(b"SELECT \"a\", '\\'' FROM t", MODE).is_some());
}

/// Less than a worker has, which has used some of it before.
const STACK: usize = 3 * 512 * 1024;

/// The deepest trees that the bounds let through, unoptimised.
#[test]
fn no_text_overflows_the_stack() {
    let chains = [
        "1 + ",
        "1 - -",
        "a AND ",
        "NOT ",
        "- ",
        "~",
        "!",
        "BINARY ",
        "a IS NULL OR ",
        "a LIKE ",
        "a COLLATE b || ",
        "a IN (1) = ",
        "a BETWEEN 1 AND ",
        "CASE WHEN ",
        "a -> '$' -> ",
        "INTERVAL ",
        "a := ",
        "@a := ",
        "a.b.c.d = ",
        "EXISTS ",
        "a XOR ",
        "a DIV ",
        "a MEMBER OF ",
        "PRIOR ",
        "a AT TIME ZONE ",
        "a::",
        "a[1]",
        "a IS NULL ",
        "a ISNULL ",
        "a NOTNULL ",
        "x'1' ",
        "_a ",
        "a.",
        "f(1).",
        "a:b",
        "?",
        "ALL ",
        "a RLIKE ",
        "$a",
        "{",
        "#",
    ];
    let openings = [
        ("(", ")"),
        ("(SELECT ", ")"),
        ("f(", ")"),
        ("((", "))"),
        ("(1, (", "))"),
        ("EXISTS (SELECT ", ")"),
        ("CASE WHEN 1 THEN (", ") END"),
        ("1 IN (", ")"),
        ("CAST(", " AS CHAR)"),
        ("IF(1, ", ", 2)"),
        ("ROW(", ")"),
        ("(SELECT 1 FROM (SELECT ", ") AS t)"),
        ("(WITH c AS (SELECT 1) SELECT ", ")"),
        ("{fn f(", ")}"),
        ("[", "]"),
        ("CASE a WHEN ", " THEN 1 END"),
        ("TRIM(", ")"),
        ("EXTRACT(DAY FROM ", ")"),
        ("a OVER (ORDER BY ", ")"),
    ];
    let mut texts = Vec::new();
    for chain in chains {
        for count in [20, 48, 62, 83, 100, 124, 125, 249, 250, 499, 1000, 1990] {
            texts.push(format!("SELECT {}1", chain.repeat(count)));
            texts.push(format!("SELECT 1 FROM t WHERE a {}", chain.repeat(count)));
        }
    }
    for (open, close) in openings {
        for count in 1..60 {
            let middle = " + 1".repeat(249 - count);
            texts.push(format!("SELECT {}1{}", open.repeat(count), close.repeat(count)));
            texts.push(format!("SELECT {}1{middle}{}", open.repeat(count), close.repeat(count)));
        }
    }
    for (part, count) in [
        (" UNION SELECT 1", 124),
        (" UNION ALL (SELECT 1)", 124),
        (" EXCEPT SELECT 1", 124),
        (" INTERSECT SELECT 1", 124),
        (" FROM t JOIN t", 61),
        (", (SELECT 1)", 240),
        (" FROM a NATURAL JOIN b", 61),
        (" ORDER BY 1", 900),
    ] {
        texts.push(format!("SELECT 1{}", part.repeat(count)));
    }
    texts.push(format!("SELECT 1 FROM t{}", " JOIN t".repeat(10)));
    texts.push(format!("SELECT 1 FROM t{}{}", " JOIN t".repeat(10), " ON 1".repeat(10)));
    for join in
        [" LEFT JOIN t", " NATURAL JOIN t", " CROSS JOIN t", " STRAIGHT_JOIN t", " INNER JOIN (t JOIN t)"]
    {
        texts.push(format!("SELECT 1 FROM t{}", join.repeat(61)));
        texts.push(format!("SELECT 1 FROM t{}", join.repeat(10)));
        texts.push(format!("SELECT 1 FROM t{}", format!("{join} ON 1").repeat(80)));
        texts.push(format!("SELECT 1 FROM t{}{}1", join.repeat(10), " ON (SELECT".repeat(23)));
    }
    texts.push(format!("SELECT 1 FROM t{}", " APPLY t".repeat(240)));
    texts.push(format!("SELECT 1 FROM t{}", " PIVOT (a)".repeat(240)));
    texts.push(format!("SELECT 1 FROM {}t{}", "(".repeat(24), ")".repeat(24)));
    texts.push(format!("SELECT 1 FROM {}t{}", "(t JOIN ".repeat(24), ")".repeat(24)));
    let run = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || texts.iter().filter(|text| relations(text.as_bytes(), MODE).is_some()).count());
    let parsed = run.unwrap().join().unwrap();
    assert!(parsed > 100, "{parsed} of the texts parse");
}
