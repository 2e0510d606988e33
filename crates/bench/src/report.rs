//! Figures as people and programs read them.

use std::fmt::Write as _;

use crate::fanout::Outcome;

/// Deliveries per second: `334k`, `17.4M`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        1e6.. => format!("{}M", significant(per_second / 1e6)),
        1e3.. => format!("{}k", significant(per_second / 1e3)),
        _ => format!("{per_second:.0}"),
    }
}

/// Three significant digits, without an exponent.
pub fn significant(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        0.1.. => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// One run, for people.
pub fn print(run: &Outcome) {
    println!("deliveries/s      {}", rate(run.deliveries_per_second()));
    println!("messages/s        {}", rate(run.messages as f64 / run.seconds));
    println!(
        "last receiver     p50 {} ms, p99 {} ms",
        significant(run.p50_us / 1e3),
        significant(run.p99_us / 1e3)
    );
    match &run.server {
        Some(server) => {
            println!(
                "server CPU        {} µs per delivery: {} user, {} system; {:.0} % of a core",
                significant(run.per_delivery(server.total_us)),
                significant(run.per_delivery(server.user_us)),
                significant(run.per_delivery(server.system_us)),
                100.0 * run.share(server.total_us)
            );
            let threads = server.threads.iter().filter(|(_, us)| *us > 0.0);
            let threads: Vec<String> = threads
                .map(|(name, us)| format!("{name} {:.1} %", 100.0 * run.share(*us)))
                .collect();
            println!("  its threads     {}", threads.join(", "));
            println!("  its memory      {} KiB resident", run.server_resident_kib);
        }
        None => println!("server CPU        unknown: name its processes by --pid"),
    }
    println!(
        "kernel threads    {} µs per delivery",
        significant(run.per_delivery(run.kernel_threads_us))
    );
    println!(
        "generator CPU     {} µs per delivery; {:.0} % of a core",
        significant(run.per_delivery(run.generator_us)),
        100.0 * run.share(run.generator_us)
    );
    if let Some([server, generator]) = run.others_share {
        println!(
            "others            {:.0} % of the server's core, {:.0} % of the generator's",
            100.0 * server,
            100.0 * generator
        );
    }
    if !run.own_messages {
        println!("                  publishers don't get their own messages");
    }
    println!("faults            {}", run.faults);
}

/// One run, into an object.
pub fn outcome(json: &mut Json, run: &Outcome) {
    json.key("seconds").number(run.seconds);
    json.key("deliveries").number(run.deliveries as f64);
    json.key("messages").number(run.messages as f64);
    json.key("deliveries_per_second").number(run.deliveries_per_second());
    json.key("p50_us").number(run.p50_us);
    json.key("p99_us").number(run.p99_us);
    if let Some(server) = &run.server {
        json.key("cpu_us").number(run.per_delivery(server.total_us));
        json.key("cpu_user_us").number(run.per_delivery(server.user_us));
        json.key("cpu_system_us").number(run.per_delivery(server.system_us));
        json.key("server_busy").number(run.share(server.total_us));
        json.key("threads").list(&server.threads, |json, (name, us)| {
            json.object(|json| {
                json.key("name").text(name);
                json.key("busy").number(run.share(*us));
            });
        });
        json.key("server_resident_kib").number(run.server_resident_kib as f64);
    }
    json.key("kernel_threads_us").number(run.per_delivery(run.kernel_threads_us));
    json.key("generator_us").number(run.per_delivery(run.generator_us));
    json.key("generator_busy").number(run.share(run.generator_us));
    if let Some([server, generator]) = run.others_share {
        json.key("others_on_server_core").number(server);
        json.key("others_on_generator_core").number(generator);
    }
    json.key("publishers_get_their_own").boolean(run.own_messages);
    json.key("faults").object(|json| {
        json.key("missing").number(run.faults.missing as f64);
        json.key("repeated").number(run.faults.repeated as f64);
        json.key("damaged").number(run.faults.damaged as f64);
        json.key("lost").number(run.faults.lost as f64);
    });
    json.key("greetings").number(run.greetings as f64);
    json.key("notices").number(run.faults.notices as f64);
}

/// Writes JSON, in the order of the calls.
#[derive(Default)]
pub struct Json {
    out: String,
}

impl Json {
    pub fn finish(mut self) -> String {
        self.out.push('\n');
        self.out
    }

    pub fn key(&mut self, name: &str) -> &mut Self {
        self.separate();
        self.quoted(name);
        self.out.push(':');
        self
    }

    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.separate();
        self.out.push('{');
        members(self);
        self.out.push('}');
    }

    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.separate();
        self.out.push('[');
        for item in items {
            write(self, item);
        }
        self.out.push(']');
    }

    pub fn number(&mut self, value: f64) {
        self.separate();
        let _ = write!(self.out, "{}", if value.is_finite() { value } else { 0.0 });
    }

    pub fn text(&mut self, value: &str) {
        self.separate();
        self.quoted(value);
    }

    pub fn boolean(&mut self, value: bool) {
        self.separate();
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// A comma, unless this is the first of its kind or a value after its key.
    fn separate(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with(['{', '[', ':']) {
            self.out.push(',');
        }
    }

    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        for letter in text.chars() {
            match letter {
                '"' | '\\' => self.out.extend(['\\', letter]),
                '\0'..' ' => drop(write!(self.out, "\\u{:04x}", letter as u32)),
                _ => self.out.push(letter),
            }
        }
        self.out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        for (value, words) in
            [(334_123.0, "334k"), (17_412_345.0, "17.4M"), (12.0, "12"), (2_660_000.0, "2.66M")]
        {
            assert_eq!(rate(value), words);
        }
        for (value, words) in
            [(2.849, "2.85"), (0.0503, "0.0503"), (0.1291, "0.129"), (214.4, "214")]
        {
            assert_eq!(significant(value), words);
        }
    }

    #[test]
    fn json_has_its_commas_and_escapes() {
        let mut json = Json::default();
        json.object(|json| {
            json.key("a").number(1.5);
            json.key("b").list(["x\"\n", "y:"], |json, text| json.text(text));
            json.key("c").object(|_| {});
            json.key("d").boolean(true);
        });
        assert_eq!(
            json.finish(),
            "{\"a\":1.5,\"b\":[\"x\\\"\\u000a\",\"y:\"],\"c\":{},\"d\":true}\n"
        );
    }
}
