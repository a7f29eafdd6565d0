//! A small writer of SVG: shapes, escaped text, one style sheet for light and dark.
//!
//! Colours are classes, so that a page can restyle them and a file on its own carries them along.
use std::fmt::Write;

/// Series that have a colour and a dash pattern of their own.
pub(crate) const STYLES: usize = 8;

/// Colours of series on white, told apart by the colour-blind too; contrast at least 4.5 to 1.
const LIGHT: [&str; STYLES] =
    ["#0062a8", "#b84a00", "#007a5a", "#9c3d7c", "#7d6200", "#4a4a4a", "#1a7f9c", "#8a3232"];
/// The same on dark.
const DARK: [&str; STYLES] =
    ["#62b0ee", "#ff9a5c", "#45cda0", "#e79acb", "#e3c04a", "#d2d2d2", "#7ad4ee", "#f08f8f"];
/// Dash patterns, so that lines differ without colour.
const DASHES: [&str; STYLES] =
    ["none", "8 4", "5 2.5", "10 3 2 3", "14 4", "6 2 2 2 2 2", "1 3", "12 3 4 3"];

/// Around a drawing that is a file of its own.
const MARGIN: f64 = 12.0;

/// A place on the drawing.
pub(crate) type Spot = (f64, f64);

/// A drawing under construction.
#[derive(Debug, Clone)]
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    pub(crate) fn width(&self) -> f64 {
        self.width
    }

    pub(crate) fn line(&mut self, from: Spot, to: Spot, class: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(place);
        self.put(&format!(
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        ));
    }

    pub(crate) fn polyline(&mut self, spots: &[Spot], class: &str) {
        let points = points(spots);
        self.put(&format!("<polyline class=\"{class}\" points=\"{points}\"/>"));
    }

    pub(crate) fn polygon(&mut self, spots: &[Spot], class: &str) {
        let points = points(spots);
        self.put(&format!("<polygon class=\"{class}\" points=\"{points}\"/>"));
    }

    /// Opacity counts for the fill; the class gives the colour.
    pub(crate) fn rect(&mut self, corner: Spot, size: Spot, class: &str, opacity: f64) {
        let [x, y, width, height] = [corner.0, corner.1, size.0, size.1].map(place);
        let opacity =
            if opacity < 1.0 { format!(" fill-opacity=\"{opacity:.3}\"") } else { "".into() };
        self.put(&format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"\
             {opacity}/>"
        ));
    }

    pub(crate) fn circle(&mut self, centre: Spot, radius: f64, class: &str) {
        let [x, y, radius] = [centre.0, centre.1, radius].map(place);
        self.put(&format!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>"));
    }

    /// Class `mid` or `end` sets the anchor; without it, text starts at the spot.
    pub(crate) fn text(&mut self, at: Spot, class: &str, text: &str) {
        let [x, y] = [at.0, at.1].map(place);
        let text = escape(text);
        self.put(&format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"));
    }

    /// Text cut to a width in drawing units; where it is cut, the whole shows on hovering.
    pub(crate) fn text_within(&mut self, at: Spot, class: &str, text: (&str, f64)) {
        let (whole, width) = text;
        // Bold letters are wider, small ones narrower.
        let factor = match class {
            class if class.contains("title") => 1.3,
            class if class.contains("small strong") => 1.06,
            class if class.contains("small") => 0.93,
            class if class.contains("strong") => 1.12,
            _ => 1.0,
        };
        let short = cut(whole, width / factor);
        if short == whole {
            return self.text(at, class, whole);
        }
        let [x, y] = [at.0, at.1].map(place);
        let (short, whole) = (escape(&short), escape(whole));
        self.put(&format!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{short}<title>{whole}</title></text>"
        ));
    }

    /// The marker of a series: circle, square, triangle or diamond.
    pub(crate) fn marker(&mut self, (x, y): Spot, series: usize, class: &str) {
        let r = 4.2;
        match series % 4 {
            0 => self.circle((x, y), r, class),
            1 => self.rect((x - 3.8, y - 3.8), (7.6, 7.6), class, 1.0),
            2 => self.polygon(&[(x, y - 5.0), (x + 4.8, y + 3.6), (x - 4.8, y + 3.6)], class),
            _ => self.polygon(&[(x, y - 5.2), (x + 5.2, y), (x, y + 5.2), (x - 5.2, y)], class),
        }
    }

    /// The cross where something broke off.
    pub(crate) fn cross(&mut self, (x, y): Spot, class: &str) {
        let r = 5.0;
        self.line((x - r, y - r), (x + r, y + r), class);
        self.line((x - r, y + r), (x + r, y - r), class);
    }

    fn put(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// For a page that carries [`style`] itself.
    pub(crate) fn inline(&self, label: &str) -> String {
        self.wrap(label, (0.0, ""))
    }

    /// A file that stands alone.
    pub(crate) fn file(&self, label: &str) -> String {
        let [width, height] = [self.width + 2.0 * MARGIN, self.height + 2.0 * MARGIN].map(place);
        let corner = place(-MARGIN);
        let paper = format!(
            "<rect class=\"paper\" x=\"{corner}\" y=\"{corner}\" width=\"{width}\" \
             height=\"{height}\"/>"
        );
        self.wrap(label, (MARGIN, &format!("<style>\n{}</style>\n{paper}\n", style())))
    }

    fn wrap(&self, label: &str, (margin, head): (f64, &str)) -> String {
        let [width, height] = [self.width + 2.0 * margin, self.height + 2.0 * margin].map(place);
        let corner = place(-margin);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" role=\"img\" \
             viewBox=\"{corner} {corner} {width} {height}\" width=\"{width}\" height=\"{height}\" \
             aria-label=\"{}\">\n{head}{}</svg>\n",
            escape(label),
            self.body
        )
    }
}

/// The style sheet of all figures.
pub(crate) fn style() -> String {
    let mut css = String::from(include_str!("svg.css"));
    for (place, dash) in DASHES.iter().enumerate() {
        writeln!(css, ".figure .d{place} {{ stroke-dasharray: {dash}; }}")
            .expect("a string takes all");
    }
    css.push_str(&colours("", &LIGHT));
    css.push_str("@media (prefers-color-scheme: dark) {\n");
    css.push_str(".figure { color: #e4e7eb; }\n.figure .paper { fill: #14171b; }\n");
    css.push_str(".figure .hollow { fill: #14171b; }\n.figure .heat { fill: #62b0ee; }\n");
    css.push_str(".figure .on-high { fill: #14171b; }\n");
    css.push_str(&colours("", &DARK));
    css.push_str("}\n");
    css
}

fn colours(scope: &str, palette: &[&str; STYLES]) -> String {
    let rule = |(place, colour): (usize, &&str)| {
        format!(
            "{scope}.figure .l{place} {{ stroke: {colour}; }}\n\
             {scope}.figure .f{place} {{ fill: {colour}; }}\n"
        )
    };
    palette.iter().enumerate().map(rule).collect()
}

/// Text as it may stand in an element or a quoted attribute; what XML forbids is replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// Width of a text in drawing units at the size of labels, by rough classes of letters.
pub(crate) fn text_width(text: &str) -> f64 {
    let width = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | ' ' | '-' | '/' | '|' => 4.6,
        'm' | 'w' | 'M' | 'W' | '%' => 11.0,
        c if c.is_uppercase() || !c.is_ascii() => 9.0,
        _ => 7.4,
    };
    text.chars().map(width).sum()
}

/// As much of a text as fits, with an ellipsis where some does not.
pub(crate) fn cut(text: &str, width: f64) -> String {
    if text_width(text) <= width {
        return text.into();
    }
    let mut short = String::new();
    let mut used = text_width("…");
    for c in text.chars() {
        used += text_width(c.encode_utf8(&mut [0; 4]));
        if used > width {
            break;
        }
        short.push(c);
    }
    short + "…"
}

fn points(spots: &[Spot]) -> String {
    let spot = |&(x, y): &Spot| format!("{},{}", place(x), place(y));
    spots.iter().map(spot).collect::<Vec<_>>().join(" ")
}

/// A coordinate: one decimal. What is not finite has been left out before; the edge is a net.
fn place(value: f64) -> String {
    let value = if value.is_finite() { value.clamp(-1e6, 1e6) } else { 0.0 };
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".into(),
        Some(whole) => whole.into(),
        None => text,
    }
}
