//! How full the disk of the data folder is, and the one warning about it.

use std::fmt;
use std::io;
use std::path::Path;

/// Below this part of the disk that is free, in percent, the operator is warned,
const LOW_PERCENT: u64 = 10;
/// and again only after there was this much.
const RECOVERED_PERCENT: u64 = 12;

/// What a disk has, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// What this process may still write.
    pub free: u64,
    /// All there is.
    pub total: u64,
}

impl Space {
    /// Of the disk on which `path` lies.
    ///
    /// # Errors
    /// There is no such path, or it can't be asked.
    pub fn of(path: &Path) -> io::Result<Self> {
        let disk = rustix::fs::statvfs(path)?;
        let unit = disk.f_frsize;
        Ok(Self {
            free: disk.f_bavail.saturating_mul(unit),
            total: disk.f_blocks.saturating_mul(unit),
        })
    }

    /// The part that is free, in percent, rounded down.
    pub fn percent(self) -> u64 {
        let percent = u128::from(self.free) * 100 / u128::from(self.total.max(1));
        // Both were u64; nobody has more free than there is.
        percent.min(100) as u64
    }
}

/// Whether the operator has been warned.
#[derive(Default)]
pub struct Watch {
    is_low: bool,
}

impl Watch {
    /// Takes in a reading; whether it is time to warn.
    pub fn see(&mut self, space: Space) -> bool {
        let percent = space.percent();
        if self.is_low {
            self.is_low = percent < RECOVERED_PERCENT;
            return false;
        }
        self.is_low = percent < LOW_PERCENT;
        self.is_low
    }
}

/// Reads, and warns if it is time to; what can't be read is no news.
pub fn look(
    folder: &Path,
    watch: &mut Watch,
    read: impl FnOnce(&Path) -> io::Result<Space>,
    warn: impl FnOnce(&str),
) {
    let Ok(space) = read(folder) else { return };
    if watch.see(space) {
        warn(&format!(
            "the disk of {} is nearly full: {} of {} are free ({} %); when it is full, nothing \
             more is accepted until there is room again, and nothing that was acknowledged is lost",
            folder.display(),
            Bytes(space.free),
            Bytes(space.total),
            space.percent(),
        ));
    }
}

/// Bytes as people read them.
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut unit) = (self.0 as f64, "bytes");
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 {
                break;
            }
            (value, unit) = (value / 1024.0, larger);
        }
        let digits = usize::from(unit != "bytes" && value < 10.0);
        write!(f, "{value:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_warns_once_below_ten_percent_and_again_after_it_was_above_twelve() {
        let mut watch = Watch::default();
        let mut said = Vec::new();
        for free in [50, 10, 9, 8, 11, 9, 12, 9, 5, 0] {
            let space = Space { free: free << 30, total: 100 << 30 };
            look(
                Path::new("/srv/chat"),
                &mut watch,
                |_| Ok(space),
                |line| {
                    said.push((free, line.to_owned()));
                },
            );
        }
        let when: Vec<u64> = said.iter().map(|(free, _)| *free).collect();
        assert_eq!(when, [9, 9]);
        let line = &said[0].1;
        for word in ["/srv/chat", "9.0 GiB of 100 GiB", "(9 %)", "nothing more is accepted"] {
            assert!(line.contains(word), "{word}: {line}");
        }
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_no_warning() {
        let failed = |_: &Path| Err(io::ErrorKind::NotFound.into());
        look(Path::new("/nowhere"), &mut Watch::default(), failed, |_| panic!("a warning"));
    }

    #[test]
    fn the_disk_of_a_folder_is_read() {
        let space = Space::of(&std::env::temp_dir()).unwrap();
        assert!(space.total > 0 && space.free <= space.total, "{space:?}");
    }
}
