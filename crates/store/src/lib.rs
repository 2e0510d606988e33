//! damso-store
