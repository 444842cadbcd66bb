//! Lines of values (RFC 4180), as spreadsheets read and write them.
//!
//! A spreadsheet runs a text that begins with `=`, `+`, `-`, `@`, a tab or a line break as a
//! formula, and visitors choose the texts. Such a text gets a `'` in front, which spreadsheets take
//! for the mark of a text; reading it takes the mark away. A text that begins with marks and then
//! one of these characters gets one more, so that every text comes back as it was. Numbers are left
//! alone: `-5` is one.

/// What begins a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Longest row in values: more than a table has columns.
const MAX_FIELDS: usize = 2000;

/// A value between two separators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) text: String,
    /// An empty value in quotes is a text; without them there is none.
    pub(super) quoted: bool,
}

/// A text that no spreadsheet runs, in quotes where needed. `extra`: texts that begin like this are
/// marked too.
pub(super) fn text(out: &mut String, text: &str, extra: &str) {
    let mark = if needs_mark(text, extra) { "'" } else { "" };
    let plain = !text.is_empty()
        && !text.contains([',', ';', '\t', '"', '\n', '\r'])
        && !text.starts_with(' ')
        && !text.ends_with(' ');
    if plain {
        out.push_str(mark);
        out.push_str(text);
    } else {
        out.push('"');
        out.push_str(mark);
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    }
}

/// A text as it was before [`text`].
pub(super) fn unmarked<'a>(text: &'a str, extra: &str) -> &'a str {
    match text.strip_prefix('\'') {
        Some(rest) if needs_mark(rest, extra) => rest,
        _ => text,
    }
}

fn needs_mark(text: &str, extra: &str) -> bool {
    let text = text.trim_start_matches('\'');
    text.starts_with(FORMULA) || text.starts_with(extra)
}

/// Rows of a text, each with the number of its first line.
pub(super) struct Rows<'a> {
    rest: &'a str,
    line: usize,
    separator: char,
}

impl<'a> Rows<'a> {
    /// The separator is what the first line has most of: spreadsheets of many languages write `;`.
    pub(super) fn new(text: &'a str) -> Self {
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        let first = rest.lines().next().unwrap_or_default();
        let times = |separator: char| first.matches(separator).count();
        let separator = [',', ';', '\t']
            .into_iter()
            .max_by_key(|c| (times(*c), *c == ','));
        Self {
            rest,
            line: 1,
            separator: separator.unwrap_or(','),
        }
    }

    /// The next row; empty lines are none.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Vec<Field>)>, String> {
        while let Some(rest) = self
            .rest
            .strip_prefix("\r\n")
            .or(self.rest.strip_prefix('\n'))
        {
            self.rest = rest;
            self.line += 1;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let begin = self.line;
        let mut fields = vec![];
        loop {
            let (field, more) = self.field(begin)?;
            fields.push(field);
            if fields.len() > MAX_FIELDS {
                return Err(format!(
                    "Line {begin}: There are more than {MAX_FIELDS} values."
                ));
            }
            if !more {
                return Ok(Some((begin, fields)));
            }
        }
    }

    /// A value, and whether another one follows in this row.
    fn field(&mut self, begin: usize) -> Result<(Field, bool), String> {
        let (text, quoted) = match self.rest.strip_prefix('"') {
            Some(rest) => (self.in_quotes(rest, begin)?, true),
            None => {
                let separator = self.separator;
                let end = self.rest.find([separator, '\n']).unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                let text = match rest.starts_with(separator) {
                    true => text,
                    false => text.strip_suffix('\r').unwrap_or(text),
                };
                (text.to_owned(), false)
            }
        };
        let field = Field { text, quoted };
        if let Some(rest) = self.rest.strip_prefix(self.separator) {
            self.rest = rest;
            return Ok((field, true));
        }
        let ends = ["\r\n", "\n"];
        match ends.iter().find_map(|end| self.rest.strip_prefix(end)) {
            Some(rest) => {
                self.rest = rest;
                self.line += 1;
            }
            None if self.rest.is_empty() => {}
            None => {
                let line = self.line;
                return Err(format!("Line {line}: Something follows the closing quote."));
            }
        }
        Ok((field, false))
    }

    /// Up to the closing quote; two of them stand for one.
    fn in_quotes(&mut self, mut rest: &'a str, begin: usize) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let end = rest
                .find('"')
                .ok_or_else(|| format!("Line {begin}: A quote is opened and never closed."))?;
            text.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    text.push('"');
                    rest = more;
                }
                None => break,
            }
        }
        self.line += text.matches('\n').count();
        self.rest = rest;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(source: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
        let mut rows = Rows::new(source);
        let mut found = vec![];
        while let Some((line, fields)) = rows.next()? {
            found.push((line, fields.into_iter().map(|field| field.text).collect()));
        }
        Ok(found)
    }

    #[test]
    fn lines_as_spreadsheets_write_them() {
        let row = |line, fields: [&str; 2]| (line, fields.map(String::from).to_vec());
        let source = "\u{feff}a,b\r\n1,\"x\r\ny\"\r\n\r\n\"\"\"\",\n";
        let expected = [
            row(1, ["a", "b"]),
            row(2, ["1", "x\r\ny"]),
            row(5, ["\"", ""]),
        ];
        assert_eq!(all(source).unwrap(), expected);
        assert_eq!(all("a;b\n1,5;2").unwrap()[1], row(2, ["1,5", "2"]));
        assert!(all("a,b\n1,\"2").unwrap_err().starts_with("Line 2: "));
        assert!(all("a,b\n\"1\"x,2").unwrap_err().starts_with("Line 2: "));
        assert_eq!(all("").unwrap(), []);
    }

    #[test]
    fn no_text_is_a_formula() {
        for value in ["=1+1", "+1", "-1", "@a", "\t=1", "'=1", "''-1", "data:x"] {
            let mut out = String::new();
            text(&mut out, value, "data:");
            assert!(out.trim_start_matches('"').starts_with('\''), "{out}");
            let read = &all(&out).unwrap()[0].1[0];
            assert_eq!(unmarked(read, "data:"), value);
        }
        let mut out = String::new();
        text(&mut out, "it's", "data:");
        assert_eq!(out, "it's");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(texts in proptest::collection::vec("[ -~\\t\\r\\nä'=+@\"]{0,12}", 1..6)) {
            let mut line = String::new();
            for (at, value) in texts.iter().enumerate() {
                if at > 0 {
                    line.push(',');
                }
                text(&mut line, value, "data:");
            }
            // The first line says what separates.
            let header = vec!["c"; texts.len()].join(",");
            let rows = all(&format!("{header}\n{line}\n")).unwrap();
            let read: Vec<&str> = rows[1].1.iter().map(|text| unmarked(text, "data:")).collect();
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn nothing_makes_it_panic(source in "[a\",;\\n\\r\\t'=]{0,60}") {
            let _rows_or_not = all(&source);
        }
    }
}
