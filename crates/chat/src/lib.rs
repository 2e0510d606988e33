//! damso-chat
