//! The scripts of the differential tests.
//!
//! One statement a line; a line that ends in `\` goes on in the next. `#` begins a comment. Lines that
//! begin with `-- ` are directives. In statements and directives `{{x*1000}}` is a thousand `x`,
//! `{{0xE9}}` the byte E9, `<schema>` the schema's name.
//!
//! At the top: `-- flavor: mysql` (or `mariadb`; else both), `-- passes: text` (or `binary`; else both:
//! the binary pass prepares, executes and closes each statement), `-- once: WHY` (one set of
//! capabilities instead of all), `-- differs: WHY` (Headgate is known to answer otherwise, so the script
//! only shows what the server does), `-- differs-sharing: WHY` (only where sessions share connections to the primary),
//! `-- differs-moving: WHY` (only where each statement meets another connection),
//! `-- capabilities: +LOCAL_FILES -PLUGIN_AUTH`.
//!
//! Before a statement: `-- error: 1064` (it must fail on the server, so; several codes where families
//! differ), `-- mask: WHY` (values of its rows differ between any two runs), `-- file: 1,a\n2,b\n`
//! (what LOAD DATA LOCAL gets), `-- attributes: n1=str a, n2=long 7`.
//!
//! Instead of a statement: `-- text: SQL` (COM_QUERY also in the binary pass), `-- prepare s: SQL`,
//! `-- execute s: long 7, str abc, null`, `-- execute s cursor: …`, `-- fetch s: 2`,
//! `-- bulk s: long 1, str a; long 2, null` (MariaDB's bulk execution),
//! `-- long s 0: data`, `-- reset s`, `-- close s`, and `-- send 0e: text` with the command byte and
//! what follows it in hexadecimal, then what kind of reply it has.

use std::path::Path;

use anyhow::{Context, Result, bail};
use headgate::lab::Flavor;
use headgate::wire::capabilities::Capabilities;
use headgate::wire::encode::put_lenenc_bytes;

use crate::client::{Param, Shape};

/// What a line of a script asks for.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// In the protocol of the pass.
    Statement(Vec<u8>),
    /// By COM_QUERY in every pass.
    Text(Vec<u8>),
    Prepare {
        name: String,
        sql: Vec<u8>,
    },
    Execute {
        name: String,
        cursor: bool,
        params: Vec<Param>,
    },
    Bulk {
        name: String,
        rows: Vec<Vec<Param>>,
    },
    Fetch {
        name: String,
        rows: u32,
    },
    LongData {
        name: String,
        parameter: u16,
        data: Vec<u8>,
    },
    Reset {
        name: String,
    },
    Close {
        name: String,
    },
    Send {
        payload: Vec<u8>,
        shape: Shape,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Line of the file, from 1.
    pub(crate) line: usize,
    /// As written, for the transcript.
    pub(crate) shown: String,
    pub(crate) action: Action,
    /// The codes one of which the server must answer; none: it must succeed.
    pub(crate) errors: Vec<u16>,
    pub(crate) masked: bool,
    pub(crate) file: Vec<u8>,
    pub(crate) attributes: Vec<Param>,
}

#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) flavor: Option<Flavor>,
    pub(crate) text: bool,
    pub(crate) binary: bool,
    /// Headgate is known to answer otherwise.
    pub(crate) differs: bool,
    pub(crate) differs_sharing: bool,
    pub(crate) differs_moving: bool,
    /// One set of capabilities is enough.
    pub(crate) once: bool,
    pub(crate) with: Capabilities,
    pub(crate) without: Capabilities,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    /// Reads every script of a folder, in the order of their names.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>> {
        let mut scripts = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "test") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path)?;
                scripts.push(Self::parse(&name, &text).with_context(|| path.display().to_string())?);
            }
        }
        scripts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(scripts)
    }

    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        let mut script = Self {
            name: name.to_owned(),
            flavor: None,
            text: true,
            binary: true,
            differs: false,
            differs_sharing: false,
            differs_moving: false,
            once: false,
            with: Capabilities(0),
            without: Capabilities(0),
            steps: Vec::new(),
        };
        let mut next = Step::default();
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let mut line = line.trim_end().to_owned();
            while line.ends_with('\\') {
                line.pop();
                let (_, more) = lines.next().context("the last line goes on")?;
                line.push('\n');
                line += more.trim_end();
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = || format!("line {}: {line}", index + 1);
            let action = match line.strip_prefix("-- ") {
                Some(directive) => {
                    let (head, value) = directive.split_once(':').unwrap_or((directive, ""));
                    script
                        .directive(head, value.strip_prefix(' ').unwrap_or(value), &mut next)
                        .with_context(at)?
                }
                None => Some(Action::Statement(expand(&line).with_context(at)?)),
            };
            if let Some(action) = action {
                let step = std::mem::take(&mut next);
                script.steps.push(Step { line: index + 1, shown: line.clone(), action, ..step });
            }
        }
        if script.steps.is_empty() {
            bail!("it does nothing");
        }
        Ok(script)
    }

    fn directive(&mut self, head: &str, value: &str, next: &mut Step) -> Result<Option<Action>> {
        let words: Vec<&str> = head.split_whitespace().collect();
        let name = || words.get(1).map(|name| (*name).to_owned()).context("a statement's name is missing");
        match words.first().copied().unwrap_or_default() {
            "flavor" => self.flavor = Some(value.parse().map_err(anyhow::Error::msg)?),
            "passes" => (self.text, self.binary) = (value == "text", value == "binary"),
            "differs" => self.differs = !value.is_empty(),
            "differs-moving" => self.differs_moving = !value.is_empty(),
            "differs-sharing" => self.differs_sharing = !value.is_empty(),
            "once" => self.once = !value.is_empty(),
            "capabilities" => {
                for word in value.split_whitespace() {
                    let (sign, name) = word.split_at(1);
                    let flag = capability(name)?;
                    match sign {
                        "+" => self.with = self.with | flag,
                        "-" => self.without = self.without | flag,
                        _ => bail!("{word} has no sign"),
                    }
                }
            }
            "error" => {
                next.errors = value.split(',').map(|code| Ok(code.trim().parse()?)).collect::<Result<_>>()?;
            }
            "mask" => next.masked = !value.is_empty(),
            "file" => next.file = expand(&value.replace("\\n", "\n").replace("\\t", "\t"))?,
            "attributes" => next.attributes = params(value)?,
            "text" => return Ok(Some(Action::Text(expand(value)?))),
            "prepare" => return Ok(Some(Action::Prepare { name: name()?, sql: expand(value)? })),
            "execute" => {
                let cursor = words.get(2) == Some(&"cursor");
                return Ok(Some(Action::Execute { name: name()?, cursor, params: params(value)? }));
            }
            "bulk" => {
                let rows = value.split(';').map(params).collect::<Result<_>>()?;
                return Ok(Some(Action::Bulk { name: name()?, rows }));
            }
            "fetch" => return Ok(Some(Action::Fetch { name: name()?, rows: value.trim().parse()? })),
            "long" => {
                let parameter = words.get(2).context("the parameter's number is missing")?.parse()?;
                return Ok(Some(Action::LongData { name: name()?, parameter, data: expand(value)? }));
            }
            "reset" => return Ok(Some(Action::Reset { name: name()? })),
            "close" => return Ok(Some(Action::Close { name: name()? })),
            "send" => {
                let payload = hex(&words.get(1..).unwrap_or_default().concat())?;
                return Ok(Some(Action::Send { payload, shape: shape(value)? }));
            }
            other => bail!("{other:?} is no directive"),
        }
        Ok(None)
    }
}

impl Default for Step {
    fn default() -> Self {
        Self {
            line: 0,
            shown: String::new(),
            action: Action::Statement(Vec::new()),
            errors: Vec::new(),
            masked: false,
            file: Vec::new(),
            attributes: Vec::new(),
        }
    }
}

fn capability(name: &str) -> Result<Capabilities> {
    Ok(match name {
        "FOUND_ROWS" => Capabilities::FOUND_ROWS,
        "NO_SCHEMA" => Capabilities::NO_SCHEMA,
        "LOCAL_FILES" => Capabilities::LOCAL_FILES,
        "IGNORE_SPACE" => Capabilities::IGNORE_SPACE,
        "INTERACTIVE" => Capabilities::INTERACTIVE,
        "MULTI_STATEMENTS" => Capabilities::MULTI_STATEMENTS,
        "MULTI_RESULTS" => Capabilities::MULTI_RESULTS,
        "PS_MULTI_RESULTS" => Capabilities::PS_MULTI_RESULTS,
        "CONNECT_ATTRS" => Capabilities::CONNECT_ATTRS,
        "CONNECT_WITH_DB" => Capabilities::CONNECT_WITH_DB,
        "PLUGIN_AUTH_LENENC" => Capabilities::PLUGIN_AUTH_LENENC,
        "BULK_OPERATIONS" => Capabilities::BULK_OPERATIONS,
        "EXTENDED_METADATA" => Capabilities::EXTENDED_METADATA,
        "QUERY_ATTRIBUTES" => Capabilities::QUERY_ATTRIBUTES,
        other => bail!("no capability is called {other}"),
    })
}

fn shape(name: &str) -> Result<Shape> {
    Ok(match name {
        "query" => Shape::Query,
        "fields" => Shape::Fields,
        "text" => Shape::Text,
        "prepare" => Shape::Prepare,
        "nothing" => Shape::Nothing,
        other => bail!("no reply is called {other}"),
    })
}

fn hex(digits: &str) -> Result<Vec<u8>> {
    digits.as_bytes().chunks(2).map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

/// Puts in what stands between double braces.
fn expand(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("{{") {
        let (macro_text, after) = inside.split_once("}}").context("}} is missing")?;
        out.extend_from_slice(before.as_bytes());
        match (macro_text.strip_prefix("0x"), macro_text.rsplit_once('*')) {
            (Some(digits), _) => out.extend(hex(digits)?),
            (None, Some((unit, count))) => out.extend(unit.as_bytes().repeat(count.parse()?)),
            (None, None) => bail!("{{{{{macro_text}}}}} is neither bytes nor a repetition"),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

/// Reads `long 7, str abc, null`, with `name=` before where there are names.
fn params(text: &str) -> Result<Vec<Param>> {
    let text = text.trim();
    if text.is_empty() {
        Ok(Vec::new())
    } else {
        text.split(',').map(|param| self::param(param.trim())).collect()
    }
}

fn param(text: &str) -> Result<Param> {
    let (typed, value) = text.split_once(' ').unwrap_or((text, ""));
    let (name, kind) = typed.split_once('=').unwrap_or(("", typed));
    let (unsigned, kind) = match kind.strip_prefix('u') {
        Some(kind) => (true, kind),
        None => (false, kind),
    };
    let int = |bytes: usize| -> Result<Vec<u8>> {
        let number: i128 = value.parse()?;
        Ok(number.to_le_bytes()[..bytes].to_vec())
    };
    let string = || -> Result<Vec<u8>> {
        let mut out = Vec::new();
        put_lenenc_bytes(&mut out, &expand(value)?);
        Ok(out)
    };
    let (kind, value) = match kind {
        "null" => (0x06, None),
        "nullint" => (0x08, None),
        "tiny" => (0x01, Some(int(1)?)),
        "short" => (0x02, Some(int(2)?)),
        "long" => (0x03, Some(int(4)?)),
        "longlong" => (0x08, Some(int(8)?)),
        "float" => (0x04, Some(value.parse::<f32>()?.to_le_bytes().to_vec())),
        "double" => (0x05, Some(value.parse::<f64>()?.to_le_bytes().to_vec())),
        "str" => (0xFD, Some(string()?)),
        "varchar" => (0x0F, Some(string()?)),
        "char" => (0xFE, Some(string()?)),
        "blob" => (0xFC, Some(string()?)),
        "decimal" => (0xF6, Some(string()?)),
        "json" => (0xF5, Some(string()?)),
        // Sent before, by `long`.
        "long_data" => (0xFC, Some(Vec::new())),
        "date" => (0x0A, Some(time(value)?)),
        "datetime" => (0x0C, Some(time(value)?)),
        "timestamp" => (0x07, Some(time(value)?)),
        "time" => (0x0B, Some(hex(value)?)),
        other => bail!("no parameter type is called {other}"),
    };
    Ok(Param { name: name.to_owned(), kind, unsigned, value })
}

/// `YYYY-MM-DD HH:MM:SS.UUUUUU` or less of it, as the protocol packs it.
fn time(text: &str) -> Result<Vec<u8>> {
    let numbers: Vec<u32> = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse::<u32>().context("a number in a time"))
        .collect::<Result<_>>()?;
    let byte = |index: usize| -> Result<u8> { Ok(u8::try_from(numbers.get(index).copied().unwrap_or(0))?) };
    let year = u16::try_from(numbers.first().copied().unwrap_or(0))?.to_le_bytes();
    let mut out = vec![year[0], year[1], byte(1)?, byte(2)?];
    if numbers.len() > 3 {
        out.extend([byte(3)?, byte(4)?, byte(5)?]);
    }
    if let Some(micros) = numbers.get(6) {
        out.extend(micros.to_le_bytes());
    }
    out.insert(0, u8::try_from(out.len())?);
    Ok(out)
}

#[test]
fn scripts_are_read() {
    let script = Script::parse(
        "sample",
        "# what it is about\n-- capabilities: +FOUND_ROWS\nSELECT 1,\\\n 2\n-- error: 1064, 1305\nSELEC {{0x31}}{{ab*2}}\n\
         -- execute s cursor: ulong 7, str abc, null\n-- send 0e: query\n",
    )
    .unwrap();
    assert_eq!(script.with, Capabilities::FOUND_ROWS);
    assert_eq!(script.steps.len(), 4);
    assert!(matches!(&script.steps[0].action, Action::Statement(sql) if sql == b"SELECT 1,\n 2"));
    assert!(matches!(&script.steps[1].action, Action::Statement(sql) if sql == b"SELEC 1abab"));
    assert_eq!(script.steps[1].errors, [1064, 1305]);
    assert!(script.steps[2].errors.is_empty());
    assert!(matches!(&script.steps[2].action, Action::Execute { cursor: true, params, .. }
        if params.len() == 3 && params[0].unsigned && params[2].value.is_none()));
    assert!(matches!(&script.steps[3].action, Action::Send { payload, .. } if payload == &[0x0E]));
}

#[test]
fn mistakes_in_scripts_are_named() {
    for text in ["", "-- errro: 1", "-- execute s: lung 1", "SELECT {{x}}", "SELECT 1\\", "-- fetch s: all"] {
        assert!(Script::parse("sample", text).is_err(), "{text}");
    }
}
