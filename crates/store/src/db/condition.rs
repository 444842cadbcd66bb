//! The first wall: a stranger's `where` (§5 weaknesses 1, 2, 5).
//!
//! Sites need comparisons, AND/OR, LIKE, `?` and literals. So the condition is read token by token,
//! and anything not on the list is refused by name: every word must be a column of the table, a
//! keyword or a function from the lists below. There is no word that begins a sub-select, no
//! character that ends a statement or begins a comment, and no operator that makes long texts out
//! of short ones (`||`, `->`, the format of `strftime`): the work for one row is bounded by the
//! length of the condition and of the row, which matters because SQLite can only be interrupted
//! between rows. What the condition may do with each byte of a row is its [`Cost`]; the sandbox
//! refuses rows that are too long for it.

use super::catalog;

/// Longest condition.
const MAX_BYTES: usize = 4 * 1024;
/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 32;
/// LIKE and GLOB are the only operators whose work is a product (text × pattern, which the sandbox
/// bounds too).
const MAX_PATTERNS: usize = 8;
/// Calls of functions, each of which may copy its argument.
const MAX_CALLS: usize = 64;
/// Longest format of `strftime`, whose output is several times as long.
const MAX_FORMAT_BYTES: usize = 64;

/// What a condition may do with each byte of a value, in units of copying or comparing it once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost(pub(super) usize);

impl Cost {
    /// Loading a column and comparing it.
    const NAME: usize = 1;
    /// A call, which copies and converts.
    const CALL: usize = 4;
    /// A pattern against every place of a text: as many units as it may have bytes.
    const PATTERN: usize = 64;
}

/// Functions whose work is at most proportional to their arguments, without effects or secrets. The
/// sandbox allows the same.
pub(super) const FUNCTIONS: &[&str] = &[
    "abs",
    "coalesce",
    "date",
    "datetime",
    "ifnull",
    "iif",
    "julianday",
    "length",
    "lower",
    "max",
    "min",
    "nullif",
    "round",
    "sign",
    "strftime",
    "substr",
    "substring",
    "time",
    "typeof",
    "unixepoch",
    "upper",
];

const KEYWORDS: &[&str] = &[
    "and",
    "as",
    "between",
    "binary",
    "blob",
    "case",
    "cast",
    "collate",
    "current_date",
    "current_time",
    "current_timestamp",
    "else",
    "end",
    "escape",
    "false",
    "glob",
    "in",
    "integer",
    "is",
    "isnull",
    "like",
    "nocase",
    "not",
    "notnull",
    "null",
    "numeric",
    "or",
    "real",
    "rtrim",
    "text",
    "then",
    "true",
    "when",
];

/// Whether the condition may go into a statement on a table with these columns, and what it costs.
pub(super) fn check(text: &str, table: &str, columns: &[&str]) -> Result<Cost, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("where: at most {MAX_BYTES} bytes are allowed"));
    }
    let (mut depth, mut counts) = (0usize, Counts::default());
    let mut tokens = Tokens { rest: text }.peekable();
    while let Some(token) = tokens.next() {
        let opens = matches!(tokens.peek(), Some(Ok(Token::Open)));
        match token? {
            Token::Open if depth >= MAX_DEPTH => {
                return Err("where: too many nested parentheses".into());
            }
            Token::Open => depth += 1,
            Token::Close => depth = depth.checked_sub(1).ok_or_else(unbalanced)?,
            Token::Quoted(name) if opens => {
                return Err(format!("where: {name} is not allowed before ("));
            }
            Token::Word(word) => {
                check_word(word, opens, table, columns)?;
                counts.add(word, opens, columns);
                if opens && word.eq_ignore_ascii_case("strftime") {
                    tokens.next();
                    depth += 1;
                    check_format(tokens.peek())?;
                }
            }
            Token::Quoted(_) => counts.names += 1,
            Token::Text(_) | Token::Other => {}
        }
    }
    if depth != 0 {
        return Err(unbalanced());
    }
    counts.cost()
}

/// What costs something in a condition.
#[derive(Default)]
struct Counts {
    names: usize,
    calls: usize,
    patterns: usize,
}

impl Counts {
    fn add(&mut self, word: &str, opens: bool, columns: &[&str]) {
        self.patterns += usize::from(is_any(word, &["like", "glob"]));
        self.calls += usize::from(opens && is_any(word, FUNCTIONS));
        // Some keywords are the names of columns too, such as `text`.
        self.names += usize::from(!is_any(word, KEYWORDS) || is_any(word, columns));
    }

    fn cost(&self) -> Result<Cost, String> {
        if self.patterns > MAX_PATTERNS {
            return Err(format!(
                "where: at most {MAX_PATTERNS} LIKE or GLOB are allowed"
            ));
        }
        if self.calls > MAX_CALLS {
            return Err(format!(
                "where: at most {MAX_CALLS} calls of functions are allowed"
            ));
        }
        Ok(Cost(
            self.names * Cost::NAME + self.calls * Cost::CALL + self.patterns * Cost::PATTERN,
        ))
    }
}

/// An expression that begins with a text is no longer than it: nothing here joins texts.
fn check_format(first: Option<&Result<Token<'_>, String>>) -> Result<(), String> {
    match first {
        Some(Ok(Token::Text(format))) if format.len() <= MAX_FORMAT_BYTES => Ok(()),
        _ => Err(format!(
            "where: strftime needs a format in single quotes, of at most {MAX_FORMAT_BYTES} bytes"
        )),
    }
}

fn check_word(word: &str, opens: bool, table: &str, columns: &[&str]) -> Result<(), String> {
    // `IN name` would be a sub-select on another table, or on the rows of others in this one.
    if word.eq_ignore_ascii_case("in") && !opens {
        return Err("where: IN is only allowed before (".into());
    }
    if is_any(word, KEYWORDS) || opens && is_any(word, FUNCTIONS) {
        return Ok(());
    }
    if opens {
        return Err(format!("where: {word} is not allowed"));
    }
    let is_column = columns
        .iter()
        .any(|column| column.eq_ignore_ascii_case(word));
    if is_column || word.eq_ignore_ascii_case(table) {
        Ok(())
    } else {
        Err(catalog::no_such_column(word))
    }
}

fn is_any(word: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(word))
}

fn unbalanced() -> String {
    "where: unbalanced parentheses".into()
}

enum Token<'a> {
    Open,
    Close,
    /// A bare name, keyword or function.
    Word(&'a str),
    /// A name in quotes, which SQLite takes for a column or, failing that, a text. It cannot name a
    /// table here: nothing that is followed by one is let through.
    Quoted(&'a str),
    /// A text in single quotes, with them.
    Text(&'a str),
    /// Any other literal, an operator, a `?`.
    Other,
}

/// Splits as SQLite does, as far as it goes; what SQLite might split otherwise is an error here.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (token, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        token
    }

    /// Up to the closing quote, which stands for itself where it is doubled.
    fn take_quoted(&mut self, close: char) -> Result<&'a str, String> {
        let mut from = 1;
        loop {
            let end = self.rest[from..]
                .find(close)
                .ok_or("where: a quote is not closed")?
                + from
                + 1;
            if close == ']' || !self.rest[end..].starts_with(close) {
                return Ok(self.take(end));
            }
            from = end + 1;
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        self.take(self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len()))
    }

    fn operator(&mut self) -> Result<Token<'a>, String> {
        const LONG: &[&str] = &["<<", ">>", "<=", ">=", "<>", "==", "!="];
        const SHORT: &[char] = &[
            '=', '<', '>', '+', '-', '*', '/', '%', '&', '|', '~', ',', '.',
        ];
        const REFUSED: &[&str] = &["--", "/*", "*/", "||", "->"];
        if let Some(refused) = REFUSED
            .iter()
            .find(|operator| self.rest.starts_with(**operator))
        {
            return Err(format!("where: {refused} is not allowed"));
        }
        let length = if LONG.iter().any(|operator| self.rest.starts_with(operator)) {
            2
        } else {
            1
        };
        if length == 1 && !self.rest.starts_with(SHORT) {
            let first = self.rest.chars().next().unwrap_or_default();
            return Err(format!("where: {first:?} is not allowed"));
        }
        self.take(length);
        Ok(Token::Other)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self
            .rest
            .trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
        let mut chars = self.rest.chars();
        let (first, second) = (chars.next()?, chars.next());
        Some(match first {
            '(' => {
                self.take(1);
                Ok(Token::Open)
            }
            ')' => {
                self.take(1);
                Ok(Token::Close)
            }
            '\'' => self.take_quoted('\'').map(Token::Text),
            'x' | 'X' if second == Some('\'') => {
                self.take(1);
                self.take_quoted('\'').map(|_| Token::Other)
            }
            '"' | '`' => self.take_quoted(first).map(Token::Quoted),
            '[' => self.take_quoted(']').map(Token::Quoted),
            // Numbered and named parameters could reach the one that scopes the rows.
            '?' if second.is_some_and(|c| c.is_ascii_digit()) => {
                Err("where: only ? without a number is allowed".into())
            }
            '?' => {
                self.take(1);
                Ok(Token::Other)
            }
            '0'..='9' => {
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
                Ok(Token::Other)
            }
            c if is_name(c) => Ok(Token::Word(self.take_while(is_name))),
            _ => self.operator(),
        })
    }
}

/// SQLite lets every character outside ASCII be part of a name.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(text: &str) -> Result<Cost, String> {
        let columns = ["_id", "title", "published", "at", "text"];
        check(text, "posts", &columns)
    }

    fn allowed(text: &str) -> Result<(), String> {
        cost(text).map(drop)
    }

    #[test]
    fn the_cost_of_a_row_is_known() {
        assert_eq!(cost("published = 1"), Ok(Cost(1)));
        assert_eq!(cost("title LIKE 'a%' AND at = text"), Ok(Cost(3 + 64)));
        assert_eq!(cost("lower(upper(title)) = 'a'"), Ok(Cost(3 + 8)));
        let most = cost(&"at,".repeat(MAX_BYTES / 3)).unwrap();
        assert!(most.0 <= MAX_BYTES / 2);
    }

    #[test]
    fn what_sites_use() {
        for text in [
            "",
            "published = 1",
            "published = ? AND title LIKE ?",
            "title = 'it''s' or (_id>=3 and not published)",
            "posts.title <> \"a\"",
            "at BETWEEN ? AND ?",
            "_id IN (1,2, 3)",
            "_id in(?)",
            "_id NOT IN (1)",
            "title IS NOT NULL",
            "length(title) > 1.5e-3",
            "lower( title )=x'00'",
            "CASE WHEN published THEN 1 ELSE 0 END",
            "text = -1 + ~2 % 3",
            "CAST(title AS INTEGER) = 5",
            "title COLLATE NOCASE = 'é; -- ( drop'",
            "[title] = `at`",
            "title isnull",
            "at > datetime('now', '-1 day')",
            "strftime('%Y-%m', at) = '2026-02'",
            "strftime ( '%Y' )>at",
            "title like 'a\\_%' escape '\\'",
        ] {
            assert_eq!(allowed(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_it_refuses() {
        for text in [
            "1=1; DROP TABLE posts",
            "1=1 --",
            "1 /* */ = 1",
            "1=1) OR (1=1",
            ")(",
            "(",
            "_id IN (SELECT 1)",
            "EXISTS(SELECT 1)",
            "1 IN posts",
            "(1,2) in posts",
            "1 IN \"posts\"",
            "1 IN json_each('[1]')",
            "title || title = ''",
            "title ->> 'a' = 1",
            "printf('%9999999d', 1)",
            "\"printf\"('a')",
            "[printf] ('a')",
            "replace(title, 'a', 'b') = 1",
            "title MATCH 'a'",
            "title REGEXP 'a'",
            "?1 = 1",
            ":a = 1",
            "@a = 1",
            "$a = 1",
            "title = 'open",
            "nope = 1",
            "sqlite_master.sql = 1",
            "1=1\0",
            "title = #1",
            "{",
            "1=1 UNION SELECT 1",
            "1=1 ORDER BY _id",
            "1 = 1 LIMIT 5",
            "_id IN (WITH x AS (1) SELECT 1)",
            "VALUES(1)",
            "count(*) > 0 OVER ()",
            "1=1 \u{2003} AND 1=1",
            "!title",
            "\u{feff}1=1",
            "replace (title,'','')",
            "*/",
        ] {
            assert!(allowed(text).is_err(), "{text}");
        }
        assert!(allowed(&"(".repeat(40)).is_err());
        let deep = "strftime('a',".repeat(40) + &"(".repeat(9) + "1" + &")".repeat(49);
        assert!(allowed(&deep).is_err());
        for format in ["title", "?", "\"%J\"", "lower('%J')", ""] {
            assert!(allowed(&format!("strftime({format}, at) = 1")).is_err());
        }
        let long = "%J".repeat(MAX_FORMAT_BYTES / 2);
        assert!(allowed(&format!("strftime('{long}') = 1")).is_err());
        assert!(allowed(&"abs(at)+".repeat(65)).is_err());
        assert!(allowed(&"title LIKE 'a' OR ".repeat(9)).is_err());
        assert!(allowed(&" ".repeat(5000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}", like in "[a-z'\"`\\[\\]()?.|>/*0-9 -]{0,60}") {
            let _ = (allowed(&text), allowed(&like));
        }
    }
}
