//! Which views and stored functions only read.

use std::collections::{HashMap, HashSet};

use crate::sql::{self, Class, Dialect, LexMode, Read};

/// A view of some schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewBody {
    /// Its name.
    pub name: String,
    /// As the server renders it; nothing where it may not be seen.
    pub definition: Option<String>,
}

/// A stored function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionBody {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its body; nothing where it may not be seen, or is not written in SQL.
    pub body: Option<String>,
    /// The `sql_mode` it is read in.
    pub sql_mode: String,
    /// The character set it was written in.
    pub charset: String,
    /// Names of its parameters.
    pub parameters: Vec<String>,
}

/// Everything that is defined and may be reached from a read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definitions {
    /// All views.
    pub views: Vec<ViewBody>,
    /// All stored functions; nothing where some may not be seen.
    pub functions: Option<Vec<FunctionBody>>,
    /// Names of loadable functions. They go before stored functions of the same name. Nothing where they are
    /// not known.
    pub loadable: Option<Vec<String>>,
}

/// What is known of views and stored functions: whether a read that names them stays a read.
///
/// A body is pure when nothing in it, and nothing that it reaches, does more than read. That was so when the
/// servers were asked last. What somebody has replaced since, elsewhere than through Headgate, is believed
/// until they are asked again: a write that was put into a body is then refused by the replica, whose
/// sessions are read only, and runs on the primary; a lock that a body takes, or a user variable that it
/// sets, is taken or set on a pooled connection, for up to ten seconds after the change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Lower-case names of views that may do more than read, whatever their schema.
    impure_views: HashSet<Name>,
    /// One of those is outside ASCII.
    impure_foreign: bool,
    /// The [`shape`]s of those: nearly every name of a statement is told from them without a look-up.
    impure_shapes: u64,
    /// Lower-case names of stored functions of which some are pure.
    functions: HashMap<Name, Functions>,
    /// Some view calls a stored function.
    views_call: bool,
}

type Name = Box<[u8]>;

/// All functions of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Functions {
    /// Whatever function the bare name means, it is pure.
    bare: bool,
    /// Lower-case schemas in which it is pure.
    schemas: Vec<Name>,
}

impl Catalog {
    /// Reads all bodies and follows what they reach.
    #[must_use]
    pub fn new(definitions: &Definitions, dialect: Dialect, version: u32) -> Self {
        let graph = Graph::new(definitions, dialect, version);
        let dirty = graph.dirty();
        let is_dirty = |node: &usize| dirty.get(*node).copied().unwrap_or(true);
        let impure_views: HashSet<Name> =
            graph.views.iter().filter(|(_, node)| is_dirty(node)).map(|(name, _)| name.clone()).collect();
        let mut functions = HashMap::new();
        for (name, nodes) in &graph.functions {
            let mut schemas: Vec<Name> = nodes
                .iter()
                .map(|(schema, _)| schema.clone())
                .filter(|schema| nodes.iter().all(|(other, node)| other != schema || !is_dirty(node)))
                .collect();
            schemas.sort_unstable();
            schemas.dedup();
            if !schemas.is_empty() {
                let bare = graph.knows_bare(name) && !nodes.iter().any(|(_, node)| is_dirty(node));
                functions.insert(name.clone(), Functions { bare, schemas });
            }
        }
        let of_functions: HashSet<usize> =
            graph.functions.values().flatten().map(|(_, node)| *node).collect();
        let calls = |node: &usize| {
            let reaches = graph.nodes.get(*node).map(|node| node.reaches.as_slice()).unwrap_or_default();
            reaches.iter().any(|reached| of_functions.contains(reached))
        };
        Self {
            views_call: graph.views.values().any(calls),
            impure_foreign: impure_views.iter().any(|name| !name.is_ascii()),
            impure_shapes: impure_views.iter().fold(0, |shapes, name| shapes | shape(name)),
            impure_views,
            functions,
        }
    }

    /// True where no name can be that of a view that is not pure.
    #[must_use]
    pub fn has_only_pure_views(&self) -> bool {
        self.impure_views.is_empty()
    }

    /// Whether some view calls a stored function: that sees the temporary tables of the session, where the view itself
    /// does not.
    #[must_use]
    pub const fn has_views_that_call(&self) -> bool {
        self.views_call
    }

    /// True when `name`, as a client sent it, may be that of a view that is not pure, in any schema.
    ///
    /// A name outside ASCII has other bytes in another character set and another case, so it may be any view
    /// whose name is outside ASCII too.
    #[must_use]
    pub fn may_be_impure_view(&self, name: &[u8]) -> bool {
        if !name.is_ascii() {
            return self.impure_foreign;
        }
        self.impure_shapes & shape(name) != 0
            && with_folded(name, |folded| self.impure_views.contains(folded)).unwrap_or(false)
    }

    /// Whether a call of a function that is not built in, as a client wrote it, is known to only read.
    /// A bare name may mean the function of any schema.
    #[must_use]
    pub fn is_pure_function(&self, schema: Option<&[u8]>, name: &[u8]) -> bool {
        let Some(found) = with_folded(name, |folded| self.functions.get(folded)).flatten() else {
            return false;
        };
        match schema {
            None => found.bare,
            Some(schema) => {
                with_folded(schema, |folded| found.schemas.iter().any(|one| **one == *folded)) == Some(true)
            }
        }
    }
}

/// One bit of 64, the same for a name in any case.
fn shape(name: &[u8]) -> u64 {
    let fold = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(byte.to_ascii_lowercase()));
    1 << ((name.len() + 7 * fold(name.first()) + 13 * fold(name.last())) % 64)
}

/// Gives an ASCII name in lower case; nothing for a name outside ASCII or longer than names can be.
fn with_folded<T>(name: &[u8], give: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let mut folded = [0; sql::Name::LONGEST];
    let folded = folded.get_mut(..name.len()).filter(|_| name.is_ascii())?;
    folded.copy_from_slice(name);
    folded.make_ascii_lowercase();
    Some(give(folded))
}

fn folded(name: &str) -> Name {
    name.to_ascii_lowercase().into_bytes().into()
}

/// Bodies and what each of them reaches. Views of one name are one node: their names are looked for in
/// statements without their schemas.
struct Graph {
    views: HashMap<Name, usize>,
    functions: HashMap<Name, Vec<(Name, usize)>>,
    /// Names of functions outside ASCII. Servers compare such names without accents too.
    foreign_functions: Vec<String>,
    loadable: Option<HashSet<Name>>,
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    /// It does more than read, or is not known.
    dirty: bool,
    reaches: Vec<usize>,
}

impl Graph {
    fn new(definitions: &Definitions, dialect: Dialect, version: u32) -> Self {
        let mut graph = Self {
            views: HashMap::new(),
            functions: HashMap::new(),
            foreign_functions: Vec::new(),
            loadable: definitions
                .loadable
                .as_ref()
                .map(|names| names.iter().map(|name| folded(name)).collect()),
            nodes: Vec::new(),
        };
        for view in &definitions.views {
            let new = graph.nodes.len();
            if *graph.views.entry(folded(&view.name)).or_insert(new) == new {
                graph.nodes.push(Node::default());
            }
        }
        let functions = definitions.functions.as_deref().unwrap_or_default();
        let first_function = graph.nodes.len();
        for function in functions {
            let node = (folded(&function.schema), graph.nodes.len());
            graph.functions.entry(folded(&function.name)).or_default().push(node);
            graph.nodes.push(Node::default());
            if !function.name.is_ascii() {
                graph.foreign_functions.push(function.name.clone());
            }
        }
        // Definitions are rendered in the default mode, whatever mode a view was made in.
        let mode = LexMode { version, ..LexMode::new("", "utf8mb4", dialect) };
        for view in &definitions.views {
            let reads = view.definition.as_ref().and_then(|text| sql::view_reads(text.as_bytes(), mode));
            if let Some(node) = graph.views.get(&folded(&view.name)).copied() {
                graph.fill(node, reads, mode);
            }
        }
        for (node, function) in (first_function..).zip(functions) {
            let mode = LexMode { version, ..LexMode::new(&function.sql_mode, "utf8mb4", dialect) };
            graph.fill(node, reads_of(function, mode), mode);
        }
        graph
    }

    fn fill(&mut self, node: usize, reads: Option<Vec<Read>>, mode: LexMode) {
        let mut found = Node { dirty: reads.is_none(), reaches: Vec::new() };
        for text in reads.iter().flatten() {
            self.follow(text, mode, &mut found);
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.dirty |= found.dirty;
            node.reaches.append(&mut found.reaches);
        }
    }

    /// Notes which views and functions a read may reach.
    fn follow(&self, text: &[u8], mode: LexMode, found: &mut Node) {
        let unreadable = sql::mentions(text, mode, |name| {
            if name.is_ascii() {
                let view = with_folded(name, |folded| self.views.get(folded)).flatten();
                found.reaches.extend(view);
            } else {
                let foreign = self.views.iter().filter(|(view, _)| !view.is_ascii());
                found.reaches.extend(foreign.map(|(_, node)| node));
            }
            false
        });
        found.dirty |= unreadable;
        if sql::classify(text, mode).class != Class::Calls {
            return;
        }
        let all_known = sql::calls(text, mode, |schema, name| {
            let functions = with_folded(name, |folded| self.functions.get(folded)).flatten();
            let in_schema =
                |one: &&(Name, usize)| schema.is_none_or(|schema| one.0.eq_ignore_ascii_case(schema));
            let before = found.reaches.len();
            found.reaches.extend(functions.into_iter().flatten().filter(in_schema).map(|(_, node)| node));
            found.reaches.len() > before && (schema.is_some() || self.knows_bare(name))
        });
        found.dirty |= !all_known;
    }

    /// Whether a bare name can mean nothing but stored functions of exactly this name.
    fn knows_bare(&self, name: &[u8]) -> bool {
        let loadable =
            |names: &HashSet<Name>| with_folded(name, |folded| names.contains(folded)) != Some(false);
        let same = |foreign: &String| {
            let mut bytes = name.iter();
            foreign.chars().all(|one| {
                bytes
                    .next()
                    .is_some_and(|byte| !one.is_ascii() || one.eq_ignore_ascii_case(&char::from(*byte)))
            }) && bytes.next().is_none()
        };
        self.loadable.as_ref().is_some_and(|names| !loadable(names))
            && !self.foreign_functions.iter().any(same)
    }

    /// Which nodes are dirty or reach one that is. A circle of clean ones is clean: whatever runs stays in it.
    fn dirty(&self) -> Vec<bool> {
        let mut reached_by = vec![Vec::new(); self.nodes.len()];
        for (from, node) in self.nodes.iter().enumerate() {
            for to in &node.reaches {
                if let Some(list) = reached_by.get_mut(*to) {
                    list.push(from);
                }
            }
        }
        let mut dirty: Vec<bool> = self.nodes.iter().map(|node| node.dirty).collect();
        let mut rest: Vec<usize> = (0..dirty.len()).filter(|node| dirty.get(*node) == Some(&true)).collect();
        while let Some(node) = rest.pop() {
            for from in reached_by.get(node).into_iter().flatten() {
                if let Some(one) = dirty.get_mut(*from).filter(|one| !**one) {
                    *one = true;
                    rest.push(*from);
                }
            }
        }
        dirty
    }
}

fn reads_of(function: &FunctionBody, mode: LexMode) -> Option<Vec<Read>> {
    if sql::is_other_grammar(&function.sql_mode) || !sql::charset_is_safe(&function.charset) {
        return None;
    }
    let parameters: Vec<Name> = function.parameters.iter().map(|name| folded(name)).collect();
    sql::function_reads(function.body.as_ref()?.as_bytes(), mode, &parameters)
}
