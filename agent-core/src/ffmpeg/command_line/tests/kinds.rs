//! Tests of command lines in the shapes in which media servers, streaming servers, recorders and scripts run ffmpeg.

use expect_test::expect;

use super::{BitsPerSecond, check, read};

#[test]
fn an_option_that_has_a_value_in_some_versions_is_decided_by_the_next_word() {
    let expected = expect!["ffmpeg, libx265, standard hevc, by cpu, preset fast, 1 of 1"];
    for options in [
        "-autorotate 0 -i a.mkv",
        "-autorotate -i a.mkv",
        "-noautorotate -i a.mkv",
        "-i a.mkv -autoscale 1",
        "-i a.mkv -noautoscale",
        "-apply_cropping 0 -i a.mkv",
        "-seek_timestamp 1 -ss 9 -i a.mkv",
        "-i a.mkv -copyinkf -force_fps",
        "-print_graphs_file graph.txt -i a.mkv",
        "-hide_banner -xerror -i a.mkv",
        "-i a.mkv -canvas_size 720x576",
    ] {
        check(&format!("ffmpeg {options} -c:v libx265 -preset fast out.mkv"), &expected);
    }
}

#[test]
fn words_after_two_dashes_and_values_in_files() {
    check(
        "ffmpeg -i a.mkv -c:v libx264 -- -out.mkv",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mkv -/filter_complex graph.txt -map [big] -map [small] -c:v libx264 out.mkv",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 2 of 1"],
    );
    check(
        "ffmpeg -i a.mkv -/vf chain.txt -c:v libx264 out.mkv",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
}

#[test]
fn maps_in_every_form() {
    let one = expect!["ffmpeg, libx264, standard h264, by cpu, preset slow, 1 of 1"];
    for maps in [
        "-map v:0",
        "-map V:0? -map a?",
        "-map 0 -map -0:v:1",
        "-map 0 -map -0:s -map -0:d?",
        "-map 0 -map -0:v -map 0:v:0",
        "-map 0:3 -map 0:1",
        "-map 0:1 -map 0:0 -map -0:s",
        "-map 0:#0x44 -map 0:#0x45",
        "-map 0:i:68 -map 0:i:69",
        "-map 0:p:17",
        "-map 0:p:17:v -map 0:p:17:a",
        "-map 0:m:language:ger",
        "-map 0:v:0 -map 0:m:language:ger",
        "-map 0:v,0:a -map 0:a",
    ] {
        check(&format!("ffmpeg -i a.ts {maps} -c:v libx264 -preset slow out.mkv"), &one);
    }
    check(
        "ffmpeg -i a.mp4 -map 0:0 -c:0 libx265 -preset fast -map 0:1 -c:1 copy -map 0:2 -c:2 libopus o.mkv",
        &expect!["ffmpeg, libx265, standard hevc, by cpu, preset fast, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -map 0:1 -c:0 aac -map 0:4 -c:1 libx265 o.mkv",
        &expect!["ffmpeg, libx265, standard hevc, by cpu, preset medium, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -map 0:2 -map 0:3 -map 0:1 -c:v:0 libx264 -b:v:0 2M -c:v:1 libx264 -b:v:1 1M -c:a aac o.mkv",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 3000000 bit/s, 2 of 1"],
    );
    check("ffmpeg -i a.mp4 -map 0 -map -0:v -c copy o.mkv", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -i a.mp4 -map 0:1 -c copy o.aac", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -i a.mkv -map 0:0 -c copy -f adts o.x", &expect!["ffmpeg, 0 of 1"]);
}

#[test]
fn sound_alone_has_no_video() {
    for line in [
        "ffmpeg -f pulse -i default -c:a aac -f flv rtmp://host/app/key",
        "ffmpeg -f s16le -ar 16000 -i pipe:0 -c:a aac -f mpegts udp://10.0.0.1:1234",
        "ffmpeg -f mulaw -i - -f mp4 out.mp4",
        "ffmpeg -f jack -i capture out.mkv",
        "ffmpeg -i a.opus out.mkv",
        "ffmpeg -i a.m4a -c:v libx264 out.mkv",
        "ffmpeg -vn -i a.mkv out.mkv",
    ] {
        let found = read(line);
        assert_eq!(
            (found.codec(), found.codec_standard(), found.rendition_count()),
            (None, None, 0),
            "{line}"
        );
    }
}

#[test]
fn the_end_of_a_host_name_is_no_suffix() {
    let expected = expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"];
    check("ffmpeg -i http://radio.example.au -c:v libx264 o.mp4", &expected);
    check("ffmpeg -i http://radio.example.au/a.au -c:v libx264 o.mp4", &expect!["ffmpeg, 0 of 1"]);
}

#[test]
fn the_picture_comes_from_the_input_that_has_one() {
    check(
        "ffmpeg -f pulse -i default -f x11grab -s 1600x900 -i :0 -c:v h264_vaapi -b:v 3M -f flv rtmp://host/app/key",
        &expect!["ffmpeg, h264_vaapi, standard h264, by vaapi, size 1600x900, 3000000 bit/s, live, 1 of 1"],
    );
}

#[test]
fn live_inputs() {
    let is_live = |line: &str| read(line).is_live();
    for input in [
        "-i rtsps://camera:7441/x",
        "-i srt://:9000",
        "-i udp://239.0.0.1:5000",
        "-i rist://:8193",
        "-f alsa -i hw:0",
        "-f decklink -i 'DeckLink Mini'",
        "-re -i pipe:0",
        "-readrate 1.0 -i a.mp4",
        "-protocol_whitelist file,udp,rtp -f sdp -i cam.sdp",
        "-i async:rtmp://host/app",
    ] {
        assert!(is_live(&format!("ffmpeg {input} out.mp4")), "{input}");
    }
    for input in
        ["-i file:/rtsp/a.mp4", "-i ./udp", "-i rtmp.mp4", "-readrate 0 -i a.mp4", "-i concat:a.ts|b.ts"]
    {
        assert!(!is_live(&format!("ffmpeg {input} out.mp4")), "{input}");
    }
}

#[test]
fn pictures_have_the_encoder_of_their_suffix() {
    check(
        "ffmpeg -i a.mp4 -frames:v 1 -f image2 cover.png",
        &expect!["ffmpeg, png, standard png, by cpu, 1 of 1"],
    );
    check("ffmpeg -i a.mp4 -r 1 shots/%05d.tiff", &expect!["ffmpeg, tiff, standard tiff, by cpu, 1 of 1"]);
    check(
        "ffmpeg -i a.mp4 -frames:v 1 -c:v libwebp -quality 75 -compression_level 5 cover.webp",
        &expect!["ffmpeg, libwebp, standard webp, by cpu, 1 of 1"],
    );
    check("ffmpeg -i a.mp4 out.flac", &expect!["ffmpeg, png, standard png, by cpu, 1 of 1"]);
    check("ffmpeg -i a.mp4 out.mp3", &expect!["ffmpeg, 0 of 1"]);
    check(
        "ffmpeg -i a.mp4 -f segment -segment_time 6 part%03d.ts",
        &expect!["ffmpeg, mpeg2video, standard mpeg2, by cpu, 1 of 1"],
    );
}

#[test]
fn a_quality_that_wins_over_the_bitrate() {
    let bitrate = |options: &str| {
        let line = format!("ffmpeg -i a.mp4 {options} out.mkv");
        read(&line).bitrate().map(|bitrate| bitrate.0)
    };
    for (options, expected) in [
        ("-c:v libx264 -b:v 2M -crf 22", None),
        ("-c:v libx264 -b:v 2M -crf -1", Some(2_000_000)),
        ("-c:v libx264 -b:v 2M -q:v 3", Some(2_000_000)),
        ("-c:v libx265 -b:v 2M -x265-params crf=20", None),
        ("-c:v libx265 -b:v 2M -cq 20", Some(2_000_000)),
        ("-c:v hevc_nvenc -b:v 2M -cq 20", None),
        ("-c:v h264_qsv -b:v 2M -global_quality 24", None),
        ("-c:v h264_vaapi -b:v 2M -qp 24", None),
        ("-c:v libvpx-vp9 -b:v 2M -crf 31", Some(2_000_000)),
        ("-c:v mpeg4 -b:v 2M -qscale:v 4", None),
        ("-c:v libsvtav1 -b:v 2M -crf 35", None),
        ("-c:v libx264 -b:v 2.5e6", Some(2_500_000)),
    ] {
        assert_eq!(bitrate(options), expected, "{options}");
    }
}

#[test]
fn encoded_and_copied_streams_are_told_apart() {
    check(
        "ffmpeg -i rtsp://cam/1 -c:v libx264 -b:v 1M -f rtsp rtsp://out/1 -c copy -f segment rec%d.mp4",
        &expect![
            "ffmpeg, libx264, standard h264, by cpu, preset medium, 1000000 bit/s, live, 1 encoded, 1 copied, 2 of 2"
        ],
    );
    check(
        "ffmpeg -i rtsp://cam/1 -c copy rec.mkv -vf fps=5 -pix_fmt yuv420p -f rawvideo pipe:1",
        &expect!["ffmpeg, copy, standard copy, live, 0 encoded, 1 copied, 1 of 2"],
    );
    check(
        "ffmpeg -i a.mp4 -map 0:v -map 0:v -map 0:a -c:v:0 copy -c:v:1 libx264 -s:v:1 640x360 o.mkv",
        &expect![
            "ffmpeg, libx264, standard h264, by cpu, preset medium, size 640x360, 1 encoded, 1 copied, 2 of 1"
        ],
    );
}

#[test]
fn renditions_that_have_the_frames_of_the_progress() {
    let counted = |line: &str| {
        let count = read(line).frame_count()?;
        Some((count.renditions, count.stills, count.needs_every_frame))
    };
    let (one, two) = (Some((1, 0, false)), Some((2, 0, false)));
    let one_of_copy = Some((1, 0, true));
    for (line, expected) in [
        ("ffmpeg -i a.mp4 -c:v libx264 b.mp4", one),
        ("ffmpeg -i a.mp4 -r 10 -c:v libx264 b.mp4", one),
        ("ffmpeg -i a.mp4 -c:v libx264 b.mp4 -c copy c.mp4", one),
        ("ffmpeg -i a.mp4 -c copy c.mp4 -c:v libx264 b.mp4", one_of_copy),
        ("ffmpeg -i a.mp4 -c:v libx264 b.mp4 -s 640x360 -c:v libx264 c.mp4", two),
        ("ffmpeg -i a.mp4 -c copy c.mp4 -r 1 shot%d.jpg", None),
        ("ffmpeg -i a.mp4 -r 1 shot%d.jpg -c copy c.mp4", one),
        ("ffmpeg -i a.mp4 -c copy c.mp4 -vf fps=1/10 shot%d.jpg", None),
        ("ffmpeg -i a.mp4 -c:v libx264 b.mp4 -frames:v 1 cover.jpg", Some((1, 1, false))),
        ("ffmpeg -i a.mp4 -i b.mp4 -map 0:v -c:v libx264 c.mp4 -map 1:v -c:v libx264 d.mp4", None),
        (
            "ffmpeg -i a.mp4 -filter_complex [0:v]split[a][b] -map [a] -c:v libx264 b.mp4 -map [b] -c:v libx264 c.mp4",
            two,
        ),
        ("ffmpeg -i a.mp4 -filter_complex [0:v]fps=25,split[a][b] -map [a] b.mp4 -map [b] c.mp4", two),
        ("ffmpeg -i a.mp4 -filter_complex [0:v]split[a][x];[x]fps=10[b] -map [a] b.mp4 -map [b] c.mp4", None),
        ("ffmpeg -i a.mp4 -c copy b.mp4", None),
        ("ffmpeg -i a.mp4 -f rawvideo b.yuv -r 5 -c:v libx264 c.mp4", None),
        (
            "ffmpeg -i a.mp4 -c copy c.mp4 -vframes 1 -vf select=gt(scene\\,0.4) cover.jpg",
            Some((0, 1, false)),
        ),
        ("ffmpeg -i a.mp4 -frames:v 1 cover.jpg -c:v libx264 b.mp4", None),
        ("ffmpeg -i a.mp4 -frames:v 1 cover.jpg -c copy b.mp4", one),
        // A copy begins and ends at other packets.
        ("ffmpeg -ss 3 -i a.mp4 -c copy c.mp4 -c:v libx264 b.mp4", None),
        ("ffmpeg -i a.mp4 -t 3 -c copy c.mp4 -t 3 -c:v libx264 b.mp4", None),
        ("ffmpeg -sseof -3 -i a.mp4 -c:v libx264 b.mp4 -c copy c.mp4", one),
        ("ffmpeg -skip_frame nokey -i a.mp4 -c copy c.mp4 -c:v libx264 b.mp4", None),
        // Some formats have frames repeated.
        ("ffmpeg -i a.mp4 -c:v libx264 -f flv rtmp://host/a -c:v libx264 b.mp4", Some((2, 0, true))),
        ("ffmpeg -i a.mp4 -c:v libx264 b.mp4 -c:v libx264 -f hls c.m3u8", None),
        ("ffmpeg -i a.mp4 -fps_mode cfr -c:v libx264 b.mp4 -fps_mode cfr -c:v libx264 -f hls c.m3u8", two),
        ("ffmpeg -i a.mp4 -c copy c.mp4 shot%d.jpg", None),
        ("unknown a b c", one),
    ] {
        assert_eq!(counted(line), expected, "{line}");
    }
}

#[test]
fn a_program_of_any_name_is_ffmpeg_where_the_line_says_so() {
    let expected = expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"];
    check("worker -i a.mp4 -c:v libx264 b.mp4", &expected);
    check("/opt/x/ffmpeg-of-mine -i a.mp4 -c:v libx264 b.mp4", &expected);
    check("/bin/sh /usr/local/bin/ffmpeg -i a.mp4 -c:v libx264 b.mp4", &expect![", 0 of 0"]);
    check("docker exec box ffmpeg -i a.mp4 -c:v libx264 b.mp4", &expect![", 0 of 0"]);
    check("worker --port 80 a.mp4", &expect![", 0 of 0"]);
}

#[test]
fn a_target_sets_encoder_format_size_and_bitrate() {
    check(
        "ffmpeg -i in.avi -target pal-dvd out.mpg",
        &expect!["ffmpeg, mpeg2video, standard mpeg2, by cpu, size 720x576, 6000000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i in.avi -target ntsc-svcd out.mpg",
        &expect!["ffmpeg, mpeg2video, standard mpeg2, by cpu, size 480x480, 2040000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i in.avi -target film-vcd out.mpg",
        &expect!["ffmpeg, mpeg1video, standard mpeg1, by cpu, size 352x240, 1150000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i in.avi -target pal-dv50 out",
        &expect!["ffmpeg, dvvideo, standard dvvideo, by cpu, size 720x576, 1 of 1"],
    );
    check(
        "ffmpeg -i in.avi -vf scale=640:480 -target dvd -b:v 4M out.vob",
        &expect!["ffmpeg, mpeg2video, standard mpeg2, by cpu, 4000000 bit/s, 1 of 1"],
    );
}

#[test]
fn a_mode_of_constant_quality_has_no_bitrate() {
    for line in [
        "ffmpeg -i in.mp4 -c:v h264_nvenc -rc constqp -b:v 4M out.mp4",
        "ffmpeg -i in.mp4 -c:v hevc_vaapi -rc_mode CQP -b:v 4M out.mp4",
        "ffmpeg -i in.mp4 -c:v h264_amf -rc cqp -b:v 4M out.mp4",
        "ffmpeg -i in.mp4 -c:v h264_vaapi -rc_mode 1 -b:v 4M out.mp4",
        "gst-launch-1.0 filesrc ! x264enc pass=quant bitrate=4000 ! fakesink",
        "gst-launch-1.0 filesrc ! vah264enc rate-control=cqp bitrate=4000 ! fakesink",
        "gst-launch-1.0 filesrc ! nvh264enc rc-mode=constqp bitrate=4000 ! fakesink",
    ] {
        let found = read(line);
        assert_eq!((found.encoded_renditions(), found.bitrate()), (1, None), "{line}");
    }
    for line in [
        "ffmpeg -i in.mp4 -c:v h264_nvenc -rc vbr_minqp -b:v 4M out.mp4",
        "ffmpeg -i in.mp4 -c:v hevc_vaapi -rc_mode VBR -b:v 4M out.mp4",
        "ffmpeg -i in.mp4 -c:v libx264 -pass 1 -b:v 4M out.mp4",
        "gst-launch-1.0 filesrc ! x264enc pass=cbr bitrate=4000 ! fakesink",
    ] {
        let found = read(line);
        assert_eq!(found.bitrate(), Some(BitsPerSecond(4_000_000)), "{line}");
    }
}

#[test]
fn a_matroska_file_for_sound_gets_no_video() {
    check("ffmpeg -i in.mp4 out.mka", &expect!["ffmpeg, 0 of 1"]);
    check(
        "ffmpeg -i in.mp4 -f matroska out.mka",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
}
