//! What processes and cores used, from /proc.

use std::collections::BTreeMap;
use std::fs;

/// CPU of some processes up to now.
#[derive(Clone, Default)]
pub struct ProcessCpu {
    /// In ticks of 10 ms: exact enough to tell user from system.
    user_ticks: u64,
    system_ticks: u64,
    /// By (process, thread): name, nanoseconds on a core.
    threads: BTreeMap<(u32, u32), (String, u64)>,
}

/// Between two readings.
#[derive(Clone, Default)]
pub struct ProcessUsage {
    pub total_us: f64,
    pub user_us: f64,
    pub system_us: f64,
    /// The busiest threads: name, µs.
    pub threads: Vec<(String, f64)>,
}

impl ProcessCpu {
    pub fn read(processes: &[u32]) -> Result<Self, String> {
        let mut sum = Self::default();
        for &process in processes {
            let (user, system) = stat_ticks(&format!("/proc/{process}/stat"))
                .ok_or_else(|| format!("process {process} is gone"))?;
            sum.user_ticks += user;
            sum.system_ticks += system;
            for entry in
                fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten()
            {
                let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok())
                else {
                    continue;
                };
                let read = |file| fs::read_to_string(entry.path().join(file)).ok();
                let on_core_ns =
                    read("schedstat").and_then(|text| text.split(' ').next()?.parse().ok());
                let name = read("comm").unwrap_or_default().trim_end().to_owned();
                sum.threads.insert((process, thread), (name, on_core_ns.unwrap_or(0)));
            }
        }
        Ok(sum)
    }

    pub fn since(&self, before: &Self) -> ProcessUsage {
        let tick_us = 1e6 / rustix::param::clock_ticks_per_second() as f64;
        let user_us = (self.user_ticks - before.user_ticks) as f64 * tick_us;
        let system_us = (self.system_ticks - before.system_ticks) as f64 * tick_us;
        let mut threads: Vec<(String, f64)> = self
            .threads
            .iter()
            .map(|(thread, (name, now_ns))| {
                let before_ns = before.threads.get(thread).map_or(0, |(_, ns)| *ns);
                (name.clone(), now_ns.saturating_sub(before_ns) as f64 / 1e3)
            })
            .collect();
        threads.sort_by(|a, b| b.1.total_cmp(&a.1));
        // The scheduler's nanoseconds where they exist and no thread took its own along when it ended.
        let scheduled_us: f64 = threads.iter().map(|(_, us)| us).sum();
        let ticks_us = user_us + system_us;
        let agree =
            scheduled_us > 0.0 && (scheduled_us - ticks_us).abs() < 0.03 * ticks_us + 3.0 * tick_us;
        let total_us = if agree { scheduled_us } else { ticks_us };
        let scale = if ticks_us > 0.0 { total_us / ticks_us } else { 0.0 };
        threads.truncate(4);
        ProcessUsage { total_us, user_us: user_us * scale, system_us: system_us * scale, threads }
    }
}

/// Ticks of the kernel's own threads, which do some servers' work unseen.
pub fn kernel_threads_ticks() -> u64 {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok()))
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            let fields = after_name(&text)?;
            // Field 4 of proc(5) is the parent; all kernel threads but kthreadd are children of 2.
            (fields.get(1) == Some(&"2"))
                .then(|| ticks(&fields).map(|(user, system)| user + system))?
        })
        .sum()
}

/// Ticks since the start of the machine that a core was not idle.
pub fn core_busy_ticks(core: usize) -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let name = format!("cpu{core} ");
    let fields: Vec<u64> = text
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .map(|line| line.split(' ').filter_map(|field| field.parse().ok()).collect())
        .unwrap_or_default();
    // user nice system idle iowait irq softirq steal
    fields.iter().take(8).sum::<u64>() - fields.iter().skip(3).take(2).sum::<u64>()
}

pub fn tick_us() -> f64 {
    1e6 / rustix::param::clock_ticks_per_second() as f64
}

/// Resident memory of processes, in KiB.
pub fn resident_kib(processes: &[u32]) -> u64 {
    let one = |process: &u32| -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    processes.iter().filter_map(one).sum()
}

pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    /// TCP's congestion control: it paces what a server sends, also over loopback.
    pub tcp: String,
}

impl Machine {
    pub fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let cpu = model
            .and_then(|line| line.split_once(": "))
            .map_or("unknown CPU", |(_, name)| name.trim());
        let setting = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default();
            text.trim().to_owned()
        };
        Self {
            cpu: cpu.to_owned(),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: setting("kernel/osrelease"),
            tcp: setting("net/ipv4/tcp_congestion_control"),
        }
    }
}

/// The cores this process may run on.
pub fn cores() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..rustix::thread::CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect(),
        Err(_) => vec![0],
    }
}

/// Binds the calling thread, and what it will start, to a core.
pub fn pin(core: usize) -> rustix::io::Result<()> {
    pin_to(&[core])
}

/// Binds them to some cores: to all, and they run where they like.
pub fn pin_to(cores: &[usize]) -> rustix::io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    rustix::thread::sched_setaffinity(None, &set)
}

fn stat_ticks(path: &str) -> Option<(u64, u64)> {
    ticks(&after_name(&fs::read_to_string(path).ok()?)?)
}

/// The fields from the third on: the name before them may contain anything.
fn after_name(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(") ")?.1.split(' ').collect())
}

fn ticks(fields: &[&str]) -> Option<(u64, u64)> {
    Some((fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_cpu_and_memory() {
        let me = [std::process::id()];
        let before = ProcessCpu::read(&me).unwrap();
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 200 {}
        let usage = ProcessCpu::read(&me).unwrap().since(&before);
        assert!(usage.total_us > 5_000.0, "{} µs", usage.total_us);
        assert!(resident_kib(&me) > 100);
        assert!(core_busy_ticks(cores()[0]) > 0);
    }

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) R 2 1 1 0 -1 4 0 0 0 0 11 12 0 0";
        let fields = after_name(stat).unwrap();
        assert_eq!((fields[1], ticks(&fields)), ("2", Some((11, 12))));
    }
}
