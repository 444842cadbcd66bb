//! Looks for the rendezvous that a text means, before anything is remembered of it.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::{address::Address, fault::Fault, http::Http, opening};

/// How long a server may take to answer: people wait for it.
const PATIENCE: Duration = Duration::from_millis(4500);

/// The address of the rendezvous that answers, of those that the text may mean (see
/// [`Address::candidates`]), with TLS if it wants that. Takes at most 5 s. The error is worded for
/// people.
pub async fn find(http: &Http, text: &str) -> Result<Address, String> {
    let candidates = Address::candidates(text).map_err(|error| error.to_string())?;
    let asked = candidates.into_iter().map(|address| ask(http, address));
    let mut faults = Vec::new();
    for answer in join_all(asked).await {
        match answer {
            Ok(address) => return Ok(address),
            Err(fault) => faults.push(fault),
        }
    }
    // A server that refuses says more than the other port, where perhaps there is none.
    let refused = faults.iter().position(|fault| fault.refused);
    let without_tls = |fault: &Fault| fault.reason.contains("doesn't use TLS");
    let best = refused.or_else(|| faults.iter().position(|fault| !without_tls(fault)));
    let fault = faults.swap_remove(best.unwrap_or_default());
    Err(fault.reason)
}

async fn ask(http: &Http, address: Address) -> Result<Address, Fault> {
    let asking = async {
        let response = opening::ask(http, &address, None).await?;
        let address = address.secured(response.url()).unwrap_or(address);
        opening::check(http, &address, response).await?;
        Ok(address)
    };
    let answer = timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| Err(Fault::unreachable("the server doesn't answer".into())))
}
