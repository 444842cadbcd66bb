//! QR codes as plain geometry, to be drawn in any colors.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around a QR code; readers need them.
const QUIET: usize = 4;

/// Dark squares on light ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// Width and height in modules, the light frame included.
    pub size: usize,
    /// The dark modules: an SVG path in units of one module.
    pub path: String,
}

/// None if the text is too long for a code: about 2,300 bytes.
pub fn draw(text: &str) -> Option<Drawing> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (index % width + QUIET, index / width + QUIET);
            let _in_memory = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    let size = width + 2 * QUIET;
    Some(Drawing { size, path })
}
