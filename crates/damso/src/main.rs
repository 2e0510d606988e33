//! damso
fn main() {}
