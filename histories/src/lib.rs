//! What happened: events, the one recorder, the sealed history and its file format.
