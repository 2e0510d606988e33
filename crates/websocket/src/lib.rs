//! damso-websocket
