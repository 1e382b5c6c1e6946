//! Tests quotes, backslashes, labels and the options of filters.

use super::*;

fn only(text: &str) -> Filter {
    let mut filters = parse(text).unwrap();
    assert_eq!(filters.len(), 1, "{text}");
    filters.remove(0)
}

#[test]
fn options_by_name_and_by_position() {
    let filter = only("scale@big=640:'min(1,2)':flags=lanczos");
    assert_eq!(filter.name, "scale");
    assert_eq!(filter.options.get(&["w"], 0), Some("640"));
    assert_eq!(filter.options.get(&["h"], 1), Some("min(1,2)"));
    assert_eq!(filter.options.get(&["flags"], 2), Some("lanczos"));
    assert_eq!(filter.options.named(&["w"]), None);
    // The last of several values counts.
    assert_eq!(only("scale=w=1:w=2").options.get(&["w"], 0), Some("2"));
}

#[test]
fn two_levels_of_escapes() {
    let text = |text: &str| only(text).options.named(&["text"]).map(str::to_owned);
    assert_eq!(text(r"drawtext=text='a\:b'").as_deref(), Some("a:b"));
    assert_eq!(text(r"drawtext=text=a\\\:b").as_deref(), Some("a:b"));
    assert_eq!(text(r"drawtext=text=a\,b").as_deref(), Some("a,b"));
    assert_eq!(text("drawtext=text='a;[b]'").as_deref(), Some("a;[b]"));
    assert_eq!(only("scale = 640 : 480 ").options.get(&["h"], 1), Some("480"));
}

#[test]
fn labels_and_ends_of_chains() {
    let filters = parse("sws_flags=lanczos; [0:v] [a]overlay=1:2[b] ; [b]null,null").unwrap();
    assert_eq!(
        filters.iter().map(|filter| filter.name.as_str()).collect::<Vec<_>>(),
        ["overlay", "null", "null"]
    );
    assert_eq!(filters[0].inputs, ["0:v", "a"]);
    assert_eq!(filters[0].outputs, ["b"]);
    assert_eq!(filters.iter().map(|filter| filter.ends_chain).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn refused_text() {
    assert!(parse("[a").is_none());
    assert!(parse("scale=1:2]x").is_none());
    assert!(parse(&"null,".repeat(MAX_FILTERS + 1)).is_none());
    assert!(only("crop=w=1:2").options.are_refused);
}
