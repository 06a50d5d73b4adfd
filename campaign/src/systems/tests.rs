//! What files may say, and what every client does against a node that is really there.

mod clients;
mod files;
