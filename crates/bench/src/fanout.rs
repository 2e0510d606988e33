//! One measurement: messages to all subscribers of a server, in a closed loop.

use crate::audience::Faults;
use crate::connect::Target;
use crate::generator::{Generator, Wait};
use crate::text::Text;
use crate::usage::{self, ProcessCpu, ProcessUsage};

const STALLED_NS: u64 = 5_000_000_000;

#[derive(Clone, Debug)]
pub struct Load {
    pub subscribers: usize,
    /// Connections that send; they listen as well.
    pub publishers: usize,
    /// Text of a message.
    pub bytes: usize,
    /// Messages that are sent and not yet with everybody.
    pub in_flight: usize,
    pub seconds: f64,
    pub warm_up_seconds: f64,
    pub wait: Wait,
}

/// What to read the CPU of.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// The server's processes.
    pub processes: Vec<u32>,
    pub server_core: Option<usize>,
    pub generator_core: Option<usize>,
}

pub struct Outcome {
    pub seconds: f64,
    pub deliveries: u64,
    pub messages: u64,
    /// Of the last receiver.
    pub p50_us: f64,
    pub p99_us: f64,
    pub server: Option<ProcessUsage>,
    pub server_resident_kib: u64,
    pub kernel_threads_us: f64,
    pub generator_us: f64,
    /// Share of the server's core and of the generator's that went to neither: what disturbed the measurement.
    pub others_share: Option<[f64; 2]>,
    /// Whether publishers got their own messages.
    pub own_messages: bool,
    pub greetings: u64,
    pub faults: Faults,
}

impl Outcome {
    pub fn deliveries_per_second(&self) -> f64 {
        self.deliveries as f64 / self.seconds
    }

    /// µs per delivery for a number of µs in all.
    pub fn per_delivery(&self, us: f64) -> f64 {
        us / self.deliveries.max(1) as f64
    }

    /// Share of one core.
    pub fn share(&self, us: f64) -> f64 {
        us / 1e6 / self.seconds
    }
}

pub fn run(target: &Target, load: &Load, watch: &Watch) -> Result<Outcome, String> {
    let Load { subscribers, publishers, bytes, in_flight, wait, .. } = *load;
    let text = Text::new(run_number(), bytes);
    let in_flight_each = (in_flight / publishers).max(1);
    let mut generator = Generator::connect(
        target,
        subscribers + publishers,
        publishers,
        text,
        in_flight_each * publishers,
        wait,
    )?;
    generator.settle(150, 3_000)?;
    let greetings = generator.audience.greeted();
    let own_messages = introduce(&mut generator, publishers)?;

    generator.running = true;
    for publisher in 0..publishers {
        generator.publish(publisher, in_flight_each);
    }
    let begun_ns = generator.now_ns;
    serve_until(&mut generator, begun_ns + (load.warm_up_seconds * 1e9) as u64)?;

    let before = Reading::take(&generator, watch)?;
    generator.measuring = true;
    serve_until(&mut generator, before.at_ns + (load.seconds * 1e9) as u64)?;
    generator.measuring = false;
    let after = Reading::take(&generator, watch)?;
    let server_resident_kib = usage::resident_kib(&watch.processes);

    // What is under way must still come, and nothing may come again.
    generator.running = false;
    let patience_ns = generator.now_ns + STALLED_NS;
    while generator.audience.outstanding() > 0 {
        generator.turn(100)?;
        if generator.now_ns > patience_ns {
            return Err(stalled(&generator));
        }
    }
    generator.settle(100, 1_000)?;

    let seconds = (after.at_ns - before.at_ns) as f64 / 1e9;
    let server = (!watch.processes.is_empty()).then(|| after.server.since(&before.server));
    let mut generator_us = after.generator.since(&before.generator).total_us;
    let used_us = [server.as_ref().map_or(0.0, |usage| usage.total_us), generator_us];
    if wait == Wait::Spin {
        // Of the time it had the core, the part that wasn't spent asking for work.
        generator_us *= (after.generator_busy_ns - before.generator_busy_ns) as f64 / 1e9 / seconds;
    }
    let others_share = after.cores_busy_us.zip(before.cores_busy_us).map(|(after, before)| {
        std::array::from_fn(|at| ((after[at] - before[at] - used_us[at]) / 1e6 / seconds).max(0.0))
    });
    let outcome = Outcome {
        seconds,
        deliveries: after.delivered - before.delivered,
        messages: after.complete - before.complete,
        p50_us: generator.latency.quantile(0.50) as f64 / 1e3,
        p99_us: generator.latency.quantile(0.99) as f64 / 1e3,
        server,
        server_resident_kib,
        kernel_threads_us: (after.kernel_threads_ticks - before.kernel_threads_ticks) as f64
            * usage::tick_us(),
        generator_us,
        others_share,
        own_messages,
        greetings,
        faults: generator.audience.faults().clone(),
    };
    generator.close();
    Ok(outcome)
}

/// Tells the messages of this run from those of another.
pub fn run_number() -> u32 {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.subsec_nanos() ^ now.as_secs() as u32 ^ std::process::id() << 16
}

/// Each publisher sends a first message. A publisher that doesn't get its own isn't expected to get any:
/// whether one's own message comes back is the server's choice.
fn introduce(generator: &mut Generator, publishers: usize) -> Result<bool, String> {
    let receivers = generator.audience.listening();
    for publisher in 0..publishers {
        generator.publish(publisher, 1);
        let patience_ns = generator.now_ns + STALLED_NS;
        let only_publishers_wait =
            |generator: &Generator| generator.audience.waiting_for_oldest() as usize <= publishers;
        while generator.audience.outstanding() > 0 && !only_publishers_wait(generator) {
            generator.turn(100)?;
            if generator.now_ns > patience_ns {
                let without = generator.audience.waiting_for_oldest();
                let said = generator.audience.faults();
                return Err(format!(
                    "{without} of {receivers} connections didn't get the first message: does the server send to all? (faults: {said})"
                ));
            }
        }
        generator.settle(100, 1_000)?;
        if publisher == 0 && generator.is_connected(0) && !generator.audience.has_any(0) {
            (0..publishers).for_each(|who| generator.audience.ignore(who));
        }
        while generator.audience.next_complete().is_some() {}
    }
    if generator.audience.outstanding() > 0 {
        return Err(stalled(generator));
    }
    Ok(generator.audience.is_listening(0))
}

fn serve_until(generator: &mut Generator, end_ns: u64) -> Result<(), String> {
    let mut complete = generator.audience.complete();
    let mut progress_ns = generator.now_ns;
    while generator.now_ns < end_ns {
        generator.turn(10)?;
        if generator.audience.complete() != complete {
            complete = generator.audience.complete();
            progress_ns = generator.now_ns;
        } else if generator.now_ns - progress_ns > STALLED_NS {
            return Err(stalled(generator));
        }
    }
    Ok(())
}

fn stalled(generator: &Generator) -> String {
    let audience = &generator.audience;
    format!(
        "stalled: {} of {} connections still wait for message {} (faults: {})",
        audience.waiting_for_oldest(),
        audience.listening(),
        audience.complete(),
        audience.faults()
    )
}

struct Reading {
    at_ns: u64,
    delivered: u64,
    complete: u64,
    server: ProcessCpu,
    generator: ProcessCpu,
    generator_busy_ns: u64,
    kernel_threads_ticks: u64,
    cores_busy_us: Option<[f64; 2]>,
}

impl Reading {
    fn take(generator: &Generator, watch: &Watch) -> Result<Self, String> {
        let cores = watch.server_core.zip(watch.generator_core);
        Ok(Self {
            at_ns: generator.now_ns,
            delivered: generator.audience.delivered(),
            complete: generator.audience.complete(),
            server: ProcessCpu::read(&watch.processes)?,
            generator: ProcessCpu::read(&[std::process::id()])?,
            generator_busy_ns: generator.busy_ns,
            kernel_threads_ticks: usage::kernel_threads_ticks(),
            cores_busy_us: cores.map(|(server, generator)| {
                [server, generator]
                    .map(|core| usage::core_busy_ticks(core) as f64 * usage::tick_us())
            }),
        })
    }
}
