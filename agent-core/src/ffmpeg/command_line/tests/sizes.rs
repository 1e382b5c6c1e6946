//! Tests sizes of renditions: by filters, options and inputs.

use expect_test::{Expect, expect};

use super::check;

#[test]
fn ladders() {
    check(
        "ffmpeg -i in.mp4 -filter_complex '[0:v]split=3[a][b][c];[a]scale=1920:1080[v1];[b]scale=w=1280:h=720[v2];[c]scale=640x360[v3]' \
         -map [v1] -c:v:0 libx264 -b:v:0 5M -map [v2] -c:v:1 libx264 -b:v:1 2.5M -map [v3] -c:v:2 libx264 -b:v:2 800k \
         -map a:0 -preset veryfast -f hls -var_stream_map 'v:0 v:1 v:2' out_%v.m3u8",
        &expect![
            "ffmpeg, libx264, standard h264, by cpu, preset veryfast, size 1920x1080+1280x720+640x360, 8300000 bit/s, 3 of 3"
        ],
    );
    check(
        "ffmpeg -i in.mp4 -filter_complex '[0:v]split=2[x][y]; [x]scale=-2:720[o1]; [y]scale=-2:480[o2]' -map [o1] -c:v libx264 a.mp4 -map [o2] -c:v libx264 b.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 720p+480p, 2 of 2"],
    );
    check(
        "ffmpeg -f lavfi -i testsrc2=s=hd1080 -filter_complex 'split[a][b],[a]scale=-2:720[o1],[b]scale=iw/4:-2[o2]' -map [o1] -map [o2] -c:v libx264 x.mkv",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 1280x720+480x270, 2 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -i logo.png -filter_complex 'overlay=10:10,scale=1280:720' -c:v libx264 -c:a copy out.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 1280x720, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -i b.mp4 -filter_complex '[0:v][0:a][1:v][1:a]concat=n=2:v=1:a=1[v][a]' -map [v] -map [a] -c:v libx264 out.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, 1 of 1"],
    );
    check(
        "ffmpeg -i a.mp4 -filter_complex '[o]scale=640:360[small];[0:v]null[o];[0:a]volume=2[loud]' -map [small] -map [loud] -c:v libx264 out.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 640x360, 1 of 1"],
    );
}

#[test]
fn sizes() {
    let size = |filter: &str, expected: &Expect| {
        check(
            &format!("ffmpeg -f lavfi -i color=c=black:s=1920x1080 -vf '{filter}' -c:v libx264 o.mp4"),
            expected,
        );
    };
    size(
        "scale=-1:480",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 853x480, 1 of 1"],
    );
    size(
        "scale=-2:480",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 854x480, 1 of 1"],
    );
    size(
        "scale=-16:480",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 848x480, 1 of 1"],
    );
    size(
        "scale=trunc(oh*a/2)*2:480",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 852x480, 1 of 1"],
    );
    size(
        r"scale=min(1280\,iw):-2",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 1280x720, 1 of 1"],
    );
    size(
        "scale=0:540",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 1920x540, 1 of 1"],
    );
    size(
        "scale=s=hd480",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 852x480, 1 of 1"],
    );
    size(
        "crop=1080:1080,scale=540:-1",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 540x540, 1 of 1"],
    );
    size(
        "transpose=1",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 1080x1920, 1 of 1"],
    );
    size(
        "scale=1280:1280:force_original_aspect_ratio=decrease",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 1280x720, 1 of 1"],
    );
    size(
        "scale=640:640:force_original_aspect_ratio=decrease,pad=640:640:(ow-iw)/2:(oh-ih)/2",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 640x640, 1 of 1"],
    );
    size(
        "fps=25,drawtext=text=a\\:b:x=1,format=yuv420p",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 1920x1080, 1 of 1"],
    );
    // Not a whole number: the last digit of a hypotenuse differs by platform, and ffmpeg cuts what is beyond the point.
    size(
        r"scale=hypot(300\,401):480",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 500x480, 1 of 1"],
    );
    size(
        "scale=random(0):480",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 480p, 1 of 1"],
    );
    check(
        "ffmpeg -f rawvideo -s 352x288 -pix_fmt yuv420p -r 30 -i in.yuv -c:v libx264 o.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 352x288, 1 of 1"],
    );
    check(
        "ffmpeg -f x11grab -video_size vga -i :0.0 -c:v libx264 o.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 640x480, live, 1 of 1"],
    );
    // NVIDIA's decoders resize.
    check(
        "ffmpeg -hwaccel cuvid -c:v h264_cuvid -resize 1280x720 -i in.mkv -c:v h264_nvenc -b:v 3M o.mp4",
        &expect!["ffmpeg, h264_nvenc, standard h264, by nvenc, size 1280x720, 3000000 bit/s, 1 of 1"],
    );
    check(
        "ffmpeg -f lavfi -i smptebars -vf scale=1280:720 -s 640x360 -c:v libx264 o.mp4",
        &expect!["ffmpeg, libx264, standard h264, by cpu, preset medium, size 640x360, 1 of 1"],
    );
}
