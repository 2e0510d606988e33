//! The table as a picture: CPU per delivery, a panel for each load, a dot for each server, as SVG.

use std::fmt::Write as _;

use super::{Figure, Table};
use crate::report::significant;

const WIDTH: f64 = 860.0;
const NAMES: f64 = 150.0;
const VALUES: f64 = 70.0;
const LINE: f64 = 19.0;
const HEAD: f64 = 44.0;
const GAP: f64 = 18.0;

/// A server's place in a panel.
struct Dot<'a> {
    name: &'a str,
    value: f64,
}

impl Table {
    /// The picture; loads without a single figure are left out.
    pub fn svg(&self) -> String {
        let mut panels = Vec::new();
        for (at, row) in self.plan.rows.iter().enumerate() {
            let mut dots: Vec<Dot> = self
                .of_row(at)
                .filter_map(|(peer, cell)| {
                    let value = cell.median(Figure::Cpu).filter(|value| *value > 0.0)?;
                    Some(Dot { name: &peer.name, value })
                })
                .collect();
            dots.sort_by(|a, b| a.value.total_cmp(&b.value));
            if !dots.is_empty() {
                panels.push((row.title(), dots));
            }
        }
        draw(&panels)
    }
}

fn draw(panels: &[(String, Vec<Dot>)]) -> String {
    let height: f64 =
        panels.iter().map(|(_, dots)| HEAD + LINE * dots.len() as f64 + GAP).sum::<f64>() + GAP;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Server CPU per delivery, µs, on a logarithmic scale; less is better</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut top = GAP;
    for (title, dots) in panels {
        panel(&mut out, top, title, dots);
        top += HEAD + LINE * dots.len() as f64 + GAP;
    }
    out.push_str("</svg>\n");
    out
}

/// A logarithmic scale of its own, since one in flight and 64 are orders of magnitude apart.
fn panel(out: &mut String, top: f64, title: &str, dots: &[Dot]) {
    let (low, high) = limits(dots.iter().map(|dot| dot.value));
    let place =
        |value: f64| NAMES + (WIDTH - NAMES - VALUES) * (value / low).ln() / (high / low).ln();
    let bottom = top + HEAD + LINE * dots.len() as f64;
    let _ = writeln!(
        out,
        "<text x=\"8\" y=\"{:.1}\" font-weight=\"bold\" fill=\"#222\">{title}: CPU, µs per delivery</text>",
        top + 14.0
    );
    for tick in ticks(low, high) {
        let at = place(tick);
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{:.1}\" x2=\"{at:.1}\" y2=\"{bottom:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\" fill=\"#777\">{tick}</text>",
            top + HEAD - 8.0,
            top + HEAD - 12.0,
        );
    }
    for (line, dot) in dots.iter().enumerate() {
        let middle = top + HEAD + LINE * (line as f64 + 0.5);
        let at = place(dot.value);
        let colour = match dot.name {
            name if name.starts_with("damso") => "#c2410c",
            name if name.starts_with("floor") => "#777",
            _ => "#2563a8",
        };
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>\
             <line x1=\"{NAMES}\" y1=\"{middle:.1}\" x2=\"{at:.1}\" y2=\"{middle:.1}\" stroke=\"{colour}\" stroke-opacity=\".35\"/>\
             <circle cx=\"{at:.1}\" cy=\"{middle:.1}\" r=\"4.5\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"12\" fill=\"#222\">{}</text>",
            NAMES - 10.0,
            middle + 4.5,
            escaped(dot.name),
            at + 10.0,
            middle + 4.0,
            significant(dot.value),
        );
    }
}

/// The ends of a scale that has all values: ticks of 1, 2 and 5.
fn limits(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) = values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let steps: Vec<f64> = (-9..9).flat_map(decade).collect();
    let low = steps.iter().rev().find(|step| **step < least).copied().unwrap_or(least / 2.0);
    let high = steps.iter().find(|step| **step > most).copied().unwrap_or(most * 2.0);
    (low, high)
}

fn ticks(low: f64, high: f64) -> impl Iterator<Item = f64> {
    (-9..9).flat_map(decade).filter(move |tick| (low..=high).contains(tick))
}

/// 1, 2 and 5 of a power of ten, without the noise of multiplying by it.
fn decade(power: i32) -> [f64; 3] {
    [1, 2, 5].map(|digit| format!("{digit}e{power}").parse().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_all_values_between_round_numbers() {
        assert_eq!(limits([0.05, 17.3].into_iter()), (0.02, 20.0));
        assert_eq!(ticks(0.02, 1.0).collect::<Vec<_>>(), [0.02, 0.05, 0.1, 0.2, 0.5, 1.0]);
    }

    #[test]
    fn every_server_has_a_dot_inside_the_picture() {
        let dots = vec![Dot { name: "floor", value: 2.5 }, Dot { name: "a<b", value: 20.0 }];
        let svg = draw(&[("a load".into(), dots)]);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains(">a&lt;b</text>") && svg.ends_with("</svg>\n"), "{svg}");
        for place in svg.split("cx=\"").skip(1) {
            let x: f64 = place.split('"').next().unwrap().parse().unwrap();
            assert!((NAMES..WIDTH - VALUES).contains(&x), "{x}");
        }
    }
}
