//! Tests of command lines of ffmpeg and `GStreamer`: renditions, encoders, sizes, bitrates and live inputs.

mod kinds;
mod other_programs;
mod secrets;
mod sizes;

use expect_test::{Expect, expect};

use super::*;

/// Compares all known figures of a command line with the expected ones. Words are split at spaces; `'…'` keeps them together.
fn check(line: &str, expected: &Expect) {
    let found = read(line);
    let mut parts = vec![found.program.clone()];
    let facts = [
        ("", found.codec()),
        ("standard ", found.codec_standard()),
        ("by ", found.hardware()),
        ("preset ", found.preset()),
        ("size ", found.resolution()),
        ("", found.bitrate().map(|bitrate| format!("{} bit/s", bitrate.0))),
    ];
    parts.extend(facts.into_iter().filter_map(|(what, fact)| Some(format!("{what}{}", fact?))));
    if found.is_live() {
        parts.push("live".to_owned());
    }
    if found.encoded_renditions() != found.rendition_count() {
        parts.push(format!("{} encoded, {} copied", found.encoded_renditions(), found.copied_streams()));
    }
    parts.push(format!("{} of {}", found.rendition_count(), found.output_count()));
    expected.assert_eq(&parts.join(", "));
}

/// Reads a command line that [`words`] splits.
fn read(line: &str) -> CommandLine {
    parse(words(line).join("\0").as_bytes(), &[])
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn inputs_that_come_at_their_own_pace() {
    let is_live = |line: &str| read(line).is_live();
    for line in [
        "ffmpeg -re -i in.mp4 out.mp4",
        "ffmpeg -readrate 1 -i in.mp4 out.mp4",
        "ffmpeg -i in.mp4 -i RTMP://host/app/key out.mp4",
        "ffmpeg -i srt://:9000?mode=listener out.mp4",
        "ffmpeg -f v4l2 -i /dev/video0 out.mp4",
        "ffmpeg -re -f lavfi -i testsrc2 -f null -",
    ] {
        assert!(is_live(line), "{line}");
    }
    for line in [
        "ffmpeg -i in.mp4 -f flv rtmp://host/app/key",
        "ffmpeg -i https://host/film.mp4 out.mp4",
        "ffmpeg -f lavfi -i testsrc2 -f null -",
        "gst-launch-1.0 videotestsrc ! fakesink",
        "",
    ] {
        assert!(!is_live(line), "{line}");
    }
}

#[test]
fn one_output() {
    check(
        "ffmpeg -y -i in.mp4 -c:v libx264 -preset fast -b:v 2500k -s 1280x720 -c:a aac out.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset fast, size 1280x720, 2500000 bit/s, 1 of 1"],
    );
    check(
        "/usr/lib/jellyfin-ffmpeg/ffmpeg -hide_banner -i x.mkv -codec:v:0 libx265 -crf 28 x.mp4",
        &expect!["ffmpeg, libx265, standard hevc, by cpu, preset medium, 1 of 1"],
    );
    check(
        "ffmpeg -i in.y4m -c:v libxavs2 -speed_level 3 -b:v 4M out.avs2",
        &expect!["ffmpeg, libxavs2, standard avs2, by cpu, 4000000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg-7.1 -re -f lavfi -i testsrc2=size=640x360:rate=30 -t 10 -c:v libx264 -preset ultrafast -f null -",
        &expect!["ffmpeg-7.1, libx264, standard h264, by cpu, preset ultrafast, size 640x360, live, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -vcodec libx264 -vb 5M -vf scale=-2:720 out.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 720p, 5000000 bit/s, 1 of 1"],
    );
    // x264 and x265 have numbers for their presets.
    check(
        "ffmpeg -i in.mp4 -c:v libx265 -preset 0 -crf 28 out.mp4",
        &expect!["ffmpeg, libx265, standard hevc, by cpu, preset ultrafast, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v libsvtav1 -preset 8 -crf 35 -svtav1-params tune=0 out.mkv",
        &expect!["ffmpeg, libsvtav1, standard av1, by cpu, preset 8, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v libsvtav1 -svtav1-params preset=5:tbr=1800 out.mkv",
        &expect!["ffmpeg, libsvtav1, standard av1, by cpu, preset 5, 1800000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v libvpx-vp9 -b:v 0 -crf 30 -cpu-used 4 -row-mt 1 out.webm",
        &expect!["ffmpeg, libvpx-vp9, standard vp9, by cpu, preset cpu-used=4, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v libvpx -deadline realtime -b:v 1M out.webm",
        &expect!["ffmpeg, libvpx, standard vp8, by cpu, preset realtime, 1000000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v libaom-av1 -cpu-used 6 -crf 30 -b:v 0 out.mp4",
        &expect!["ffmpeg, libaom-av1, standard av1, by cpu, preset cpu-used=6, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v librav1e -speed 8 -b:v 2Mi out.mp4",
        &expect!["ffmpeg, librav1e, standard av1, by cpu, preset speed=8, 2097152 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i a.y4m -c:v libx264 -x264-params bitrate=2500:vbv-maxrate=2500 out.264",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 2500000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mov -c:v prores_ks -profile:v 3 out.mov",
        &expect!["ffmpeg, prores_ks, standard prores, by cpu, 1 of 1"],
    );
    check("ffmpeg -i a.mov -c:v libfuture -b:v 1M out.mp4", &expect!["ffmpeg, 1 of 1"]);
}

#[test]
fn in_hardware() {
    check(
        "ffmpeg -hwaccel cuda -hwaccel_output_format cuda -i a.mp4 -vf scale_cuda=1280:720 -c:v h264_nvenc -preset p4 -tune ll -b:v 3M out.mp4",
        &expect![
            "ffmpeg, h264_nvenc, standard h264, by nvenc, preset p4, size 1280x720, 3000000 bit/s, 1 of 1"
        ],
    );
    check(
        "ffmpeg -hwaccel qsv -c:v h264_qsv -i a.mp4 -vf vpp_qsv=w=1920:h=1080 -c:v hevc_qsv -preset veryfast -global_quality 25 out.mp4",
        &expect!["ffmpeg, hevc_qsv, standard hevc, by qsv, preset veryfast, size 1920x1080, 1 of 1"],
    );
    check(
        "ffmpeg -vaapi_device /dev/dri/renderD128 -i a.mp4 -vf 'format=nv12,hwupload,scale_vaapi=w=1280:h=720' -c:v h264_vaapi -compression_level 4 -qp 24 out.mp4",
        &expect![
            "ffmpeg, h264_vaapi, standard h264, by vaapi, preset compression_level=4, size 1280x720, 1 of 1"
        ],
    );
    check(
        "ffmpeg -i a.mp4 -c:v av1_amf -quality balanced -b:v 4M out.mp4",
        &expect!["ffmpeg, av1_amf, standard av1, by amf, preset balanced, 4000000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v hevc_videotoolbox -b:v 6000k out.mp4",
        &expect!["ffmpeg, hevc_videotoolbox, standard hevc, by videotoolbox, 6000000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v h264_v4l2m2m -b:v 2M out.mp4",
        &expect!["ffmpeg, h264_v4l2m2m, standard h264, by v4l2m2m, 2000000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -c:v av1_vulkan out.mkv -c:v nvenc_hevc b.mkv",
        &expect!["ffmpeg, av1_vulkan+nvenc_hevc, standard av1+hevc, by vulkan+nvenc, 2 of 2"],
    );
}

#[test]
fn several_outputs() {
    check(
        "ffmpeg -i in.mp4 -s 1920x1080 -c:v libx264 -preset fast -b:v 5M hi.mp4 -s hd720 -c:v libx264 -preset veryfast -b:v 2500k lo.mp4",
        &expect![
            "ffmpeg, libx264, standard h264, by cpu, preset fast+veryfast, size 1920x1080+1280x720, 7500000 bit/s, 2 of 2"
        ],
    );
    check(
        "ffmpeg -i in.mp4 -c:v libx264 -b:v 2M a.mp4 -c:v libx265 -crf 28 b.mp4 -c copy c.mkv",
        &expect![
            "ffmpeg, libx264+libx265, standard h264+hevc, by cpu, preset medium, 2 encoded, 1 copied, 3 of 3"
        ],
    );
    check(
        "ffmpeg -i in.mp4 -map 0:v -map 0:v -map 0:a -c:v:0 libx264 -b:v:0 4M -s:v:0 1280x720 -c:v:1 libx265 -b:v:1 1M -s:v:1 640x360 -c:a copy out.mkv",
        &expect![
            "ffmpeg, libx264+libx265, standard h264+hevc, by cpu, preset medium, size 1280x720+640x360, 5000000 bit/s, 2 of 1"
        ],
    );
    check(
        "ffmpeg -i in.mp4 -map 0:v -map 0:a -c:0 libx264 -c:1 aac out.mkv",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
    check(
        "ffmpeg -i in.mp4 -map 0 -map -0:a -c:v libx264 out.mkv",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
    check(
        "ffmpeg -i in.mp4 -map 0:v -map 0:a -c:v libx264 -b:v 2M -c:a aac -f tee '[f=mpegts]udp://10.0.0.1:1234|[f=flv]rtmp://live/key|archive.mkv'",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 2000000 bit/s, 1 of 3"],
    );
}

#[test]
fn nothing_is_encoded() {
    check(
        "ffmpeg -i in.mp4 -c copy out.mkv",
        &expect!["ffmpeg, copy, standard copy, 0 encoded, 1 copied, 1 of 1"],
    );
    check(
        "ffmpeg -i in.mp4 -c:v copy -c:a aac -f flv rtmp://host/live/secret",
        &expect!["ffmpeg, copy, standard copy, 0 encoded, 1 copied, 1 of 1"],
    );
    check("ffmpeg -i in.mp4 -vn -c:a libmp3lame out.mp3", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -i in.mp4 out.wav", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -i in.flac -b:a 128k out.m4a", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -i in.mp3 -c:v libx264 out.mkv", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -f lavfi -i sine=f=440 -t 1 out.mkv", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -i in.mp4 -f null -", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -i in.mp4 -map 0:a -c:a aac out.mp4", &expect!["ffmpeg, 0 of 1"]);
    check("ffmpeg -i in.mp4", &expect!["ffmpeg, 0 of 0"]);
    check("ffmpeg -version", &expect!["ffmpeg, 0 of 0"]);
    check("ffmpeg -h full", &expect!["ffmpeg, 0 of 0"]);
    check("ffprobe -v error in.mp4", &expect![", 0 of 0"]);
    check("", &expect![", 0 of 0"]);
}

#[test]
fn defaults() {
    check(
        "ffmpeg -i in.avi out.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
    check("ffmpeg -i in.avi out.webm", &expect!["ffmpeg, libvpx-vp9, standard vp9, by cpu, 1 of 1"]);
    check(
        "ffmpeg -i in.avi -f flv rtmp://host/app/key",
        &expect!["ffmpeg, flv, standard flv1, by cpu, 1 of 1"],
    );
    check(
        "ffmpeg -i in.avi -f mpegts udp://host:1",
        &expect!["ffmpeg, mpeg2video, standard mpeg2, by cpu, 1 of 1"],
    );
    check("ffmpeg -i in.avi out.strange", &expect!["ffmpeg, 1 of 1"]);
    check(
        "ffmpeg -i in.avi -c:v h264 out.mkv",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
    check(
        "ffmpeg -i in.avi -c:v libx264 -c:v libx265 out.mkv",
        &expect!["ffmpeg, libx265, standard hevc, by cpu, preset medium, 1 of 1"],
    );
}

#[test]
fn options_that_are_no_files() {
    check(
        "ffmpeg -nostdin -loglevel error -progress http://127.0.0.1:9510/progress/1 -stats_period 1 -i a.mp4 -shortest -c:v libx264 -movflags +faststart -metadata title=out.mp4 -maxrate 3M -bufsize 6M out.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
    check(
        "ffmpeg -y -i a.mp4 -c:v libx264 -b:v 2M -pass 1 -an -f null /dev/null",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 2000000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -i - -c:v libx264 -f mpegts -",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
    check("ffmpeg -i a.mp4 -c:v", &expect!["ffmpeg, 0 of 0"]);
}

#[test]
fn labels_are_cut_and_printable() {
    let output = |number: u32| format!("-s {}x100 -c:v libx264 {number}.mp4", number + 100);
    let outputs: Vec<String> = (0..50).map(output).collect();
    let found = read(&format!("ffmpeg -i a.mp4 {}", outputs.join(" ")));
    let size = found.resolution().unwrap();
    assert_eq!((size.chars().count(), size.ends_with('…')), (64, true), "{size}");
    assert_eq!((found.output_count(), found.rendition_count()), (50, 50));
    let found = parse(b"ffmpeg\0-i\0a\0-c:v\0lib\nx\x1b264\xff\0o.mp4\0", &[]);
    assert_eq!((found.codec(), found.encoded_renditions()), (None, 1));
    let found = parse(b"/opt/my\nencoder\0-x\0", &["my\nencoder".to_owned()]);
    assert_eq!(found.program, "my?encoder");
}

#[test]
fn a_command_line_of_two_mebibytes_is_read_to_its_end() {
    // Each word is looked up in tables of hundreds of options, which takes Miri a tenth of a second.
    let many = |usual| if cfg!(miri) { 10 } else { usual };
    let words = vec!["-c:a:77 x -c:v libx264 -b:v 1k o.mp4"; many(50_000)].join(" ");
    let found = parse(words_of(&format!("ffmpeg -i a.mp4 {words} -s 640x360 -f null -")).as_slice(), &[]);
    assert_eq!((found.output_count(), found.codec().as_deref()), (many(50_000) + 1, Some("libx264")));
    let options = vec!["-map 0:v -metadata a=b"; many(80_000)].join(" ");
    let chain = vec!["null"; many(40_000)].join(",");
    let line = format!("ffmpeg -i a.mp4 {options} -vf {chain} -c:v libx265 -preset slow o.mp4");
    let found = parse(words_of(&line).as_slice(), &[]);
    assert_eq!((found.preset().as_deref(), found.resolution()), (Some("slow"), None));
}

fn words_of(line: &str) -> Vec<u8> {
    line.replace(' ', "\0").into_bytes()
}
