//! What the body of a stored function or a view reads, where it does nothing but read.
//!
//! The statements that a body may have are few and are listed here. Every byte of the body belongs to the
//! words of one of them or to a piece that [`classify`] calls a read, so what this reads otherwise than the
//! server does cannot hide a statement: the verbs of all others are no words of a read.

use super::lexer::{Kind, Lexer, Token};
use super::{Class, LexMode, classify};

/// The longest body that is read.
pub const LONGEST_BODY: usize = 64 * 1024;

/// Statements within statements.
const DEEPEST: usize = 32;

/// A text that is a [`Class::PlainRead`] or a [`Class::Calls`].
pub type Read = Box<[u8]>;

/// What a view's definition reads; nothing where it may do more.
#[must_use]
pub fn view_reads(definition: &[u8], mode: LexMode) -> Option<Vec<Read>> {
    is_read(definition, mode).then(|| vec![definition.into()])
}

/// What a stored function's body reads; nothing where it may do more.
///
/// It may declare local variables, cursors and handlers, set local variables and the `parameters`, branch,
/// loop, fetch, return and signal; all else is expressions and SELECTs into local variables.
#[must_use]
pub fn function_reads(body: &[u8], mode: LexMode, parameters: &[Box<[u8]>]) -> Option<Vec<Read>> {
    if body.len() > LONGEST_BODY {
        return None;
    }
    let mut walk = Walk {
        body,
        mode,
        tokens: pieces(body, mode)?,
        at: 0,
        depth: 0,
        locals: parameters.iter().map(|name| name.to_ascii_lowercase().into()).collect(),
        reads: Vec::new(),
    };
    walk.statement()?;
    walk.eat_symbol(b';');
    walk.peek().is_none().then_some(walk.reads)
}

fn is_read(text: &[u8], mode: LexMode) -> bool {
    text.len() <= LONGEST_BODY && matches!(classify(text, mode).class, Class::PlainRead | Class::Calls)
}

/// A token and where it begins.
#[derive(Clone, Copy)]
struct Piece<'a> {
    token: Token<'a>,
    start: usize,
}

impl Piece<'_> {
    fn end(&self) -> usize {
        self.start + self.token.text.len()
    }
}

fn pieces(body: &[u8], mode: LexMode) -> Option<Vec<Piece<'_>>> {
    // Servers show bodies with their version comments opened; one that is left has another's version.
    let has = |text: &[u8]| memchr::memmem::find(body, text).is_some();
    if has(b"/*!") || has(b"/*M!") {
        return None;
    }
    let mut lexer = Lexer::new(body, mode);
    let mut pieces = Vec::new();
    while let Some(token) = lexer.next() {
        if matches!(token.kind, Kind::Broken | Kind::VersionComment | Kind::Hint) {
            return None;
        }
        let start = body.len() - lexer.rest().len() - token.text.len();
        pieces.push(Piece { token, start });
    }
    Some(pieces)
}

struct Walk<'a> {
    body: &'a [u8],
    mode: LexMode,
    tokens: Vec<Piece<'a>>,
    at: usize,
    depth: usize,
    /// Variables in scope, in lower case. Any other name that is SET is a system variable.
    locals: Vec<Read>,
    reads: Vec<Read>,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<Piece<'a>> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Piece<'a>> {
        let piece = self.peek()?;
        self.at += 1;
        Some(piece)
    }

    fn is_word(&self, words: &[&[u8]]) -> bool {
        self.peek().is_some_and(|piece| words.iter().any(|word| piece.token.is_word(word)))
    }

    fn eat(&mut self, word: &[u8]) -> bool {
        let found = self.is_word(&[word]);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &[u8]) -> Option<()> {
        self.eat(word).then_some(())
    }

    fn eat_symbol(&mut self, symbol: u8) -> bool {
        let found = self.peek().is_some_and(|piece| piece.token.is_symbol(symbol));
        self.at += usize::from(found);
        found
    }

    /// The name of a label, a cursor or a variable, in lower case.
    fn name(&mut self) -> Option<Read> {
        let token = self.next()?.token;
        let named = matches!(token.kind, Kind::Word | Kind::QuotedName);
        let name = token.content().filter(|_| named)?;
        Some(name.to_ascii_lowercase().into())
    }

    /// The name of a local variable.
    fn local(&mut self) -> Option<()> {
        // INTO OUTFILE 'file' and INTO DUMPFILE 'file' write, whatever variables there are.
        if self.is_word(&[b"OUTFILE", b"DUMPFILE"]) {
            return None;
        }
        let name = self.name()?;
        self.locals.contains(&name).then_some(())
    }

    fn statements(&mut self, ends: &[&[u8]]) -> Option<()> {
        while !self.is_word(ends) {
            self.statement()?;
            self.eat_symbol(b';').then_some(())?;
        }
        Some(())
    }

    fn statement(&mut self) -> Option<()> {
        self.depth += 1;
        let done = if self.depth > DEEPEST { None } else { self.one_statement() };
        self.depth -= 1;
        done
    }

    fn one_statement(&mut self) -> Option<()> {
        if self.tokens.get(self.at + 1).is_some_and(|next| next.token.is_symbol(b':')) {
            self.name()?;
            self.at += 1;
            self.is_word(&[b"BEGIN", b"LOOP", b"WHILE", b"REPEAT"]).then_some(())?;
        }
        let from = self.at;
        let verb = self.next()?.token;
        let is = |word: &[u8]| verb.is_word(word);
        match () {
            () if is(b"BEGIN") => self.block(),
            () if is(b"DECLARE") => self.declare(),
            () if is(b"SET") => self.set(true),
            () if is(b"IF") => self.branch(),
            () if is(b"CASE") => self.case(),
            () if is(b"LOOP") => {
                self.statements(&[b"END"])?;
                self.end_of(b"LOOP")
            }
            () if is(b"WHILE") => {
                self.expression(&[b"DO"])?;
                self.expect(b"DO")?;
                self.statements(&[b"END"])?;
                self.end_of(b"WHILE")
            }
            () if is(b"REPEAT") => {
                self.statements(&[b"UNTIL"])?;
                self.expect(b"UNTIL")?;
                self.expression(&[b"END"])?;
                self.end_of(b"REPEAT")
            }
            () if is(b"LEAVE") || is(b"ITERATE") || is(b"OPEN") || is(b"CLOSE") => self.name().map(drop),
            () if is(b"RETURN") => self.expression(&[]),
            () if is(b"SELECT") || is(b"WITH") => {
                self.at = from;
                self.expression_or_select(&[], b"")
            }
            () if is(b"FETCH") => self.fetch(),
            () if is(b"SIGNAL") || is(b"RESIGNAL") => self.signal(),
            () => None,
        }
    }

    /// `END WHILE [label]`
    fn end_of(&mut self, word: &[u8]) -> Option<()> {
        self.expect(b"END")?;
        self.expect(word)?;
        self.label()
    }

    fn label(&mut self) -> Option<()> {
        let at_end = self.peek().is_none_or(|piece| piece.token.is_symbol(b';'));
        if at_end { Some(()) } else { self.name().map(drop) }
    }

    fn block(&mut self) -> Option<()> {
        let outside = self.locals.len();
        self.statements(&[b"END"])?;
        self.expect(b"END")?;
        self.locals.truncate(outside);
        self.label()
    }

    fn branch(&mut self) -> Option<()> {
        loop {
            self.expression(&[b"THEN"])?;
            self.expect(b"THEN")?;
            self.statements(&[b"ELSEIF", b"ELSE", b"END"])?;
            if !self.eat(b"ELSEIF") {
                break;
            }
        }
        if self.eat(b"ELSE") {
            self.statements(&[b"END"])?;
        }
        self.expect(b"END")?;
        self.expect(b"IF")
    }

    fn case(&mut self) -> Option<()> {
        if !self.is_word(&[b"WHEN"]) {
            self.expression(&[b"WHEN"])?;
        }
        while self.eat(b"WHEN") {
            self.expression(&[b"THEN"])?;
            self.expect(b"THEN")?;
            self.statements(&[b"WHEN", b"ELSE", b"END"])?;
        }
        if self.eat(b"ELSE") {
            self.statements(&[b"END"])?;
        }
        self.expect(b"END")?;
        self.expect(b"CASE")
    }

    fn declare(&mut self) -> Option<()> {
        if self.eat(b"CONTINUE") || self.eat(b"EXIT") {
            return self.handler();
        }
        let mut names = vec![self.name()?];
        if self.eat(b"CURSOR") {
            self.expect(b"FOR")?;
            self.is_word(&[b"SELECT", b"WITH"]).then_some(())?;
            return self.expression_or_select(&[], b"");
        }
        if self.eat(b"CONDITION") {
            return self.expect(b"FOR").and_then(|()| self.condition());
        }
        while self.eat_symbol(b',') {
            names.push(self.name()?);
        }
        // The type.
        while let Some(piece) = self.peek() {
            match piece.token.kind {
                Kind::Symbol(b';') => break,
                Kind::Word if self.eat(b"DEFAULT") => {
                    self.expression(&[])?;
                    break;
                }
                Kind::Word | Kind::Number | Kind::Text | Kind::Symbol(b'(' | b')' | b',') => self.at += 1,
                _ => return None,
            }
        }
        self.locals.append(&mut names);
        Some(())
    }

    /// `DECLARE CONTINUE HANDLER FOR condition, … statement`, from HANDLER on.
    fn handler(&mut self) -> Option<()> {
        self.expect(b"HANDLER")?;
        self.expect(b"FOR")?;
        self.condition()?;
        while self.eat_symbol(b',') {
            self.condition()?;
        }
        self.statement()
    }

    fn condition(&mut self) -> Option<()> {
        if self.eat(b"SQLSTATE") {
            self.eat(b"VALUE");
            return (self.next()?.token.kind == Kind::Text).then_some(());
        }
        if self.eat(b"NOT") {
            return self.expect(b"FOUND");
        }
        // A number of the server's, SQLEXCEPTION, SQLWARNING, or a name.
        let kind = self.next()?.token.kind;
        matches!(kind, Kind::Word | Kind::QuotedName | Kind::Number).then_some(())
    }

    /// `SIGNAL condition [SET item = expression, …]`, `RESIGNAL`, from what follows the verb.
    fn signal(&mut self) -> Option<()> {
        let at_end = self.peek().is_none_or(|piece| piece.token.is_symbol(b';'));
        if !at_end && !self.is_word(&[b"SET"]) {
            self.condition()?;
        }
        if self.eat(b"SET") { self.set(false) } else { Some(()) }
    }

    /// `name = expression, …`. Items of a SIGNAL are no variables.
    fn set(&mut self, variables: bool) -> Option<()> {
        loop {
            if variables {
                self.local()?
            } else {
                self.name().map(drop)?
            }
            self.eat_symbol(b':');
            self.eat_symbol(b'=').then_some(())?;
            self.expression_or_select(&[], b"SELECT ")?;
            if !self.eat_symbol(b',') {
                return Some(());
            }
        }
    }

    /// `FETCH [[NEXT] FROM] cursor INTO variable, …`, from what follows the verb.
    fn fetch(&mut self) -> Option<()> {
        self.eat(b"NEXT");
        self.eat(b"FROM");
        self.name()?;
        self.expect(b"INTO")?;
        self.locals_list()
    }

    fn locals_list(&mut self) -> Option<()> {
        self.local()?;
        while self.eat_symbol(b',') {
            self.local()?;
        }
        Some(())
    }

    fn expression(&mut self, ends: &[&[u8]]) -> Option<()> {
        self.expression_or_select(ends, b"SELECT ")
    }

    /// Reads up to a semicolon, one of the words, a comma between two assignments, or the end of the body, and
    /// notes what was read if it is a read. `verb` makes an expression a statement; a SELECT has its own, and its
    /// `INTO variable, …` is taken out of it.
    fn expression_or_select(&mut self, ends: &[&[u8]], verb: &[u8]) -> Option<()> {
        let is_expression = !verb.is_empty();
        let mut text = verb.to_vec();
        let mut from = self.peek()?.start;
        let (mut to, mut parentheses, mut cases) = (from, 0_usize, 0_usize);
        let mut after_dot = false;
        while let Some(piece) = self.peek() {
            let token = piece.token;
            let outside = parentheses == 0 && cases == 0;
            // `t.end` is a name.
            let word = token.kind == Kind::Word && !after_dot;
            match token.kind {
                Kind::Symbol(b';') => break,
                Kind::Symbol(b',') if outside && is_expression => break,
                Kind::Symbol(b'(') => parentheses += 1,
                Kind::Symbol(b')') => parentheses = parentheses.checked_sub(1)?,
                Kind::Word if word && outside && self.is_word(ends) => break,
                Kind::Word if word && token.is_word(b"CASE") => cases += 1,
                Kind::Word if word && token.is_word(b"END") => cases = cases.checked_sub(1)?,
                Kind::Word if word && outside && !is_expression && token.is_word(b"INTO") => {
                    text.extend_from_slice(self.body.get(from..piece.start)?);
                    text.push(b' ');
                    self.at += 1;
                    self.locals_list()?;
                    from = self.peek().map_or(self.body.len(), |next| next.start);
                    to = from;
                    continue;
                }
                _ => {}
            }
            after_dot = token.is_symbol(b'.');
            to = piece.end();
            self.at += 1;
        }
        text.extend_from_slice(self.body.get(from..to)?);
        let complete = text.len() > verb.len() && parentheses == 0 && cases == 0;
        (complete && is_read(&text, self.mode)).then(|| self.reads.push(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::Dialect;

    fn mode(sql_mode: &str) -> LexMode {
        LexMode { version: 90704, ..LexMode::new(sql_mode, "utf8mb4", Dialect::MySql) }
    }

    fn reads(body: &str, parameters: &[&str]) -> Option<Vec<String>> {
        let parameters: Vec<Read> = parameters.iter().map(|name| name.as_bytes().into()).collect();
        let reads = function_reads(body.as_bytes(), mode(""), &parameters)?;
        Some(reads.into_iter().map(|read| String::from_utf8(read.into_vec()).unwrap()).collect())
    }

    const PURE: &[&str] = &[
        "RETURN x + 1",
        "RETURN x;",
        "RETURN (SELECT MAX(a) FROM d.t WHERE b = x)",
        "RETURN CASE WHEN x > 1 THEN 'a' ELSE 'b' END",
        "BEGIN END",
        "BEGIN RETURN 1; END",
        "outer_block: BEGIN RETURN 1; END outer_block",
        "BEGIN DECLARE y, z INT UNSIGNED DEFAULT x + 1; SET y = z * 2, z := y; RETURN y; END",
        "BEGIN DECLARE y ENUM('a', 'b') CHARACTER SET utf8mb4 DEFAULT 'a'; RETURN y; END",
        "BEGIN DECLARE y DECIMAL(10, 2); SELECT MAX(a), t.end INTO x, y FROM t; RETURN y; END",
        "BEGIN DECLARE y INT; SELECT a FROM t WHERE b IN (1, 2) LIMIT 1 INTO y; RETURN y; END",
        "BEGIN DECLARE y INT; WITH c AS (SELECT 1 AS n) SELECT n INTO y FROM c; RETURN y; END",
        "BEGIN SET `x` = IF(x, 1, 2); RETURN x; END",
        "BEGIN IF x IS NULL THEN RETURN 0; ELSEIF x IN (1, 2) THEN SET x = 5; ELSE RETURN 1; END IF; RETURN x; END",
        "BEGIN IF CASE x WHEN 1 THEN 0 ELSE 1 END THEN SET x = 2; END IF; RETURN IF(x, 1, 2); END",
        "BEGIN CASE x WHEN 1 THEN RETURN 1; WHEN 2 THEN RETURN 2; ELSE BEGIN END; END CASE; RETURN 0; END",
        "BEGIN CASE WHEN x > 1 THEN RETURN 1; END CASE; RETURN 0; END",
        "BEGIN l: LOOP SET x = x - 1; IF x < 1 THEN LEAVE l; END IF; ITERATE l; END LOOP l; RETURN x; END",
        "BEGIN WHILE x > 0 DO SET x = x - 1; END WHILE; RETURN x; END",
        "BEGIN REPEAT SET x = x - 1; UNTIL x < 1 OR CASE WHEN x THEN 0 END END REPEAT; RETURN x; END",
        "BEGIN DECLARE done INT DEFAULT 0; DECLARE c CURSOR FOR SELECT a FROM t WHERE b = x;
           DECLARE gone CONDITION FOR SQLSTATE '45000';
           DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
           DECLARE EXIT HANDLER FOR SQLEXCEPTION, 1062, gone BEGIN RETURN NULL; END;
           OPEN c; r: LOOP FETCH NEXT FROM c INTO x; IF done THEN LEAVE r; END IF; END LOOP; CLOSE c; RETURN x; END",
        "BEGIN IF x < 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no', MYSQL_ERRNO = 1234; END IF; RETURN x; END",
        "BEGIN /* INSERT INTO t */ RETURN 'INSERT INTO t VALUES (1); SET @a = 1'; -- DELETE FROM t\n END",
    ];

    #[test]
    fn bodies_that_only_read() {
        for body in PURE {
            assert!(reads(body, &["x"]).is_some(), "{body}");
        }
    }

    #[test]
    fn what_is_read_is_told() {
        let body =
            "BEGIN DECLARE y INT DEFAULT (SELECT MIN(a) FROM t); SELECT b INTO y FROM v; RETURN y + x; END";
        assert_eq!(
            reads(body, &["x"]).unwrap(),
            ["SELECT (SELECT MIN(a) FROM t)", "SELECT b  FROM v", "SELECT y + x"]
        );
    }

    const IMPURE: &[&str] = &[
        "",
        ";",
        "RETURN",
        "RETURN CONNECTION_ID()",
        "RETURN GET_LOCK('a', x)",
        "RETURN @a",
        "RETURN (@a := x)",
        "RETURN @@sql_mode",
        "RETURN x; DELETE FROM t",
        "RETURN (SELECT a FROM t FOR UPDATE)",
        "RETURN (SELECT user FROM mysql.user)",
        "RETURN x /*! + 1 */",
        "RETURN 'x",
        "BEGIN /*!99999 SET @a = 1; */ RETURN x; END",
        "BEGIN /*M!100000 SET @a = 1; */ RETURN x; END",
        "BEGIN INSERT INTO t VALUES (x); RETURN x; END",
        "BEGIN INSERT t SELECT x; RETURN x; END",
        "BEGIN UPDATE t SET a = x; RETURN x; END",
        "BEGIN DELETE FROM t; RETURN x; END",
        "BEGIN REPLACE t VALUES (x); RETURN x; END",
        "BEGIN TRUNCATE t; RETURN x; END",
        "BEGIN CALL p(); RETURN x; END",
        "BEGIN DO GET_LOCK('a', 1); RETURN x; END",
        "BEGIN DO 1; RETURN x; END",
        "BEGIN SET @a = x; RETURN x; END",
        "BEGIN SET x = 1, @a = 2; RETURN x; END",
        "BEGIN SET sql_mode = ''; RETURN x; END",
        "BEGIN SET x = 1, sql_mode = ''; RETURN x; END",
        "BEGIN SET SESSION x = 1; RETURN x; END",
        "BEGIN SET GLOBAL max_connections = 1; RETURN x; END",
        "BEGIN SET @@session.sql_mode = ''; RETURN x; END",
        "BEGIN SET NAMES latin1; RETURN x; END",
        "BEGIN SET x = LAST_INSERT_ID(5); RETURN x; END",
        "BEGIN BEGIN DECLARE sql_mode INT; END; SET sql_mode = ''; RETURN x; END",
        "BEGIN SELECT a INTO @b FROM t; RETURN x; END",
        "BEGIN SELECT a INTO x, @b FROM t; RETURN x; END",
        "BEGIN SELECT a INTO OUTFILE '/tmp/f' FROM t; RETURN x; END",
        "BEGIN DECLARE `outfile` INT; SELECT a INTO OUTFILE '/tmp/f' FROM t; RETURN x; END",
        "BEGIN SELECT a INTO y FROM t; RETURN x; END",
        "BEGIN SELECT (SELECT 1 INTO x); RETURN x; END",
        "BEGIN DECLARE c CURSOR FOR SELECT a FROM t FOR UPDATE; RETURN x; END",
        "BEGIN DECLARE c CURSOR FOR s; RETURN x; END",
        "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION INSERT INTO t VALUES (1); RETURN x; END",
        "BEGIN DECLARE y INT DEFAULT SLEEP(1); RETURN x; END",
        "BEGIN IF GET_LOCK('a', 1) THEN RETURN 1; END IF; RETURN x; END",
        "BEGIN IF x THEN DELETE FROM t; END IF; RETURN x; END",
        "BEGIN IF x THEN RETURN 1; ELSE DELETE FROM t; END IF; RETURN x; END",
        "BEGIN CASE x WHEN 1 THEN DELETE FROM t; END CASE; RETURN x; END",
        "BEGIN WHILE RELEASE_LOCK('a') DO SET x = 1; END WHILE; RETURN x; END",
        "BEGIN REPEAT SET x = 1; UNTIL SLEEP(1) END REPEAT; RETURN x; END",
        "BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @a; RETURN x; END",
        "BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = SLEEP(1); RETURN x; END",
        "BEGIN GET DIAGNOSTICS @n = NUMBER; RETURN x; END",
        "BEGIN CREATE TEMPORARY TABLE y (a INT); RETURN x; END",
        "BEGIN DROP TEMPORARY TABLE y; RETURN x; END",
        "BEGIN HANDLER t OPEN; RETURN x; END",
        "BEGIN PREPARE s FROM 'DELETE FROM t'; EXECUTE s; RETURN x; END",
        "BEGIN EXECUTE IMMEDIATE 'DELETE FROM t'; RETURN x; END",
        "BEGIN LOCK TABLES t READ; RETURN x; END",
        "BEGIN FOR i IN 1..2 DO DELETE FROM t; END FOR; RETURN x; END",
        "BEGIN RETURN x; END; DELETE FROM t",
        "BEGIN RETURN x",
        "BEGIN RETURN (x; END",
        "BEGIN SET x = CASE WHEN 1 THEN 2; RETURN x; END",
    ];

    #[test]
    fn bodies_that_may_do_more() {
        for body in IMPURE {
            assert_eq!(reads(body, &["x"]), None, "{body}");
        }
    }

    /// What is a string in one mode is a statement in another.
    #[test]
    fn the_mode_of_the_function_decides() {
        let body = br"BEGIN RETURN '\'; DELETE FROM t; -- '; END";
        let reads = function_reads(body, mode(""), &[]).unwrap();
        assert_eq!(reads.first().unwrap().as_ref(), br"SELECT '\'; DELETE FROM t; -- '", "one string");
        assert!(function_reads(body, mode("NO_BACKSLASH_ESCAPES"), &[]).is_none());
        let body = br#"BEGIN DECLARE x INT; SET "x" = 1; RETURN x; END"#;
        assert!(function_reads(body, mode("ANSI_QUOTES"), &[]).is_some());
        assert!(function_reads(body, mode(""), &[]).is_none());
    }

    #[test]
    fn bodies_have_bounds() {
        let nested = |depth: usize| format!("{} {}", "BEGIN ".repeat(depth), "END; ".repeat(depth));
        assert!(reads(&nested(DEEPEST), &[]).is_some());
        assert!(reads(&nested(DEEPEST + 1), &[]).is_none());
        assert!(reads(&nested(5_000), &[]).is_none());
        assert!(reads(&format!("RETURN '{}'", "x".repeat(LONGEST_BODY)), &[]).is_none());
    }

    #[test]
    fn views_as_servers_render_them() {
        let check = |definition: &str, expected| {
            assert_eq!(view_reads(definition.as_bytes(), mode("")).is_some(), expected, "{definition}");
        };
        check("select `d`.`t`.`a` AS `a`,count(0) AS `c` from `d`.`t` group by `d`.`t`.`a`", true);
        check("with `x` as (select 1 AS `n`) select `x`.`n` AS `n` from `x` limit 5", true);
        check("select sql_no_cache `d`.`t`.`a` AS `a`,'it\\'s \"' AS `u` from (`d`.`t` join `d`.`u`)", true);
        check("select cast(`d`.`t`.`b` as char(3) charset utf8mb4) AS `k` from `d`.`t`", true);
        check("select `d`.`t`.`a` AS `a` from `d`.`t` for update", false);
        check("select get_lock('a',1) AS `l`", false);
        check("select connection_id() AS `n`", false);
        check(
            "select `information_schema`.`tables`.`TABLE_NAME` AS `n` from `information_schema`.`TABLES` `tables`",
            false,
        );
        check("", false);
    }

    proptest! {
        /// Whatever surrounds it, a statement that writes makes a body impure.
        #[test]
        fn a_write_anywhere_makes_a_body_impure(
            body in proptest::sample::select(PURE),
            write in proptest::sample::select(&[
                "DELETE FROM t", "INSERT INTO t VALUES (1)", "SET @a = 1", "SET sql_mode = ''", "CALL p()",
                "DO SLEEP(1)", "SELECT 1 INTO @a", "SELECT a INTO x FROM t FOR UPDATE",
            ][..]),
            place: proptest::sample::Index,
        ) {
            // A statement may stand after each of these.
            let starts = ["; ", "THEN ", "ELSE ", "DO ", "LOOP ", "BEGIN ", "REPEAT "];
            let places: Vec<usize> = starts
                .iter()
                .flat_map(|start| body.match_indices(start).map(|(at, _)| at + start.len()))
                .filter(|at| !body.contains("/*") && !body.get(..*at).unwrap_or("").ends_with("END; "))
                .collect();
            prop_assume!(!places.is_empty());
            let (before, after) = body.split_at(*place.get(&places));
            let changed = format!("{before}{write}; {after}");
            prop_assert_eq!(reads(&changed, &["x"]), None, "{}", changed);
        }

        #[test]
        fn any_bytes_are_read(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = function_reads(&body, mode(""), &[]);
        }

        #[test]
        fn any_words_are_read(words in proptest::collection::vec(proptest::sample::select(&[
            "BEGIN", "END", "DECLARE", "x", "INT", ";", "SET", "=", ":", "IF", "THEN", "CASE", "WHEN", "ELSE", "(",
            ")", ",", "SELECT", "INTO", "RETURN", "LOOP", "1", "'a'", ".", "HANDLER", "FOR", "CONTINUE", "`x`",
        ][..]), 0..60)) {
            let _ = reads(&words.join(" "), &["x"]);
        }
    }
}
