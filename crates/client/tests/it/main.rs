//! The machine as its user and the server see it.

mod driver;
mod model;
mod properties;
mod vectors;
