//! Renders the HTML page of a listener: all listeners, the sources, and the workloads that draw the most power.

use std::fmt::Write;

use agent_core::metrics::catalog::Listener;
use agent_core::model::snapshot::Snapshot;

use crate::server::Addresses;

/// The page. Every text that comes from the host is escaped.
pub(super) fn page(listener: Listener, addresses: &Addresses, snapshot: Option<&Snapshot>) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>ffwatt</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>\
         body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
         table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}td.n{text-align:right}\
         </style></head><body>",
    );
    let _ = write!(
        page,
        "<h1>ffwatt {}</h1><p>Energy of each container and transcode, in joules. This is the <b>{}</b> listener: \
         <a href=\"metrics\">metrics</a>, <a href=\"health\">health</a>, <a href=\"ready\">ready</a>.</p>",
        env!("CARGO_PKG_VERSION"),
        listener.name()
    );
    page.push_str("<h2>Listeners</h2><ul>");
    for (other, address) in addresses {
        let _ = write!(page, "<li>{} — port {}</li>", other.content(), address.port());
    }
    page.push_str("</ul>");
    match snapshot {
        None => page.push_str("<p>The first tick is not over: reload in a moment.</p>"),
        Some(snapshot) => {
            sources(&mut page, snapshot);
            workloads(&mut page, snapshot);
        }
    }
    page.push_str("</body></html>\n");
    page
}

fn sources(page: &mut String, snapshot: &Snapshot) {
    if snapshot.method.energy_source.is_some_and(|source| !source.is_measured()) {
        page.push_str("<p><b>Energy is estimated</b> from CPU use");
        if let Some(model) = snapshot.method.energy_model {
            let (idle, busy) = (model.idle.plain(), model.busy.plain());
            let _ = write!(page, ": {idle} to {busy} W per virtual CPU ({}, {})", model.cpu, model.source);
        }
        page.push_str(".</p>");
    }
    page.push_str("<h2>Sources</h2><table><tr><th>source</th><th>state</th><th>what helps</th></tr>");
    for (name, source) in &snapshot.sources {
        let state = if source.up { "works" } else { &source.problem };
        let _ = write!(
            page,
            "<tr><td>{name}</td><td>{}</td><td>{}</td></tr>",
            escape(state),
            escape(&source.hint)
        );
    }
    page.push_str("</table>");
}

/// Enough for the workloads that draw the most power; the metrics have all of them.
const SHOWN: usize = 20;

fn workloads(page: &mut String, snapshot: &Snapshot) {
    let mut workloads: Vec<_> = snapshot.workloads.iter().collect();
    workloads.sort_by_key(|workload| std::cmp::Reverse(workload.account.window_energy));
    page.push_str(
        "<h2>Power by \
        workload</h2><table><tr><th>workload</th><th>kind</th><th>watts</th><th>joules</th></tr>",
    );
    for workload in workloads.into_iter().take(SHOWN) {
        let power = snapshot.power_of(workload.account.window_energy);
        let watts = power.map_or_else(|| "–".to_owned(), |power| format!("{:.2}", power.0));
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{watts}</td><td class=\"n\">{:.1}</td></tr>",
            escape(&workload.identity.name),
            workload.identity.kind,
            snapshot.energy_of(&workload.account).joules()
        );
    }
    page.push_str("</table>");
}

/// Escapes text for HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_host_is_text() {
        assert_eq!(escape("<b a='1'>\"&"), "&lt;b a=&#39;1&#39;&gt;&quot;&amp;");
    }
}
