//! One measurement: messages to all subscribers of a server, in a closed loop or at a rate.

use crate::connect::Target;
use crate::faults::Faults;
use crate::generator::{Generator, Seats, Wait};
use crate::usage::{self, ProcessCpu, ProcessUsage};

pub const STALLED_NS: u64 = 5_000_000_000;

/// Numbers of subscribers, publishers and messages in flight are those of each room.
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

/// What a load has besides: by default nothing, one room in a closed loop, where everybody reads.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Rooms made for it; 0: the one that the server has.
    pub rooms: usize,
    /// Messages a second, in all rooms together, instead of the closed loop.
    pub per_second: Option<f64>,
    /// Subscribers of each room who never read.
    pub deaf: usize,
    /// Whether receivers run free: nobody waits for most of them, who only count what they get.
    pub free: bool,
    /// In a room of its own, at the same time; it isn't measured.
    pub beside: Option<Load>,
    /// Whether to keep how long each delivery took, at some cost to the generator. At a rate it is kept anyway.
    pub each: bool,
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
    /// Of every receiver, when that was asked for.
    pub each_us: Option<[f64; 2]>,
    /// On the wire, to all receivers.
    pub received_bytes: u64,
    /// Those who never read and whose connection the server ended.
    pub deaf_gone: usize,
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
    run_shaped(target, load, &Shape::default(), watch)
}

pub fn run_shaped(
    target: &Target,
    load: &Load,
    shape: &Shape,
    watch: &Watch,
) -> Result<Outcome, String> {
    let Prepared { mut generator, own_messages, greetings, in_flight_each } =
        prepare(target, load, shape)?;
    let mut beside = match &shape.beside {
        Some(load) => Some(prepare(target, load, &Shape { rooms: 1, ..Shape::default() })?),
        None => None,
    };
    match shape.per_second {
        Some(per_second) => generator.start_pace(per_second),
        None => generator.start_loop(in_flight_each),
    }
    if let Some(Prepared { generator, in_flight_each, .. }) = &mut beside {
        // So that the one which is measured doesn't wait for a hundred copies of this.
        generator.events_max = 16;
        generator.start_loop(*in_flight_each);
    }
    let mut beside = beside.map(|prepared| prepared.generator);
    let begun_ns = generator.now_ns;
    let end_ns = begun_ns + (load.warm_up_seconds * 1e9) as u64;
    serve_until(&mut generator, beside.as_mut(), end_ns)?;

    let before = Reading::take(&generator, beside.as_ref(), watch)?;
    if shape.each || shape.per_second.is_some() {
        generator.measure_each();
    }
    generator.measuring = true;
    let end_ns = before.at_ns + (load.seconds * 1e9) as u64;
    serve_until(&mut generator, beside.as_mut(), end_ns)?;
    generator.measuring = false;
    let after = Reading::take(&generator, beside.as_ref(), watch)?;
    let each = generator.each();
    let server_resident_kib = usage::resident_kib(&watch.processes);

    let mut faults = drain(&mut generator)?;
    if let Some(mut beside) = beside {
        faults.add(&drain(&mut beside)?);
        beside.close();
    }

    let seconds = (after.at_ns - before.at_ns) as f64 / 1e9;
    let server = (!watch.processes.is_empty()).then(|| after.server.since(&before.server));
    let mut generator_us = after.generator.since(&before.generator).total_us;
    let used_us = [server.as_ref().map_or(0.0, |usage| usage.total_us), generator_us];
    if load.wait == Wait::Spin {
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
        each_us: each.map(|each| [0.5, 0.99].map(|share| each.quantile(share) as f64 / 1e3)),
        received_bytes: after.received_bytes - before.received_bytes,
        deaf_gone: generator.deaf_gone,
        server,
        server_resident_kib,
        kernel_threads_us: (after.kernel_threads_ticks - before.kernel_threads_ticks) as f64
            * usage::tick_us(),
        generator_us,
        others_share,
        own_messages,
        greetings,
        faults,
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

/// Connected, and ready to begin.
pub struct Prepared {
    pub generator: Generator,
    own_messages: bool,
    greetings: u64,
    /// Messages in flight of each publisher.
    in_flight_each: usize,
}

/// Connects, and finds out who gets what.
pub fn prepare(target: &Target, load: &Load, shape: &Shape) -> Result<Prepared, String> {
    let Load { subscribers, publishers, bytes, in_flight, wait, .. } = *load;
    let in_flight_each = (in_flight / publishers).max(1);
    let in_flight = match shape.per_second {
        Some(per_second) => {
            (per_second * STALLED_NS as f64 / 1e9) as usize / shape.rooms.max(1) + 1
        }
        None => in_flight_each * publishers,
    };
    let receivers = subscribers + publishers;
    let seats = Seats { rooms: shape.rooms, receivers, publishers, deaf: shape.deaf };
    let mut generator = Generator::connect(target, seats, bytes, in_flight, wait)?;
    generator.settle(150, 3_000)?;
    let greetings = generator.rooms().iter_mut().map(|room| room.greeted()).sum();
    let own_messages = introduce(&mut generator, publishers)?;
    if shape.free {
        generator.set_free();
    }
    Ok(Prepared { generator, own_messages, greetings, in_flight_each })
}

/// What is under way must still come, and nothing may come again.
pub fn drain(generator: &mut Generator) -> Result<Faults, String> {
    generator.stop();
    generator.turn(0)?;
    let patience_ns = generator.now_ns + STALLED_NS;
    while generator.outstanding() > 0 {
        generator.turn(100)?;
        if generator.now_ns > patience_ns {
            return Err(stalled(generator));
        }
    }
    while generator.uneven().0 > 0 && generator.now_ns <= patience_ns {
        generator.turn(100)?;
    }
    generator.settle(100, 1_000)?;
    let mut faults = generator.faults();
    faults.add(&generator.uneven().1);
    Ok(faults)
}

/// Each publisher sends a first message. A publisher that doesn't get its own isn't expected to get any:
/// whether one's own message comes back is the server's choice.
fn introduce(generator: &mut Generator, publishers: usize) -> Result<bool, String> {
    let receivers = generator.listening();
    let rooms = generator.rooms().len();
    for publisher in 0..publishers {
        for room in 0..rooms {
            generator.publish(room * publishers + publisher, 1);
        }
        generator.turn(0)?;
        let patience_ns = generator.now_ns + STALLED_NS;
        let only_publishers_wait =
            |generator: &Generator| generator.waiting_for_oldest() <= publishers * rooms;
        while generator.outstanding() > 0 && !only_publishers_wait(generator) {
            generator.turn(100)?;
            if generator.now_ns > patience_ns {
                let without = generator.waiting_for_oldest();
                let said = generator.faults();
                return Err(format!(
                    "{without} of {receivers} connections didn't get the first message: does the server send to all? (faults: {said})"
                ));
            }
        }
        generator.settle(100, 1_000)?;
        for room in 0..rooms {
            let is_connected = generator.is_connected(room);
            let audience = &mut generator.rooms()[room];
            if publisher == 0 && is_connected && !audience.has_any(0) {
                (0..publishers).for_each(|who| audience.ignore(who));
            }
            while audience.next_complete().is_some() {}
        }
    }
    if generator.outstanding() > 0 {
        return Err(stalled(generator));
    }
    Ok(generator.rooms()[0].is_listening(0))
}

fn serve_until(
    generator: &mut Generator,
    mut beside: Option<&mut Generator>,
    end_ns: u64,
) -> Result<(), String> {
    let mut complete = generator.complete();
    let mut progress_ns = generator.now_ns;
    while generator.now_ns < end_ns {
        match &mut beside {
            Some(beside) => {
                generator.turn(0)?;
                beside.turn(0)?;
            }
            None => generator.turn(10)?,
        }
        if generator.complete() != complete {
            complete = generator.complete();
            progress_ns = generator.now_ns;
        } else if generator.now_ns - progress_ns > STALLED_NS {
            return Err(stalled(generator));
        }
    }
    Ok(())
}

fn stalled(generator: &Generator) -> String {
    format!(
        "stalled: {} of {} connections still wait for a message, after {} that all got (faults: {})",
        generator.waiting_for_oldest(),
        generator.listening(),
        generator.complete(),
        generator.faults()
    )
}

struct Reading {
    at_ns: u64,
    delivered: u64,
    complete: u64,
    received_bytes: u64,
    server: ProcessCpu,
    generator: ProcessCpu,
    generator_busy_ns: u64,
    kernel_threads_ticks: u64,
    cores_busy_us: Option<[f64; 2]>,
}

impl Reading {
    fn take(
        generator: &Generator,
        beside: Option<&Generator>,
        watch: &Watch,
    ) -> Result<Self, String> {
        let cores = watch.server_core.zip(watch.generator_core);
        Ok(Self {
            at_ns: generator.now_ns,
            delivered: generator.delivered(),
            complete: generator.complete(),
            received_bytes: generator.received_bytes,
            server: ProcessCpu::read(&watch.processes)?,
            generator: ProcessCpu::read(&[std::process::id()])?,
            generator_busy_ns: generator.busy_ns + beside.map_or(0, |beside| beside.busy_ns),
            kernel_threads_ticks: usage::kernel_threads_ticks(),
            cores_busy_us: cores.map(|(server, generator)| {
                [server, generator]
                    .map(|core| usage::core_busy_ticks(core) as f64 * usage::tick_us())
            }),
        })
    }
}
