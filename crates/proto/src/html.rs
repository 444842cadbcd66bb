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

/// The title of a page as it is written there, with its character references; `page` may be only
/// the beginning. None if there is no title, or nothing in it.
pub fn title(page: &str) -> Option<&str> {
    let (_, rest) = split_at_tag(page, "<title")?;
    let (_, rest) = rest.split_once('>')?;
    let (text, _) = split_at_tag(rest, "</title")?;
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// What is before and after the first `tag`, whatever its case.
fn split_at_tag<'a>(text: &'a str, tag: &str) -> Option<(&'a str, &'a str)> {
    let at = text
        .as_bytes()
        .windows(tag.len())
        .position(|window| window.eq_ignore_ascii_case(tag.as_bytes()))?;
    Some((&text[..at], &text[at + tag.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_of_a_page_is_found() {
        for (page, expected) in [
            ("<!doctype html><title>A page</title>", Some("A page")),
            ("<TITLE lang=en>\n A &amp; B </Title >", Some("A &amp; B")),
            ("<p>Ä</p><title>Ö</title><title>2</title>", Some("Ö")),
            ("<title>cut off", None),
            ("<title", None),
            ("<title> </title>", None),
            ("nothing", None),
        ] {
            assert_eq!(title(page), expected, "{page}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_the_text() {
        assert_eq!(
            escape("<b a='1' c=\"&\">"),
            "&lt;b a=&#39;1&#39; c=&quot;&amp;&quot;&gt;"
        );
    }
}
