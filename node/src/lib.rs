//! The reference system: a replicated register store over Raft.
