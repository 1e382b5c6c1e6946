//! Tests of command lines of `GStreamer`, `HandBrakeCLI` and programs that are one encoder.

use expect_test::expect;

use super::{check, read};

#[test]
fn gstreamer_pipelines() {
    check(
        "gst-launch-1.0 -e videotestsrc ! video/x-raw,width=1280,height=720,framerate=30/1 ! x264enc speed-preset=veryfast bitrate=2500 ! mp4mux ! filesink location=o.mp4",
        &expect![
            "gst-launch-1.0, x264enc, standard h264, by cpu, preset veryfast, size 1280x720, 2500000 bit/s, 1 of 1"
        ],
    );
    check(
        "gst-launch-1.0 'filesrc location=a ! decodebin ! videoscale ! video/x-raw, width=(int)640, height=(int)360 ! x265enc speed-preset=3 ! fakesink'",
        &expect!["gst-launch-1.0, x265enc, standard hevc, by cpu, preset veryfast, size 640x360, 1 of 0"],
    );
    check(
        "gst-launch-1.0 videotestsrc ! rav1enc speed-preset=8 bitrate=2000000 ! fakesink",
        &expect![
            "gst-launch-1.0, rav1enc, standard av1, by cpu, preset speed-preset=8, 2000000 bit/s, 1 of 0"
        ],
    );
    check(
        "gst-launch-1.0 v4l2src ! v4l2h264enc extra-controls=\"controls,h264_profile=4,video_bitrate=4000000;\" ! fakesink",
        &expect!["gst-launch-1.0, v4l2h264enc, standard h264, by v4l2m2m, 4000000 bit/s, live, 1 of 0"],
    );
    check(
        "gst-launch-1.0 videotestsrc ! tee name=t ! queue ! nvh264enc preset=low-latency-hq bitrate=4000 ! fakesink t. ! queue ! vah265enc bitrate=2000 ! rtmpsink location=x",
        &expect![
            "gst-launch-1.0, nvh264enc+vah265enc, standard h264+hevc, by nvenc+vaapi, 6000000 bit/s, 2 of 1"
        ],
    );
    check(
        "gst-launch-1.0 videotestsrc ! vp9enc target-bitrate=1000000 cpu-used=8 ! webmmux ! filesink location=o",
        &expect!["gst-launch-1.0, vp9enc, standard vp9, by cpu, preset cpu-used=8, 1000000 bit/s, 1 of 1"],
    );
    for (number, expected) in
        [(0, Some("none")), (1, Some("ultrafast")), (10, Some("placebo")), (11, Some("11"))]
    {
        let line = format!("gst-launch-1.0 videotestsrc ! x264enc speed-preset={number} ! fakesink");
        let found = read(&line);
        assert_eq!(found.preset().as_deref(), expected, "{number}");
    }
    check(
        "gst-launch-1.0 audiotestsrc ! voaacenc ! mp4mux ! filesink location=o.mp4",
        &expect!["gst-launch-1.0, 0 of 1"],
    );
}

#[test]
fn units_of_bitrates_of_elements() {
    for (line, bits) in [
        ("videotestsrc ! nvv4l2h265enc bitrate=6000000 ! fakesink", Some(6_000_000)),
        ("videotestsrc ! nvh264enc bitrate=6000 ! fakesink", Some(6_000_000)),
        ("videotestsrc ! msdkh265enc bitrate=2500 ! fakesink", Some(2_500_000)),
        ("videotestsrc ! mpph265enc bps=3000000 ! fakesink", Some(3_000_000)),
        ("videotestsrc ! omxh264enc target-bitrate=2500000 ! fakesink", Some(2_500_000)),
        ("videotestsrc ! omxh264enc target-bitrate=2500 ! fakesink", None),
        ("videotestsrc ! avenc_mpeg4 bitrate=900000 ! fakesink", Some(900_000)),
        ("videotestsrc ! svtav1enc target-bitrate=1500 preset=8 ! fakesink", Some(1_500_000)),
    ] {
        let found = read(&format!("gst-launch-1.0 {line}"));
        assert_eq!(found.bitrate().map(|bitrate| bitrate.0), bits, "{line}");
        assert_eq!(found.encoded_renditions(), 1, "{line}");
    }
}

#[test]
fn caps_of_a_filter_element_and_a_live_source() {
    check(
        "gst-launch-1.0 rtspsrc location=rtsp://user:word@camera/1 ! decodebin ! capsfilter caps=video/x-raw,width=960,height=540 ! x264enc bitrate=1200 ! rtph264pay ! udpsink host=10.0.0.1",
        &expect!["gst-launch-1.0, x264enc, standard h264, by cpu, size 960x540, 1200000 bit/s, live, 1 of 1"],
    );
}

#[test]
fn programs_that_are_one_encoder() {
    check(
        "x264 --preset slower --bitrate 2400 --input-res 1280x720 -o out.264 in.yuv",
        &expect!["x264, x264, standard h264, by cpu, preset slower, size 1280x720, 2400000 bit/s, 1 of 1"],
    );
    check(
        "x265 -p slow --bitrate 3000 -o out.hevc in.y4m",
        &expect!["x265, x265, standard hevc, by cpu, preset slow, 3000000 bit/s, 1 of 1"],
    );
    check(
        "x264 --preset 7 --crf 20 -o out.264 in.y4m",
        &expect!["x264, x264, standard h264, by cpu, preset slower, 1 of 1"],
    );
    check(
        "x265 --crf 20 --bitrate 3000 --output out.hevc in.y4m",
        &expect!["x265, x265, standard hevc, by cpu, preset medium, 1 of 1"],
    );
    check(
        "SvtAv1EncApp -i in.y4m --preset 6 --rc 1 --tbr 1800 -w 1920 -h 1080 -b out.ivf",
        &expect![
            "SvtAv1EncApp, SvtAv1EncApp, standard av1, by cpu, preset 6, size 1920x1080, 1800000 bit/s, 1 of 1"
        ],
    );
    check(
        "aomenc --cpu-used=4 --target-bitrate=900 -o out.webm in.y4m",
        &expect!["aomenc, aomenc, standard av1, by cpu, preset cpu-used=4, 900000 bit/s, 1 of 1"],
    );
    check(
        "rav1e in.y4m -s 9 -b 1500 -o out.ivf",
        &expect!["rav1e, rav1e, standard av1, by cpu, preset speed=9, 1500000 bit/s, 1 of 1"],
    );
    check(
        "vvencapp --preset faster -i in.y4m -b 2M -s 832x480 -o out.266",
        &expect![
            "vvencapp, vvencapp, standard vvc, by cpu, preset faster, size 832x480, 2000000 bit/s, 1 of 1"
        ],
    );
}

#[test]
fn handbrake() {
    check(
        "HandBrakeCLI -i in.mkv -o out.mkv -e svt_av1_10bit --encoder-preset 8 -q 30 -b 4000",
        &expect!["HandBrakeCLI, svt_av1_10bit, standard av1, by cpu, preset 8, 1 of 1"],
    );
    check(
        "HandBrakeCLI --input in.mkv --output out.mp4 --encoder=nvenc_h265 --vb=4000 --encoder-preset=hq",
        &expect!["HandBrakeCLI, nvenc_h265, standard hevc, by nvenc, preset hq, 4000000 bit/s, 1 of 1"],
    );
    check("HandBrakeCLI -i in.mkv -o out.mp4 -Z 'Fast 1080p30'", &expect!["HandBrakeCLI, 1 of 1"]);
    check("HandBrakeCLI -i in.mkv --scan", &expect!["HandBrakeCLI, 0 of 0"]);
}

#[test]
fn the_bitrate_of_an_encoder_program_counts_only_where_it_is_a_target() {
    let bitrate = |line: &str| read(line).bitrate().map(|bitrate| bitrate.0);
    assert_eq!(bitrate("x264 -B 1000 -o out.264 in.y4m"), Some(1_000_000));
    assert_eq!(bitrate("x264 -q 20 -B 1000 -o out.264 in.y4m"), None);
    assert_eq!(bitrate("SvtAv1EncApp -i in.y4m --tbr 1800 -b out.ivf"), None);
    assert_eq!(bitrate("SvtAv1EncApp -i in.y4m --rc 2 --tbr 1800 -b out.ivf"), Some(1_800_000));
    assert_eq!(bitrate("aomenc --end-usage=q --cq-level=30 --target-bitrate=900 -o out.ivf in.y4m"), None);
    assert_eq!(bitrate("aomenc --end-usage=cbr --target-bitrate=900 -o out.ivf in.y4m"), Some(900_000));
}

#[test]
fn a_deadline_in_microseconds_is_no_preset() {
    let preset = |line: &str| read(line).preset();
    assert_eq!(preset("gst-launch-1.0 filesrc ! vp8enc deadline=1 ! fakesink"), None);
    assert_eq!(preset("ffmpeg -i in.mp4 -c:v libvpx -deadline 1000000 out.webm"), None);
    assert_eq!(preset("ffmpeg -i in.mp4 -c:v libvpx -deadline good out.webm").as_deref(), Some("good"));
}
