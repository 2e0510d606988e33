//! damso-protocol
