//! What a statement is, from its bytes. Pure.
//!
//! One pass of our own lexer, over bytes of any character set, decides alone and on the safe side: a
//! [`Class::PlainRead`] is a SELECT of which everything is known, and what is not understood is
//! [`Class::Other`]. Nothing here knows a session, a server or a route.

#![warn(clippy::indexing_slicing)]

mod body;
mod bond;
mod calls;
mod class;
mod comment;
mod describe;
mod digest;
mod found;
mod lexer;
mod mode;
mod normal;
mod optimizer;
mod relations;
mod scan;
mod set;
mod several;
mod show;
mod splice;
mod statement;
mod traces;
mod transaction;
mod value;
mod version;
mod vocabulary;
mod words;

#[cfg(test)]
mod tests;

pub use body::{LONGEST_BODY, Read, function_reads, view_reads};
pub use bond::{Literal, Temporaries, literals, lock_names};
pub use calls::{calls, mentions};
pub use class::classify;
pub use comment::duration;
pub use digest::{Digest, LONGEST_NORMALIZED, digest, normalize};
pub use lexer::{Kind, Lexer, Token};
pub use mode::{Dialect, LexMode, charset_is_safe, is_other_grammar};
pub use relations::{Relations, relations};
pub use splice::with_row_count;
pub use statement::{
    Bond, Class, ConsistencyHint, Hints, Kill, Name, NotPlain, RouteHint, Span, Statement, TableName, Then,
    TransactionKind, Unclear,
};
pub use traces::{Leaves, Traces, is_plain_call, leaves_traces, traces};
pub use words::is_local_schema;
