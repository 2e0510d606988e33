//! Descriptors, memory, the clock.

use super::{Finding, say};
use crate::lang::Lang;
use crate::metrics::disk::Bytes;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Descriptors that are not for connections: files, wake-ups, listeners.
const OWN_DESCRIPTORS: u64 = 64;
/// Fewer connections than this are few.
const CONNECTIONS_FEW: u64 = 960;
/// Less memory than this is little, in bytes: caches and rings of recent events take some 100 MiB.
const MEMORY_LITTLE: u64 = 192 << 20;
/// No clock that is right shows an earlier time, in s since 1970: the beginning of 2025.
const TIME_MIN: u64 = 1_735_689_600;

pub fn look(lang: Lang) -> Vec<Finding> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut findings = vec![descriptors(getrlimit(Resource::Nofile).maximum, lang)];
    findings.extend(memory_limit().map(|bytes| memory(bytes, lang)));
    findings.push(clock(now, lang));
    findings
}

/// damso raises its own limit as far as it may; `maximum` is how far that is.
fn descriptors(maximum: Option<u64>, lang: Lang) -> Finding {
    let what = "descriptors";
    let Some(maximum) = maximum else {
        return Finding::ok(what, say!(lang, "no limit", "제한 없음"));
    };
    let connections = maximum.saturating_sub(OWN_DESCRIPTORS);
    let found = say!(
        lang,
        "at most {maximum}, enough for {connections} connections (half of that with --engine threads)",
        "{maximum}개까지, 연결 {connections}개에 충분합니다 (--engine threads에서는 그 절반)"
    );
    if connections >= CONNECTIONS_FEW {
        return Finding::ok(what, found);
    }
    let mend = say!(
        lang,
        "raise it before the start, as with `ulimit -Hn 65536` or LimitNOFILE=65536 in a systemd unit",
        "시작하기 전에 `ulimit -Hn 65536`이나 systemd의 LimitNOFILE=65536으로 늘리세요"
    );
    if connections < 16 {
        Finding::bad(what, found, mend)
    } else {
        Finding::warn(what, found, mend)
    }
}

/// What this process may use: the least of its group's limits and what the machine has to give;
/// none where the system doesn't tell.
fn memory_limit() -> Option<u64> {
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    });
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| {
        let group = text.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
        let folder = Path::new("/sys/fs/cgroup").join(group);
        let limit = |folder: &Path| {
            fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse::<u64>().ok()
        };
        folder.ancestors().take_while(|at| at.starts_with("/sys/fs/cgroup")).filter_map(limit).min()
    });
    [available, group].into_iter().flatten().min()
}

fn memory(bytes: u64, lang: Lang) -> Finding {
    let size = Bytes(bytes);
    let found = say!(lang, "{size} to use", "{size} 쓸 수 있습니다");
    if bytes >= MEMORY_LITTLE {
        return Finding::ok("memory", found);
    }
    let mend = say!(
        lang,
        "give it more, or make the rings of recent events smaller: --set limits.feed_bytes=8388608",
        "더 주거나 최근 글의 보관을 줄이세요: --set limits.feed_bytes=8388608"
    );
    Finding::warn("memory", found, mend)
}

fn clock(now: u64, lang: Lang) -> Finding {
    if now >= TIME_MIN {
        return Finding::ok("clock", utc(now));
    }
    let mend = say!(
        lang,
        "set it, and have it kept by NTP, as with `timedatectl set-ntp true`",
        "시계를 맞추고 `timedatectl set-ntp true`처럼 NTP로 유지하세요"
    );
    let found = say!(
        lang,
        "it is years behind ({now} s since 1970)",
        "몇 해 늦습니다 (1970년부터 {now}초)"
    );
    Finding::bad("clock", found, mend)
}

/// A time in s since 1970, as people read it.
fn utc(now: u64) -> String {
    let (days, second) = (now / 86_400, now % 86_400);
    // Years begin in March, so that the day that is sometimes there is the last one.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn the_descriptor_limit_says_how_many_connections_it_allows() {
        for (maximum, level, words) in [
            (Some(20_000), Level::Ok, "19936 connections"),
            (Some(256), Level::Warn, "192 connections"),
            (Some(64), Level::Bad, "0 connections"),
            (None, Level::Ok, "no limit"),
        ] {
            let finding = descriptors(maximum, Lang::En);
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.found.contains(words), "{finding:?}");
            assert_eq!(finding.mend.is_empty(), level == Level::Ok, "{finding:?}");
        }
    }

    #[test]
    fn a_time_is_shown_as_a_date() {
        for (now, shown) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_735_689_600, "2025-01-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(now), shown);
        }
    }

    #[test]
    fn a_clock_without_a_battery_and_little_memory_are_told() {
        assert_eq!(clock(3_600, Lang::En).level, Level::Bad);
        assert_eq!(clock(TIME_MIN, Lang::Ko).level, Level::Ok);
        assert_eq!(memory(64 << 20, Lang::Ko).level, Level::Warn);
        assert_eq!(memory(1 << 30, Lang::En).level, Level::Ok);
    }
}
