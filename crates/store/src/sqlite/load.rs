//! The state, from the view's tables: as long as there are rooms and users, however long the log.

use super::error::Failure;
use super::reading::Readings;
use crate::record;
use damso_chat::state::{Hook, Membership, Read, State, User};
use damso_chat::{KeyHash, Member, Target};
use damso_protocol::id::Map;
use damso_protocol::{RoomId, UserId};
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::net::IpAddr;

/// Where the log ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// How many events there are.
    pub position: u64,
    /// How many of them concern the whole site.
    pub site: u64,
    /// The last one's time, in ms since 1970.
    pub at: u64,
    /// Up to which position the table of readings has what messages say about them.
    pub readings: u64,
}

impl End {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row("SELECT position, site, at, readings FROM meta", [], |row| {
            let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
            Ok(Self {
                position: number(0)?,
                site: number(1)?,
                at: number(2)?,
                readings: number(3)?,
            })
        })
    }

    pub(super) fn save(self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE meta SET position = ?1, site = ?2, at = ?3, readings = ?4")?
            .execute(params![
                self.position as i64,
                self.site as i64,
                self.at as i64,
                self.readings as i64
            ])?;
        Ok(())
    }
}

/// The state at the log's end, and what of it the table of readings doesn't have yet.
pub(super) fn load(connection: &Connection, end: End) -> Result<(State, Readings), Failure> {
    let mut state = State::new();
    users(connection, &mut state)?;
    rooms(connection, &mut state)?;
    readings(connection, &mut state)?;
    kept(connection, &mut state)?;
    hooks(connection, &mut state)?;
    let pending = catch_up(connection, &mut state, end)?;
    Ok((state, pending))
}

fn users(connection: &Connection, state: &mut State) -> Result<(), Failure> {
    let mut statement = connection.prepare("SELECT id, name, key FROM user")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = UserId::new(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
        let name = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?.into();
        let key = row.get::<_, [u8; 32]>(2)?;
        state.restore_user(id, User { name, key: KeyHash(key) });
    }
    Ok(())
}

fn rooms(connection: &Connection, state: &mut State) -> Result<(), Failure> {
    let mut members: HashMap<String, Map<UserId, Membership>> = HashMap::new();
    let mut statement =
        connection.prepare("SELECT room, user, is_owner, first, since FROM member")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let role = if row.get::<_, bool>(2)? { Member::Owner } else { Member::Member };
        let membership = Membership {
            role,
            first: row.get::<_, i64>(3)? as u64,
            since: row.get::<_, i64>(4)? as u64,
        };
        let user = UserId::new(row.get::<_, String>(1)?);
        members.entry(row.get(0)?).or_default().insert(user, membership);
    }
    let mut statement = connection.prepare("SELECT id, head, n, record FROM room")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get::<_, String>(0)?;
        let (head, n) = (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64);
        let is_lobby = id == RoomId::lobby().as_str();
        let bytes = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        let mut room = record::read_room(is_lobby, head, n, bytes)?;
        room.members = members.remove(&id).unwrap_or_default();
        state.restore_room(RoomId::new(id), room);
    }
    Ok(())
}

fn readings(connection: &Connection, state: &mut State) -> Result<(), Failure> {
    let mut statement = connection.prepare("SELECT user, room, seq, n, mentions FROM reading")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let user = UserId::new(row.get::<_, String>(0)?);
        let room = RoomId::new(row.get::<_, String>(1)?);
        let read = Read { seq: row.get::<_, i64>(2)? as u64, n: row.get::<_, i64>(3)? as u64 };
        // A user that was only called so far has a row too, but has read nothing.
        if read.seq > 0 {
            state.restore_read(user.clone(), room.clone(), read);
        }
        let bytes = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
        for m in record::read_mentions(bytes)? {
            state.restore_mention(user.clone(), room.clone(), m);
        }
    }
    Ok(())
}

fn kept(connection: &Connection, state: &mut State) -> Result<(), Failure> {
    let mut statement = connection.prepare("SELECT kind, target, until FROM kept")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, target): (String, String) = (row.get(0)?, row.get(1)?);
        let until = row.get::<_, Option<i64>>(2)?.map(|until| until as u64);
        let bad = || Failure::Record(format!("a {kind} of {target} isn't one"));
        let address = || target.parse::<IpAddr>().map_err(|_| bad());
        match kind.as_str() {
            "ban" => state.restore_ban(address()?, until),
            "mute_address" => state.restore_mute(Target::Address(address()?), until),
            "mute_user" => {
                state.restore_mute(Target::User(UserId::new(target.clone())), until);
            }
            // A note to the writer.
            "scrub" => {}
            _ => return Err(bad()),
        }
    }
    Ok(())
}

fn hooks(connection: &Connection, state: &mut State) -> Result<(), Failure> {
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // A database of the first format, which is read before it is migrated, has none.
    if format < 2 {
        return Ok(());
    }
    let mut statement = connection.prepare("SELECT id, room, maker, name, key FROM hook")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = UserId::new(row.get::<_, String>(0)?);
        let key = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
        let hook = match key {
            // It was revoked.
            [] => None,
            key => {
                let bad = |_| Failure::Record(format!("the key of the webhook {id} isn't one"));
                let key = KeyHash(key.try_into().map_err(bad)?);
                let text = |column| row.get::<_, String>(column);
                let (room, by) = (RoomId::new(text(1)?), UserId::new(text(2)?));
                Some(Hook { room, by, name: text(3)?.into(), key })
            }
        };
        state.restore_hook(id, hook);
    }
    Ok(())
}

/// Takes in what the newest messages say about who has read and who is called. There is no other
/// event among them that matters: see [`Readings`].
fn catch_up(connection: &Connection, state: &mut State, end: End) -> Result<Readings, Failure> {
    let mut pending = Readings::default();
    if end.readings == end.position {
        return Ok(pending);
    }
    let mut newest = connection.prepare(
        "SELECT seq, position FROM message WHERE room = ?1 AND seq <= ?2 ORDER BY seq DESC",
    )?;
    let mut messages = connection.prepare(
        "SELECT seq, at, n, record FROM message WHERE room = ?1 AND seq >= ?2 ORDER BY seq",
    )?;
    let heads: Vec<_> = state.rooms().map(|(id, room)| (id.clone(), room.head)).collect();
    for (room, head) in heads {
        let mut first = None;
        let mut rows = newest.query(params![room.as_str(), head as i64])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(1)? as u64 <= end.readings {
                break;
            }
            first = Some(row.get::<_, i64>(0)?);
        }
        let Some(first) = first else { continue };
        let mut rows = messages.query(params![room.as_str(), first])?;
        while let Some(row) = rows.next()? {
            let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
            let bytes = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
            let (seq, at, n) = (number(0)?, number(1)?, number(2)?);
            let message = record::read_message(room.clone(), seq, n, at, bytes)?;
            state.restore_said(&message);
            pending.said(state, &message);
        }
    }
    Ok(pending)
}
