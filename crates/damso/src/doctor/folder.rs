//! The data folder: whose it is, what is in it, and the disk it lies on.

use super::{Finding, say};
use crate::lang::Lang;
use crate::metrics::disk::{Bytes, Space};
use damso_store::Looked;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often something is written to measure the disk.
const WRITES: usize = 50;
/// A disk that takes longer for one is slow.
const SLOW: Duration = Duration::from_millis(20);
/// Less free than this is a full disk, in bytes.
const FREE_MIN: u64 = 16 << 20;
/// A clock may be so much behind the log, in ms: events of one batch have the same time.
const BEHIND_MAX: u64 = 1_000;

/// File systems on which SQLite's shared memory or locks can't be relied on.
const UNSAFE: [&str; 11] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "vboxsf",
    "prl_fs",
    "fuse.sshfs",
    "drvfs",
];

pub fn look(path: &Path, lang: Lang) -> Vec<Finding> {
    let shown = path.display();
    let mend_folder = || {
        say!(
            lang,
            "make it a folder of yours, or choose another with --data",
            "쓸 수 있는 폴더로 만들거나 --data로 다른 폴더를 고르세요"
        )
    };
    let mut findings = Vec::new();
    match fs::metadata(path) {
        Ok(folder) if folder.is_dir() => {
            findings.push(rights(path, &folder, lang));
            findings.extend(holder(path, lang));
            findings.extend(database(path, lang));
        }
        Ok(_) => {
            let found = say!(lang, "{shown} is no folder", "{shown}은(는) 폴더가 아닙니다");
            return vec![Finding::bad("data folder", found, mend_folder())];
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let found = say!(
                lang,
                "{shown} isn't there yet; damso will make it",
                "{shown}은(는) 아직 없습니다. 담소가 만듭니다"
            );
            findings.push(Finding::ok("data folder", found));
        }
        Err(error) => {
            let found = format!("{shown}: {error}");
            return vec![Finding::bad("data folder", found, mend_folder())];
        }
    }
    // Where it is, or will be.
    let Some(there) = there(path) else { return findings };
    findings.extend(file_system(&there, lang));
    match Space::of(&there) {
        Ok(space) => findings.push(room(space, lang)),
        Err(error) => findings.push(Finding::bad("free disk", error.to_string(), mend_folder())),
    }
    match measure(&there) {
        Ok(median) => findings.push(speed(median, lang)),
        Err(error) => {
            let at = there.display();
            let found = say!(
                lang,
                "nothing can be written to {at}: {error}",
                "{at}에 쓸 수 없습니다: {error}"
            );
            findings.push(Finding::bad("fsync", found, mend_folder()));
        }
    }
    findings
}

/// The folder, or the one in which it will be made.
fn there(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|at| fs::canonicalize(at).ok())
}

fn rights(path: &Path, folder: &Metadata, lang: Lang) -> Finding {
    let (shown, what) = (path.display(), "data folder");
    let own = rustix::process::geteuid().as_raw();
    let (mode, owner) = (folder.mode() & 0o777, folder.uid());
    if owner != own {
        let found = say!(
            lang,
            "{shown} belongs to user {owner}, and you are user {own}",
            "{shown}의 주인은 사용자 {owner}이고, 지금은 사용자 {own}입니다"
        );
        let mend = say!(
            lang,
            "run damso and its doctor as that user, or `chown -R {own} {shown}`",
            "그 사용자로 실행하거나 `chown -R {own} {shown}`을 하세요"
        );
        return Finding::warn(what, found, mend);
    }
    if mode & 0o077 != 0 {
        let found = say!(
            lang,
            "{shown} has the rights {mode:o}: others on this machine may look into it",
            "{shown}의 권한이 {mode:o}입니다. 이 컴퓨터의 다른 사용자가 볼 수 있습니다"
        );
        return Finding::bad(what, found, format!("chmod 700 {shown}"));
    }
    if mode & 0o700 != 0o700 {
        let found = say!(
            lang,
            "{shown} has the rights {mode:o}: its owner can't use it",
            "{shown}의 권한이 {mode:o}입니다. 주인이 쓸 수 없습니다"
        );
        return Finding::bad(what, found, format!("chmod 700 {shown}"));
    }
    Finding::ok(what, say!(lang, "{shown}, for you alone", "{shown}, 주인만 씁니다"))
}

fn holder(path: &Path, lang: Lang) -> Option<Finding> {
    let what = "in use";
    match damso_store::is_held(path) {
        Ok(true) => {
            Some(Finding::ok(what, say!(lang, "a damso runs on it", "담소가 쓰고 있습니다")))
        }
        Ok(false) => Some(Finding::ok(what, say!(lang, "by nobody", "쓰는 이가 없습니다"))),
        // What can't be read is told of the database.
        Err(_) => None,
    }
}

fn database(path: &Path, lang: Lang) -> Vec<Finding> {
    let what = "database";
    let newest = Looked::FORMAT_MAX;
    let found = match damso_store::look(path) {
        Ok(None) => return vec![Finding::ok(what, say!(lang, "none yet", "아직 없습니다"))],
        Ok(Some(found)) => found,
        Err(error) => {
            let mend = say!(
                lang,
                "if its rights are right, bring the folder back from a backup",
                "권한이 맞는다면 백업에서 폴더를 되살리세요"
            );
            return vec![Finding::bad(what, error.to_string(), mend)];
        }
    };
    let format = found.format;
    if !(1..=newest).contains(&format) {
        let said = say!(
            lang,
            "it has the format {format}, and this damso knows up to {newest}",
            "형식이 {format}인데 이 담소는 {newest}까지 압니다"
        );
        let mend = say!(
            lang,
            "run the newer damso that wrote it, or choose another folder with --data",
            "이것을 쓴 새 담소를 쓰거나 --data로 다른 폴더를 고르세요"
        );
        return vec![Finding::bad(what, said, mend)];
    }
    let said = say!(lang, "it can be read; format {format}", "읽을 수 있습니다. 형식 {format}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    vec![Finding::ok(what, said), clock(now, found.last_at, lang)]
}

fn clock(now: u64, last_at: u64, lang: Lang) -> Finding {
    let what = "clock and log";
    let behind = last_at.saturating_sub(now);
    if behind <= BEHIND_MAX {
        return Finding::ok(what, say!(lang, "they agree", "맞습니다"));
    }
    let seconds = behind.div_ceil(1_000);
    let found = say!(
        lang,
        "the clock is {seconds} s behind the log's last event; messages get times that go on from \
         there at half speed",
        "시계가 마지막 글보다 {seconds}초 늦습니다. 글의 시각은 거기서부터 절반의 속도로 갑니다"
    );
    let mend = say!(
        lang,
        "set the clock; if it is right, it was wrong when the last message came, and time mends it",
        "시계를 맞추세요. 지금이 맞다면 그때의 시계가 틀렸던 것이니 시간이 지나면 나아집니다"
    );
    Finding::warn(what, found, mend)
}

/// Where the system tells it, as Linux does.
fn file_system(there: &Path, lang: Lang) -> Option<Finding> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    Some(judge_kind(kind_of(&mounts, there)?, lang))
}

/// The kind of file system on which `path` (absolute, without links) lies.
fn kind_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mut found: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(at), Some(kind)) = (words.next(), words.next()) else { continue };
        let at = at.replace("\\040", " ");
        // Of what is mounted at one place the last one shows.
        if path.starts_with(&at) && found.is_none_or(|(length, _)| at.len() >= length) {
            found = Some((at.len(), kind));
        }
    }
    found.map(|(_, kind)| kind)
}

fn judge_kind(kind: &str, lang: Lang) -> Finding {
    let what = "file system";
    if UNSAFE.contains(&kind) {
        let found = say!(
            lang,
            "{kind}: SQLite's log isn't safe there",
            "{kind}: SQLite의 로그가 안전하지 않습니다"
        );
        let mend = say!(
            lang,
            "choose a folder on a disk of this machine with --data",
            "--data로 이 컴퓨터의 디스크에 있는 폴더를 고르세요"
        );
        return Finding::bad(what, found, mend);
    }
    if ["tmpfs", "ramfs"].contains(&kind) {
        let found = say!(
            lang,
            "{kind}: it is memory, and gone with the power",
            "{kind}: 메모리라서 전원이 꺼지면 사라집니다"
        );
        let mend = say!(
            lang,
            "choose a folder on a disk with --data",
            "--data로 디스크의 폴더를 고르세요"
        );
        return Finding::warn(what, found, mend);
    }
    Finding::ok(what, kind)
}

fn room(space: Space, lang: Lang) -> Finding {
    let (free, total, percent) = (Bytes(space.free), Bytes(space.total), space.percent());
    let found = say!(lang, "{free} of {total} ({percent} %)", "{total} 중 {free} ({percent}%)");
    let mend = say!(
        lang,
        "make room: on a full disk no message is accepted",
        "공간을 비우세요. 디스크가 차면 글을 받지 못합니다"
    );
    match (space.free < FREE_MIN, percent < 10) {
        (true, _) => Finding::bad("free disk", found, mend),
        (false, true) => Finding::warn("free disk", found, mend),
        (false, false) => Finding::ok("free disk", found),
    }
}

/// How long it takes until a page is on the disk: the median of some.
fn measure(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!(".damso-doctor-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let measured = write_pages(&file);
    let removed = fs::remove_file(&path);
    let mut times = measured?;
    removed?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn write_pages(file: &File) -> io::Result<Vec<Duration>> {
    let page = [0x5a; 4096];
    let mut times = Vec::with_capacity(WRITES);
    for number in 0..WRITES {
        let since = Instant::now();
        file.write_all_at(&page, (number * page.len()) as u64)?;
        file.sync_data()?;
        times.push(since.elapsed());
    }
    Ok(times)
}

fn speed(median: Duration, lang: Lang) -> Finding {
    let ms = median.as_secs_f64() * 1e3;
    let rate = (1.0 / median.as_secs_f64().max(1e-6)).round() as u64;
    let found = say!(
        lang,
        "{ms:.2} ms for 4 KiB (median of {WRITES}): some {rate} messages a second of one sender who \
         waits for each; more share a commit",
        "4 KiB에 {ms:.2} ms ({WRITES}번의 중앙값): 하나씩 기다리며 보내면 1초에 {rate}개쯤이고, \
         여럿이 보내면 함께 기록합니다"
    );
    if median <= SLOW {
        return Finding::ok("fsync", found);
    }
    let mend = say!(
        lang,
        "choose a faster disk with --data; SD cards and disks over a network are slow",
        "--data로 더 빠른 디스크를 고르세요. SD 카드나 네트워크 디스크는 느립니다"
    );
    Finding::warn("fsync", found, mend)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn the_deepest_mount_says_the_kind_and_the_last_one_of_a_place() {
        let mounts = "none / overlay rw 0 0\nhost:/x /srv nfs4 rw 0 0\n/dev/a /srv/a\\040b ext4 rw 0 0\n\
                      tmpfs /srv/a\\040b/tmp tmpfs rw 0 0\nx / ext4 rw 0 0\n";
        for (path, kind) in [
            ("/home", "ext4"),
            ("/srv", "nfs4"),
            ("/srvr", "ext4"),
            ("/srv/a b/c", "ext4"),
            ("/srv/a b/tmp/d", "tmpfs"),
        ] {
            assert_eq!(kind_of(mounts, Path::new(path)), Some(kind), "{path}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_disk_has_its_level() {
        for lang in [Lang::En, Lang::Ko] {
            for (kind, level) in [
                ("nfs4", Level::Bad),
                ("9p", Level::Bad),
                ("tmpfs", Level::Warn),
                ("ext4", Level::Ok),
            ] {
                assert_eq!(judge_kind(kind, lang).level, level, "{kind}");
            }
            let space = |free| Space { free, total: 100 << 30 };
            assert_eq!(room(space(50 << 30), lang).level, Level::Ok);
            assert_eq!(room(space(5 << 30), lang).level, Level::Warn);
            assert_eq!(room(space(1 << 20), lang).level, Level::Bad);
            assert_eq!(speed(Duration::from_millis(50), lang).level, Level::Warn);
            let fast = speed(Duration::from_millis(2), lang);
            assert_eq!(fast.level, Level::Ok);
            assert!(fast.found.contains("2.00 ms") && fast.found.contains("500"), "{fast:?}");
        }
    }

    #[test]
    fn a_clock_behind_the_log_says_how_far() {
        assert_eq!(clock(10_000, 10_500, Lang::En).level, Level::Ok);
        let behind = clock(10_000, 70_000, Lang::En);
        assert_eq!(behind.level, Level::Warn);
        assert!(behind.found.contains("60 s behind"), "{behind:?}");
    }
}
