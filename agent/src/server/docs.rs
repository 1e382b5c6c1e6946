//! `/docs/…` on the main listener: the reference documentation as HTML, for users who have only the agent.
//!
//! A browser gets HTML, any other client the Markdown. Everything is in the program, as for the page.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::server::page::hash;

/// Name in the address, file in `docs`, and text.
const DOCS: [(&str, &str, &str); 8] = [
    ("metrics", "METRICS.md", include_str!("../../../docs/METRICS.md")),
    ("configuration", "CONFIGURATION.md", include_str!("../../../docs/CONFIGURATION.md")),
    ("api", "API.md", include_str!("../../../docs/API.md")),
    ("commands", "COMMANDS.md", include_str!("../../../docs/COMMANDS.md")),
    ("ffmpeg", "FFMPEG.md", include_str!("../../../docs/FFMPEG.md")),
    ("alerts", "ALERTS.md", include_str!("../../../docs/ALERTS.md")),
    ("method", "METHOD.md", include_str!("../../../docs/METHOD.md")),
    ("glossary", "GLOSSARY.md", include_str!("../../../docs/GLOSSARY.md")),
];

const STYLES: [&str; 2] = [include_str!("page/page.css"), include_str!("page/docs.css")];
const SCRIPT: &str = include_str!("page/docs.js");
const FRAME: &str = include_str!("page/docs.html");

/// Each page as HTML, in the order of [`DOCS`].
static PAGES: LazyLock<Vec<String>> =
    LazyLock::new(|| DOCS.iter().map(|(name, _, text)| page(name, text)).collect());

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let styles: String = STYLES.iter().map(|text| hash(text)).collect();
    format!(
        "default-src 'none'; script-src{}; style-src{styles}; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT)
    )
});

/// The routes.
pub(super) fn router() -> Router {
    Router::new().route("/docs/{name}", get(docs))
}

async fn docs(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(place) = DOCS.iter().position(|(known, ..)| *known == name) else {
        let names = DOCS.map(|(name, ..)| format!("docs/{name}")).join(", ");
        return (StatusCode::NOT_FOUND, format!("unknown page; the pages are {names}\n")).into_response();
    };
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let always = [(VARY, "accept"), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (CACHE_CONTROL, "no-cache")];
    if !accepted.contains("text/html") {
        return (always, [(CONTENT_TYPE, "text/plain; charset=utf-8")], DOCS[place].2).into_response();
    }
    let own = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (always, own, PAGES[place].as_str()).into_response()
}

/// A whole page.
fn page(name: &str, text: &str) -> String {
    let mut links = String::new();
    for (other, file, text) in DOCS {
        let current = if other == name { " aria-current=\"page\"" } else { "" };
        let title = text.lines().next().unwrap_or(file).trim_start_matches("# ");
        // Text takes every write.
        let _ = writeln!(links, "<a href=\"{other}\"{current}>{title}</a>");
    }
    let RenderedText { body, title, contents } = rendered(text);
    FRAME
        .replace("{{page.css}}", STYLES[0])
        .replace("{{docs.css}}", STYLES[1])
        .replace("{{docs.js}}", SCRIPT)
        .replace("{{title}}", &title)
        .replace("{{links}}", &links)
        .replace("{{contents}}", &contents)
        .replace("{{body}}", &body)
}

/// A text as HTML.
struct RenderedText {
    body: String,
    title: String,
    /// Links to the headings of the second level.
    contents: String,
}

fn rendered(text: &str) -> RenderedText {
    let mut events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let headings = name_headings(&mut events);
    let title = headings.iter().find(|one| one.level == HeadingLevel::H1).map_or("", |one| &one.text);
    let of = |level| headings.iter().filter(move |one| one.level == level);
    let entries = of(HeadingLevel::H2)
        .map(|one| format!("<li><a href=\"#{}\">{}</a></li>\n", one.id, escaped(&one.text)));
    let mut body = String::with_capacity(2 * text.len());
    html::push_html(&mut body, shown(events).into_iter());
    RenderedText { body, title: escaped(title), contents: entries.collect() }
}

struct PageHeading {
    level: HeadingLevel,
    id: String,
    text: String,
}

/// Gives each heading the name by which links on the pages call it.
fn name_headings(events: &mut [Event<'_>]) -> Vec<PageHeading> {
    let mut headings: Vec<PageHeading> = Vec::new();
    for start in 0..events.len() {
        let Event::Start(Tag::Heading { level, .. }) = &events[start] else { continue };
        let level = *level;
        let inside =
            events[start + 1..].iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
        let text: String = inside
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let slug = slug(&text);
        let same = headings
            .iter()
            .filter(|one| one.id == slug || one.id.strip_prefix(&slug).is_some_and(is_number))
            .count();
        let name = if same == 0 { slug } else { format!("{slug}-{same}") };
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
            *id = Some(CowStr::from(name.clone()));
        }
        headings.push(PageHeading { level, id: name, text });
    }
    headings
}

fn is_number(rest: &str) -> bool {
    rest.strip_prefix('-').is_some_and(|digits| digits.parse::<u32>().is_ok())
}

/// The name of a heading as code hosts make it: small letters, and hyphens for spaces.
fn slug(text: &str) -> String {
    let kept = |character: char| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        _ => character.is_alphanumeric().then(|| character.to_ascii_lowercase()),
    };
    text.chars().filter_map(kept).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The events as they are shown: a link leads to a page that is here, and a wide table scrolls.
fn shown(events: Vec<Event<'_>>) -> Vec<Event<'_>> {
    let mut shown = Vec::with_capacity(events.len());
    // Links do not nest.
    let mut has_link = false;
    for event in events {
        match event {
            // Notes for authors. No other markup of a text is markup of the page.
            Event::Html(text) | Event::InlineHtml(text) if text.trim_start().starts_with("<!--") => {}
            Event::Html(text) | Event::InlineHtml(text) => shown.push(Event::Text(text)),
            Event::Start(Tag::Table(_)) => shown.extend([Event::Html(TABLE.into()), event]),
            Event::End(TagEnd::Table) => shown.extend([event, Event::Html("</div>".into())]),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let address = address(&dest_url);
                has_link = address.is_some();
                let link = |address: String| Tag::Link { link_type, dest_url: address.into(), title, id };
                shown.extend(address.map(link).map(Event::Start));
            }
            Event::End(TagEnd::Link) if !has_link => {}
            event => shown.push(event),
        }
    }
    shown
}

const TABLE: &str = "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table\">";

/// The address of a link: another page by its name here; `None` for a file that is not here.
fn address(link: &str) -> Option<String> {
    if link.starts_with('#') || link.starts_with("https://") {
        return Some(link.to_owned());
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let (name, ..) = DOCS.iter().find(|(_, known, _)| *known == file)?;
    Some(if anchor.is_empty() { (*name).to_owned() } else { format!("{name}#{anchor}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_every_page_leads_to_a_heading_that_is_there() {
        let mut count = 0;
        for (place, (name, ..)) in DOCS.iter().enumerate() {
            for link in PAGES[place].split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                if link.starts_with("https://") || link == "../" || link == "data:," {
                    continue;
                }
                let (page, anchor) = link.split_once('#').unwrap_or((link, ""));
                let page = if page.is_empty() { name } else { page };
                let target = DOCS.iter().position(|(known, ..)| *known == page);
                let target = target.unwrap_or_else(|| panic!("{name}: {link} leads to no page"));
                let id = format!(" id=\"{anchor}\"");
                assert!(
                    anchor.is_empty() || PAGES[target].contains(&id),
                    "{name}: {link} leads to no heading"
                );
                count += 1;
            }
        }
        assert!(count > 100, "{count} links");
    }

    #[test]
    fn a_page_is_whole_and_has_the_scripts_and_styles_of_the_program_only() {
        for page in PAGES.iter() {
            for part in [
                "{{page.css}}",
                "{{docs.css}}",
                "{{docs.js}}",
                "{{title}}",
                "{{links}}",
                "{{contents}}",
                "{{body}}",
            ] {
                assert!(FRAME.contains(part) && !page.contains(part), "{part}");
            }
            assert_eq!(page.matches("<script").count(), 1);
            assert_eq!(page.matches("<style").count(), STYLES.len());
            assert_eq!(page.matches("<h1").count(), 1);
            assert!(!page.contains("<!-- "));
        }
        assert_eq!(POLICY.matches("'sha256-").count(), 3);
        assert!(!POLICY.contains("unsafe"));
    }

    #[test]
    fn markup_in_a_text_is_text_and_headings_of_one_name_have_different_ids() {
        let found = rendered(
            "# T\n\n<!-- note -->\n\n## A `b` & c\n\n<script>x</script>\n\n## A `b` & c\n\n[gone](OTHER.md) [here](API.md#json)\n",
        );
        assert!(found.body.contains("&lt;script&gt;"), "{}", found.body);
        assert!(!found.body.contains("note"));
        assert!(
            found.body.contains("<h2 id=\"a-b--c\">") && found.body.contains("<h2 id=\"a-b--c-1\">"),
            "{}",
            found.body
        );
        assert!(found.body.contains("gone <a href=\"api#json\">here</a>"), "{}", found.body);
        assert_eq!((found.title.as_str(), found.contents.matches("<li>").count()), ("T", 2));
        assert!(found.contents.contains(">A b &amp; c</a>"), "{}", found.contents);
    }
}
