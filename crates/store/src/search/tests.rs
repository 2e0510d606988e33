//! Looking for messages, against an oracle that reads them all.
