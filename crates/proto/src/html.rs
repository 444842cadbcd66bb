//! Text within HTML.

/// Text that is safe between tags and within a quoted attribute, in HTML and SVG alike.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_the_text() {
        assert_eq!(
            escape("<b a='1' c=\"&\">"),
            "&lt;b a=&#39;1&#39; c=&quot;&amp;&quot;&gt;"
        );
    }
}
