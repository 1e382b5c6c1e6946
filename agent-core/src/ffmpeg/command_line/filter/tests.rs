//! Tests filter graphs without a referee: what is unknown is absent, and any text is evaluated.
//!
//! The comparison with real ffmpeg is a black-box test.

use proptest::prelude::*;

use super::*;
use crate::few;

const FULL_HD: Frame = Frame { width: Some(1920), height: Some(1080), ..Frame::UNKNOWN };

fn name(text: &str, from: Frame) -> Option<String> {
    chain(text, from).name()
}

#[test]
fn a_filter_that_no_table_has_makes_the_size_unknown() {
    assert_eq!(name("somefilter", FULL_HD), None);
    assert_eq!(name("scale=640:360,somefilter", FULL_HD), None);
    assert_eq!(name("somefilter,scale=640:360", FULL_HD).as_deref(), Some("640x360"));
    assert_eq!(name("somefilter,scale=-2:360", FULL_HD).as_deref(), Some("360p"));
}

#[test]
fn sizes_that_need_an_unknown_input_are_absent() {
    for (text, size) in [
        ("scale=1280:720", Some("1280x720")),
        ("scale=trunc(oh*a/2)*2:480", Some("480p")),
        ("scale=1280:720:force_original_aspect_ratio=decrease", None),
        ("scale='min(1280,iw)':-2", None),
        ("scale='if(1,640,iw)':360", Some("640x360")),
        ("pad=1280:720", Some("1280x720")),
        ("crop=1280:720", Some("1280x720")),
        ("transpose=passthrough=portrait", None),
        ("tile=2x2", None),
        ("scale=320:180,tile=2x2", Some("640x360")),
        ("scale=iw*sar:480", Some("480p")),
    ] {
        assert_eq!(name(text, Frame::UNKNOWN).as_deref(), size, "{text}");
    }
}

#[test]
fn odd_sides_of_a_crop_need_the_pixel_format() {
    assert_eq!(name("crop=101:51", FULL_HD), None);
    assert_eq!(name("crop=101:51:exact=1", FULL_HD).as_deref(), Some("101x51"));
    assert_eq!(name("format=yuv420p,crop=101:51", FULL_HD).as_deref(), Some("100x50"));
    assert_eq!(name("format=yuv444p,crop=101:51", FULL_HD).as_deref(), Some("101x51"));
}

#[test]
fn a_crop_before_a_format_of_four_pixels_to_a_sample() {
    assert_eq!(name("scale=640:360,crop=102:54,format=yuv410p", FULL_HD), None);
    assert_eq!(name("scale=640:360,crop=102:52,format=yuv422p", FULL_HD).as_deref(), Some("102x52"));
    assert_eq!(name("scale=640:360,crop=104:52,format=yuv411p", FULL_HD).as_deref(), Some("104x52"));
    assert_eq!(name("format=yuv420p,crop=102:52,format=yuv410p", FULL_HD).as_deref(), Some("102x52"));
}

#[test]
fn scaling_in_hardware() {
    for scale in ["scale_vaapi", "scale_cuda", "scale_qsv", "scale_npp", "scale_vt", "scale_vulkan"] {
        assert_eq!(name(&format!("{scale}=w=1280:h=-2:format=nv12"), FULL_HD).as_deref(), Some("1280x720"));
        assert_eq!(name(&format!("{scale}=-1:360"), FULL_HD).as_deref(), Some("640x360"));
    }
    assert_eq!(name("vpp_qsv=w=1280:h=720", FULL_HD).as_deref(), Some("1280x720"));
    assert_eq!(name("vpp_qsv=w=1280:h=720:transpose=clock", FULL_HD), None);
    assert_eq!(name("scale_vaapi=format=nv12", FULL_HD).as_deref(), Some("1920x1080"));
    assert_eq!(name("transpose_vaapi=dir=reversal", FULL_HD).as_deref(), Some("1920x1080"));
    assert_eq!(name("transpose_vaapi=dir=clock", FULL_HD).as_deref(), Some("1080x1920"));
}

#[test]
fn labels_of_a_command() {
    let mut graph = Graph::default();
    let inputs = [FULL_HD, Frame::known(640, 480)];
    graph.add("[v:0]split=2[a][b];[a]scale=-2:720[x];[b]scale=-2:480[y]", &inputs);
    graph.add("[1:v:0]crop=iw/2:ih[z];[0:a]volume=2[sound]", &inputs);
    let size = |label: &str| graph.labelled(label).and_then(|pad| pad.frame.name());
    assert_eq!(size("x").as_deref(), Some("1280x720"));
    assert_eq!(size("y").as_deref(), Some("854x480"));
    assert_eq!(size("z").as_deref(), Some("320x480"));
    assert!(!graph.labelled("sound").unwrap().is_video);
    assert_eq!(graph.labelled("a"), None);
}

#[test]
fn circles_and_long_graphs_end() {
    assert_eq!(name("[a]null[b];[b]null[a]", FULL_HD), None);
    let long = few(1000);
    assert_eq!(name(&"split=1000000000,".repeat(long), FULL_HD), None);
    assert_eq!(name(&format!("hstack=inputs=4000000000,{}null", "null,".repeat(long)), FULL_HD), None);
    assert_eq!(name("tile=65536x65536:margin=4000000000", FULL_HD), None);
    assert_eq!(name("scale=1e300:-1e300,scale=-2147483647:1e9", FULL_HD), None);
}

/// Parts of filter graphs, in any order.
fn graph() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "scale",
        "crop",
        "pad",
        "tile",
        "rotate",
        "split",
        "hstack",
        "xstack",
        "concat",
        "setdar",
        "transpose",
        "=",
        ":",
        ",",
        ";",
        "[a]",
        "[b]",
        "[0:v]",
        "w=",
        "h=",
        "-1",
        "-2",
        "0",
        "1e9",
        "1920",
        "2x2",
        "iw",
        "oh",
        "*",
        "/",
        "(",
        ")",
        "'",
        "\\",
        "min(",
        "aspect=",
        "force_divisible_by=",
        "layout=w0_0|0_h9",
        "sar",
        "4/3",
        "testsrc2",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn anything_is_evaluated(text in graph(), width in 0..=u32::MAX, height in 0..=u32::MAX) {
        let from = Frame::known(width, height);
        let _ = chain(&text, from);
        let _ = source(&text);
        let mut graph = Graph::default();
        graph.add(&text, &[from, Frame::UNKNOWN]);
        let _ = graph.take_unlabelled();
    }

    #[test]
    fn a_size_of_numbers_is_that_size(width in 1..=16_384_u32, height in 1..=16_384_u32) {
        let size = format!("{width}x{height}");
        prop_assert_eq!(name(&format!("scale={width}:{height}"), Frame::UNKNOWN), Some(size.clone()));
        prop_assert_eq!(name(&format!("zscale=h={height}:w={width}"), FULL_HD), Some(size));
    }
}
