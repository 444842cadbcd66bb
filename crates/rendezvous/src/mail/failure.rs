//! Why a mail was not sent: whether it helps to try again, and the words for it.

use std::error::Error as _;

use lettre::transport::smtp;

use crate::tls;

/// Codes of a mail server that knows the address and does not deliver to it (RFC 5321 §4.2.3, RFC
/// 7504). Others of 5xx are about the sender, the login or the content.
const NOT_DELIVERABLE: [u16; 5] = [550, 551, 552, 553, 556];
/// With these codes a server may also mean the sender: an enhanced code (RFC 3463) says so.
const POLICY: &str = "5.7.";

/// What helps against a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remedy {
    /// To try again later.
    #[default]
    Wait,
    /// Another address: this one will never work.
    Address,
    /// The administrator, who has to change something.
    Setup,
}

impl Remedy {
    /// Each of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::Wait, Self::Address, Self::Setup];
}

/// A mail that was not sent. Its text is for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", words(*remedy))]
pub struct Failure {
    /// What helps.
    pub remedy: Remedy,
    /// What happened, for the administrator.
    pub why: String,
}

impl Failure {
    /// The address is not one that mail can be sent to.
    pub(super) fn address() -> Self {
        Self {
            remedy: Remedy::Address,
            why: "not an address that mail can be sent to".into(),
        }
    }

    /// The mail server took too long.
    pub(super) fn silent(server: &str) -> Self {
        Self {
            remedy: Remedy::Wait,
            why: format!(
                "the mail server {server} did not answer in time. If it expects TLS from the start, set presence.smtp_tls to \"implicit\""
            ),
        }
    }

    /// What the mail library reported.
    pub(super) fn new(server: &str, error: &smtp::Error) -> Self {
        if error.is_timeout() {
            return Self::silent(server);
        }
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        let explained = tls::explain(error, server);
        let remedy = match error.status().map(u16::from) {
            Some(code) if error.is_permanent() => of_code(code, &said),
            Some(_) => Remedy::Wait,
            // Neither a certificate nor a configuration changes on its own.
            None if explained.is_some() || error.is_client() => Remedy::Setup,
            None => Remedy::Wait,
        };
        let why = match (error.status(), explained) {
            (Some(code), _) => format!("the mail server {server} answered {code}: {said}"),
            (None, Some(why)) if why.ends_with("doesn't use TLS") => {
                format!("{why} from the start. Set presence.smtp_tls to \"starttls\"")
            }
            (None, Some(why)) => why,
            (None, None) => format!("no mail through {server}: {error}"),
        };
        Self { remedy, why }
    }
}

fn of_code(code: u16, said: &str) -> Remedy {
    if NOT_DELIVERABLE.contains(&code) && !said.contains(POLICY) {
        Remedy::Address
    } else {
        Remedy::Setup
    }
}

fn words(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Wait => "The mail couldn’t be sent right now. Try again in a few minutes.",
        Remedy::Address => {
            "The mail server doesn’t accept this address, and trying again won’t help. Check the spelling, or use another address."
        }
        Remedy::Setup => {
            "This server can’t send mail until its administrator fixes a problem. The administration page says which."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_recipients_codes_blame_the_address() {
        for (code, said, remedy) in [
            (550, "5.1.1 no such user", Remedy::Address),
            (550, "no such user", Remedy::Address),
            (553, "5.1.3 bad address", Remedy::Address),
            (550, "5.7.1 relaying denied", Remedy::Setup),
            (535, "5.7.8 authentication failed", Remedy::Setup),
            (554, "no SMTP service here", Remedy::Setup),
        ] {
            assert_eq!(of_code(code, said), remedy, "{code} {said}");
        }
    }
}
