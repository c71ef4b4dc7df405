//! Which views and functions are pure.

use super::{Catalog, Definitions, FunctionBody, ViewBody};
use crate::sql::Dialect;

fn view(name: &str, definition: &str) -> ViewBody {
    let definition = (!definition.is_empty()).then(|| definition.to_owned());
    ViewBody { name: name.to_owned(), definition }
}

/// `schema.name`
fn function(name: &str, body: &str) -> FunctionBody {
    let (schema, name) = name.split_once('.').unwrap();
    FunctionBody {
        schema: schema.to_owned(),
        name: name.to_owned(),
        body: (!body.is_empty()).then(|| body.to_owned()),
        sql_mode: "STRICT_TRANS_TABLES".to_owned(),
        charset: "utf8mb4".to_owned(),
        parameters: vec!["x".to_owned()],
    }
}

fn definitions(views: &[(&str, &str)], functions: &[(&str, &str)]) -> Definitions {
    Definitions {
        views: views.iter().map(|(name, definition)| view(name, definition)).collect(),
        functions: Some(functions.iter().map(|(name, body)| function(name, body)).collect()),
        loadable: Some(vec!["udf".to_owned()]),
    }
}

fn catalog(views: &[(&str, &str)], functions: &[(&str, &str)]) -> Catalog {
    Catalog::new(&definitions(views, functions), Dialect::MySql, 90704)
}

#[track_caller]
fn check_views(catalog: &Catalog, pure: &[&str], impure: &[&str]) {
    for name in pure {
        assert!(!catalog.may_be_impure_view(name.as_bytes()), "{name}");
    }
    for name in impure {
        assert!(catalog.may_be_impure_view(name.as_bytes()), "{name}");
    }
    assert_eq!(catalog.has_only_pure_views(), impure.is_empty());
}

#[test]
fn a_view_is_what_its_definition_and_all_that_it_names_are() {
    let catalog = catalog(
        &[
            ("plain", "select `d`.`t`.`a` AS `a` from `d`.`t`"),
            ("over_plain", "select `d`.`plain`.`a` AS `a` from `d`.`plain`"),
            ("Locks", "select get_lock('a',1) AS `l`"),
            ("over_locks", "select `l`.`l` AS `l` from `d`.`Locks` `l`"),
            ("over_over", "select 1 AS `a` from (`d`.`t` join `d`.`over_locks`)"),
            ("hidden", ""),
            ("over_hidden", "select 1 AS `a` from `d`.`hidden`"),
            ("itself", "select `d`.`t`.`itself` AS `itself` from `d`.`t`"),
            ("local", "select `mysql`.`user`.`User` AS `u` from `mysql`.`user`"),
        ],
        &[],
    );
    let pure = ["plain", "PLAIN", "over_plain", "itself", "a_table", "t"];
    check_views(
        &catalog,
        &pure,
        &["locks", "LOCKS", "over_locks", "over_over", "hidden", "over_hidden", "local"],
    );
}

#[test]
fn views_that_call_functions_are_told() {
    let plain = ("v", "select `a`.`t`.`a` AS `a` from `a`.`t`");
    let calls = ("w", "select `d`.`f`(1) AS `a`");
    let function = ("d.f", "RETURN (SELECT MAX(a) FROM t)");
    assert!(!catalog(&[plain], &[function]).has_views_that_call());
    assert!(catalog(&[plain, calls], &[function]).has_views_that_call());
}

#[test]
fn views_of_one_name_are_as_bad_as_the_worst() {
    let good = ("v", "select `a`.`t`.`a` AS `a` from `a`.`t`");
    check_views(&catalog(&[good, good], &[]), &["v"], &[]);
    check_views(&catalog(&[good, ("V", "")], &[]), &[], &["v"]);
    check_views(&catalog(&[("V", ""), good], &[]), &[], &["v"]);
}

#[test]
fn names_outside_ascii_may_be_any_view_outside_ascii() {
    let bad = catalog(&[("v", ""), ("größe", "")], &[]);
    check_views(&bad, &["w"], &["V", "GRÖSSE", "größe"]);
    assert!(bad.may_be_impure_view(b"gr\xf6\xdfe"));
    assert!(!bad.may_be_impure_view(&[b'v'; 300]));
    let ascii = catalog(&[("v", "")], &[]);
    assert!(!ascii.may_be_impure_view("größe".as_bytes()));
    let over =
        [("größe", ""), ("w", "select 1 AS `a` from `d`.`höhe`"), ("x", "select 1 AS `a` from `d`.`t`")];
    check_views(&catalog(&over, &[]), &["x"], &["größe", "w"]);
}

#[test]
fn circles_are_clean_if_nothing_in_them_is_not() {
    let circle = [("a", "select 1 AS `x` from `d`.`b`"), ("b", "select 1 AS `x` from `d`.`c`")];
    let clean = [circle[0], circle[1], ("c", "select 1 AS `x` from `d`.`a`")];
    check_views(&catalog(&clean, &[]), &["a", "b", "c"], &[]);
    let dirty = [circle[0], circle[1], ("c", "select connection_id() AS `x` from `d`.`a`")];
    check_views(&catalog(&dirty, &[]), &[], &["a", "b", "c"]);
}

#[test]
fn long_chains_are_followed_to_the_end() {
    let names: Vec<(String, String)> =
        (0..20_000).map(|n| (format!("v{n}"), format!("select 1 AS `a` from `d`.`v{}`", n + 1))).collect();
    let mut views: Vec<(&str, &str)> = names.iter().map(|(name, text)| (&**name, &**text)).collect();
    assert!(catalog(&views, &[]).has_only_pure_views());
    views.push(("v20000", "select sleep(1) AS `a`"));
    assert!(catalog(&views, &[]).may_be_impure_view(b"v0"));
}

#[track_caller]
fn check_functions(catalog: &Catalog, pure: &[&str], impure: &[&str]) {
    let is_pure = |name: &str| match name.split_once('.') {
        Some((schema, name)) => catalog.is_pure_function(Some(schema.as_bytes()), name.as_bytes()),
        None => catalog.is_pure_function(None, name.as_bytes()),
    };
    for name in pure {
        assert!(is_pure(name), "{name}");
    }
    for name in impure {
        assert!(!is_pure(name), "{name}");
    }
}

#[test]
fn a_bare_name_may_mean_the_function_of_any_schema() {
    let catalog = catalog(
        &[],
        &[
            ("d.f", "RETURN x + 1"),
            ("e.F", "RETURN x + 2"),
            ("d.g", "RETURN x"),
            ("e.g", "BEGIN INSERT INTO t VALUES (x); RETURN x; END"),
            ("d.hidden", ""),
            ("d.udf", "RETURN x"),
        ],
    );
    check_functions(
        &catalog,
        &["f", "F", "d.f", "E.f", "d.g", "d.udf"],
        &["g", "e.g", "hidden", "d.hidden", "udf", "unknown", "d.unknown", "sys.f", "c.f", "größe"],
    );
}

#[test]
fn what_cannot_be_known_is_not_pure() {
    let known = definitions(&[], &[("d.f", "RETURN x")]);
    let new = |definitions: &Definitions| Catalog::new(definitions, Dialect::MySql, 90704);
    check_functions(&new(&known), &["f", "d.f"], &[]);
    check_functions(&new(&Definitions { loadable: None, ..known.clone() }), &["d.f"], &["f"]);
    check_functions(&new(&Definitions { functions: None, ..known.clone() }), &[], &["f", "d.f"]);
    let with = |change: fn(&mut FunctionBody)| {
        let mut changed = known.clone();
        change(&mut changed.functions.as_mut().unwrap()[0]);
        new(&changed)
    };
    check_functions(&with(|one| one.sql_mode = "PIPES_AS_CONCAT,ORACLE".into()), &[], &["f", "d.f"]);
    check_functions(&with(|one| one.charset = "sjis".into()), &[], &["f", "d.f"]);
    // Servers find é by e.
    let mut accents = known.clone();
    accents.functions.as_mut().unwrap().push(function("e.é", "RETURN x"));
    check_functions(&new(&accents), &["d.f"], &["f", "é", "e.é"]);
    accents.functions.as_mut().unwrap().push(function("d.long", "RETURN x"));
    check_functions(&new(&accents), &["long"], &["f"]);
}

#[test]
fn a_function_is_what_its_body_and_all_that_it_names_are() {
    let catalog = catalog(
        &[("dirty_view", "select connection_id() AS `n`"), ("clean_view", "select 1 AS `n`")],
        &[
            ("d.reads", "RETURN (SELECT MAX(a) FROM t)"),
            ("d.reads_clean", "RETURN (SELECT n FROM clean_view)"),
            ("d.reads_dirty", "RETURN (SELECT n FROM dirty_view)"),
        ],
    );
    check_functions(&catalog, &["reads", "reads_clean"], &["reads_dirty"]);
}

#[test]
fn calls_are_followed_through_views_and_functions() {
    let catalog = catalog(
        &[
            ("v_pure", "select `pure`(`d`.`t`.`a`) AS `f` from `d`.`t`"),
            ("v_caller", "select `d`.`caller`(1) AS `f`"),
            ("v_writes", "select `writes`(1) AS `f`"),
            ("v_calls_writes", "select `calls_writes`(1) AS `f`"),
            ("v_unknown", "select `nowhere`(1) AS `f`"),
            ("v_udf", "select `udf`(1) AS `f`"),
        ],
        &[
            ("d.pure", "RETURN x + 1"),
            ("d.caller", "BEGIN DECLARE y INT; SELECT d.pure(a) INTO y FROM t; RETURN pure(y); END"),
            ("d.writes", "BEGIN DELETE FROM t; RETURN x; END"),
            ("d.calls_writes", "RETURN pure(x) + writes(x)"),
            ("d.over_view", "RETURN (SELECT f FROM v_calls_writes)"),
            ("d.circle", "RETURN circle_too(x)"),
            ("d.circle_too", "RETURN circle(x)"),
        ],
    );
    check_views(&catalog, &["v_pure", "v_caller"], &["v_writes", "v_calls_writes", "v_unknown", "v_udf"]);
    check_functions(
        &catalog,
        &["pure", "caller", "circle", "circle_too"],
        &["writes", "calls_writes", "over_view"],
    );
}
