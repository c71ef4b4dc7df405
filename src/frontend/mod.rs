//! Conversations with clients: accept, log in, relay commands and replies.
