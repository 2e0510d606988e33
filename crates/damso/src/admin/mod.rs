//! The operator: one table of commands, and the two ways by which they come.
//!
//! [`table`] has the commands and reads a line, [`text`] has what answers look like. [`console`]
//! takes lines from stdin, [`control`] from the data folder's socket, and [`verb`] is the other end
//! of that socket: `damso room …` and `damso user …`.

pub mod console;
pub mod control;
pub mod table;
pub mod text;
pub mod verb;

/// The longest line that is read, in bytes; the message limit is checked by the hub.
const LINE_BYTES_MAX: u64 = 64 * 1024;
