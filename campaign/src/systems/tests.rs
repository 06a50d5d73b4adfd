//! What files may say, what every client does against a node that is really there, and how systems are asked.

mod admin;
mod clients;
mod files;
