//! The machine as its user and the server see it.

mod driver;
mod vectors;
