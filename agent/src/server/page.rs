//! `/` on the main listener: the live page, in one piece.
//!
//! Everything is in the program: style, script, and the chart library (`cargo xtask page` gets it from npm). The content security policy
//! forbids all other sources and scripts: a container's name with markup stays text.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

/// Texts that replace marks of the page.
const PARTS: [(&str, &str); 17] = [
    ("{{uplot.css}}", include_str!("page/uplot/uPlot.min.css")),
    ("{{page.css}}", include_str!("page/page.css")),
    ("{{drawer.css}}", include_str!("page/drawer.css")),
    ("{{cards.css}}", include_str!("page/cards.css")),
    ("{{uplot.js}}", include_str!("page/uplot/uPlot.iife.min.js")),
    ("{{format.js}}", include_str!("page/format.js")),
    ("{{cost.js}}", include_str!("page/cost.js")),
    ("{{charts.js}}", include_str!("page/charts.js")),
    ("{{tables.js}}", include_str!("page/tables.js")),
    ("{{columns.js}}", include_str!("page/columns.js")),
    ("{{line_chart.js}}", include_str!("page/line_chart.js")),
    ("{{recorder.js}}", include_str!("page/recorder.js")),
    ("{{details.js}}", include_str!("page/details.js")),
    ("{{past.js}}", include_str!("page/past.js")),
    ("{{drawer.js}}", include_str!("page/drawer.js")),
    ("{{view.js}}", include_str!("page/view.js")),
    ("{{page.js}}", include_str!("page/page.js")),
];

/// The page and its content security policy.
struct Page {
    html: String,
    policy: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(assemble);

/// The routes.
pub(super) fn router() -> Router {
    Router::new().route("/", get(page))
}

fn assemble() -> Page {
    let mut html = include_str!("page/page.html").to_owned();
    let (mut styles, mut scripts) = (String::new(), String::new());
    for (place, text) in PARTS {
        html = html.replace(place, text);
        let sources = if place.ends_with(".css}}") { &mut styles } else { &mut scripts };
        sources.push_str(&hash(text));
    }
    let policy = format!(
        "default-src 'none'; script-src{scripts}; style-src{styles}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    Page { html, policy }
}

/// A source of a content security policy: this text only, by its hash.
pub(super) fn hash(text: &str) -> String {
    format!(" 'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

async fn page() -> Response {
    let page = &*PAGE;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, &page.policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, page.html.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::snapshot::PART_NAMES;

    #[test]
    fn it_is_whole_small_and_takes_nothing_from_elsewhere() {
        let html = &PAGE.html;
        assert!(!html.contains("{{"), "a part is missing");
        assert!(html.len() < 150_000, "{} bytes", html.len());
        // Addresses that would be fetched; the library's own address in its comment is not one.
        for fetched in ["src=\"", "url(", "@import", "import(", "href=\"http", "href=\"//"] {
            assert!(!html.contains(fetched), "{fetched}");
        }
        assert_eq!(PAGE.policy.matches("'sha256-").count(), PARTS.len());
        assert!(!PAGE.policy.contains("unsafe"), "{}", PAGE.policy);
    }

    #[test]
    fn the_parts_of_the_host_have_the_names_of_top() {
        let script = include_str!("page/charts.js");
        for (part, name) in PART_NAMES {
            assert!(script.contains(&format!("\n  {part}: \"{name}\",\n")), "{part}");
        }
    }

    #[test]
    fn no_script_ends_early_and_none_makes_markup_of_text() {
        for (place, text) in PARTS {
            assert!(!text.contains("</script") && !text.contains("</style"), "{place}");
            if !place.contains("uplot") {
                for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                    assert!(!text.contains(way), "{place}: {way}");
                }
            }
        }
    }
}
