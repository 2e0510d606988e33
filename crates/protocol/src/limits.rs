//! Every number that bounds what a peer may do, in one place.
//!
//! The configuration's section `[limits]` is this struct, so a limit has one name everywhere.

use serde::{Deserialize, Serialize};

/// The limits of a server. `0` lifts a rate or a count ("no limit"); sizes can't be lifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Longest WebSocket frame, and longest message after assembly and inflation, in bytes.
    /// Default 65,536.
    pub frame_bytes: u32,
    /// Longest text of one chat message, in characters. Default 8,000.
    pub text_chars: u32,
    /// Messages a user may send at once before the rate counts. Default 10.
    pub send_burst: u32,
    /// Messages a second for one user, afterwards. Default 1; 0: no limit.
    pub send_per_second: f64,
    /// Commands of any kind a user may give at once. Default 60.
    pub commands_burst: u32,
    /// Commands a second for one user, afterwards. Default 5; 0: no limit.
    pub commands_per_second: f64,
    /// Commands of one connection that may be on their way through the hub; with that many out
    /// its socket isn't read. Default 16.
    pub commands_in_flight: u32,
    /// Rooms that one connection may hear at a time. Default 50; 0: no limit.
    pub open_rooms: u32,
    /// Connections of one user. Default 20; 0: no limit.
    pub connections_per_user: u32,
    /// Guests from one address: `-1` stands for 20 from public addresses and 200 from loopback
    /// and private ones (a classroom shares one). Default -1; 0: no limit.
    pub guests_per_address: i64,
    /// Longest head of an HTTP request, in bytes. Default 16,384.
    pub head_bytes: u32,
    /// Seconds in which a request's head has to be complete. Default 10.
    pub head_seconds: u32,
    /// Seconds of silence after which a peer is pinged. Default 25.
    pub ping_seconds: u32,
    /// Seconds after which a peer that says nothing, or takes no byte, is gone. Default 60.
    pub silent_seconds: u32,
    /// Bytes of recent events that are kept ready for readers that fall behind, of all rooms
    /// together, in each shard. Default 32 MiB.
    pub feed_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 65_536,
            text_chars: 8_000,
            send_burst: 10,
            send_per_second: 1.0,
            commands_burst: 60,
            commands_per_second: 5.0,
            commands_in_flight: 16,
            open_rooms: 50,
            connections_per_user: 20,
            guests_per_address: -1,
            head_bytes: 16_384,
            head_seconds: 10,
            ping_seconds: 25,
            silent_seconds: 60,
            feed_bytes: 32 << 20,
        }
    }
}

impl Limits {
    /// Says what is wrong with the numbers, in one sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        let at_least = |name: &str, value: u32, least: u32| {
            if value < least {
                Err(format!("limits.{name} is {value}, but must be at least {least}"))
            } else {
                Ok(())
            }
        };
        at_least("frame_bytes", self.frame_bytes, 125)?;
        at_least("text_chars", self.text_chars, 1)?;
        at_least("send_burst", self.send_burst, 1)?;
        at_least("commands_burst", self.commands_burst, 1)?;
        at_least("commands_in_flight", self.commands_in_flight, 1)?;
        at_least("head_bytes", self.head_bytes, 256)?;
        at_least("head_seconds", self.head_seconds, 1)?;
        at_least("ping_seconds", self.ping_seconds, 1)?;
        at_least("silent_seconds", self.silent_seconds, 1)?;
        at_least("feed_bytes", self.feed_bytes, self.frame_bytes)?;
        for (name, value) in [
            ("send_per_second", self.send_per_second),
            ("commands_per_second", self.commands_per_second),
        ] {
            if !value.is_finite() || value < 0.0 {
                return Err(format!("limits.{name} is {value}, but must be 0 or more"));
            }
        }
        if self.guests_per_address < -1 {
            return Err(format!(
                "limits.guests_per_address is {}, but must be -1, 0 or more",
                self.guests_per_address
            ));
        }
        if self.silent_seconds <= self.ping_seconds {
            return Err(format!(
                "limits.silent_seconds is {}, but must be more than limits.ping_seconds, {}",
                self.silent_seconds, self.ping_seconds
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_check() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn a_number_that_makes_no_sense_is_named() {
        let negative = Limits { send_per_second: -1.0, ..Limits::default() };
        assert!(negative.check().unwrap_err().contains("limits.send_per_second"));
        let no_time = Limits { silent_seconds: 10, ..Limits::default() };
        assert!(no_time.check().unwrap_err().contains("limits.ping_seconds"));
        let tiny = Limits { frame_bytes: 1, ..Limits::default() };
        assert!(tiny.check().unwrap_err().contains("at least 125"));
    }
}
