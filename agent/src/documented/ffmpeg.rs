//! Writes the page about encoders from the tables of agent-core: programs, fields, encoders, options of ffmpeg.

use std::fmt::Write;

use agent_core::ffmpeg::command_line::encoder::rows::{NATIVE, PRESETS, ROWS, Row, Speed, Unit};
use agent_core::ffmpeg::command_line::program::{Grammar, PROGRAMS};
use agent_core::ffmpeg::table;

/// Fields, where each comes from, and when it is absent.
const FIELDS: [[&str; 3]; 11] = [
    [
        "`program`",
        "The name of the executed file, where the table of programs or `cpu.tracked` has it; a version after `ffmpeg`; else the name of the grammar",
        "The program is in neither, and the line is not one of ffmpeg",
    ],
    [
        "`codec`",
        "The encoder that the command line names, or that ffmpeg takes for the named standard or for the format; `copy` where nothing is encoded",
        "No table has the encoder; `-c:v av1` (the encoder depends on the build); no video",
    ],
    ["`codec_standard`", "The table of encoders", "No table has the encoder; no video"],
    ["`hardware`", "The table of encoders", "As `codec_standard`; nothing is encoded"],
    [
        "`preset`",
        "`-preset`, the encoder's own options of speed, or its documented default",
        "The value is neither a word of the table nor a number",
    ],
    [
        "`resolution`",
        "`-s`, filters, the size of the input where the command line states it",
        "The size depends on the input, or a filter is unknown",
    ],
    [
        "`bitrate_bps`",
        "`-b:v` and parameters of the library, summed over the renditions",
        "A rendition has constant quality (`-crf`, `-qp`, `-cq`, …, as the encoder has it) or no stated bitrate",
    ],
    [
        "`outputs`",
        "Files, streams and pipes; each output of `tee` and each variant of `-var_stream_map`",
        "Never",
    ],
    [
        "`renditions`",
        "Video streams of all outputs: `encoded_renditions` + `copied_streams`",
        "Never. Selections by number, PID or metadata do not say the kind of a stream: an output that names a video encoder has one video among them",
    ],
    [
        "frames",
        "The frames of ffmpeg's progress, once for each encoded rendition that takes the same pictures as the first video stream",
        "No progress; nothing is encoded; a rendition has another `-r`, `-frames`, `-t`, `-ss`, input, or a filter that changes the rate; \
         the first output is a copy and options select a part of the input; formats differ and frames are repeated or dropped. \
         An output of pictures is counted where it is the first output, and `-frames:v 1` is one frame",
    ],
    [
        "live",
        "`-re`, `-readrate`, devices, RTMP, RTSP, SRT, RIST, RTP, UDP and similar addresses",
        "Never; HTTP is taken for a file",
    ],
];

/// The page, without its head.
pub(super) fn text() -> String {
    let mut text = String::from(
        "\nffwatt reads the command line of an encoder once, when the program starts. It takes codec, preset, size, bitrate and number of renditions \
         from there. What the command line does not say is absent, never guessed.\n\n\
         A command line may have keys and passwords. Therefore a label has only words of the tables on this page, and numbers. Any other word is read \
         as unknown.\n\n## Programs\n\n\
         Programs of these names are transcodes without any configuration; `*` stands for any text, and the kernel keeps 15 bytes of a name. \
         `cpu.tracked` adds names.\n\n| program | command line |\n|---|---|\n",
    );
    for (name, grammar) in PROGRAMS {
        let grammar = match grammar {
            Grammar::Ffmpeg => "options and files of ffmpeg",
            Grammar::Gstreamer => "pipeline of GStreamer",
            Grammar::HandBrake => "options of HandBrakeCLI",
            Grammar::Encoder => "options of the encoder",
        };
        let _ = writeln!(text, "| `{name}` | {grammar} |");
    }
    text.push_str(
        "\nThe line decides whether it is one of ffmpeg: a tracked program of another name with `-i` and a value is read as ffmpeg. Shells, `env`, `nice`, `docker` \
         and other programs that run a program are not read.\n\n\
         A script under the name of an encoder is no transcode: the encoder that it runs is one, and so is a program that it execs. \
         The same holds for a tracked process of which another one descends that has the same arguments. The CPU time of such a wrapper stays with its workload. \
         A script that `cpu.tracked` names is a transcode, because it may encode by itself.\n\n\
         Some services have the encoder inside their own process: OBS, OvenMediaEngine, LiveKit egress, Ant Media Server, Wowza Streaming Engine. Their energy is that of \
         their container or unit. Their name in `cpu.tracked` makes each run of the service one transcode, with energy and CPU time, and without codec, preset and size.\n\n\
         ## What is read\n\n| field | source | absent when |\n|---|---|---|\n",
    );
    for [field, source, absent] in FIELDS {
        let _ = writeln!(text, "| {field} | {source} | {absent} |");
    }
    add_encoders(&mut text);
    add_options(&mut text);
    text
}

fn add_encoders(text: &mut String) {
    text.push_str(
        "\n## Encoders\n\n`*` stands for the standard. *Speed* has the options that are read besides `-preset`; *quality* has the options with which `-b:v` is \
         no target.\n\n| encoder | standard | vendor | hardware | bitrate in | speed | quality |\n|---|---|---|---|---|---|---|\n",
    );
    for row in ROWS.iter().chain(std::iter::once(&NATIVE)) {
        let _ = writeln!(text, "{}", line(row));
    }
    let names: Vec<String> = table::encoder_names().map(|name| format!("`{name}`")).collect();
    let presets: Vec<String> = PRESETS.iter().map(|preset| format!("`{preset}`")).collect();
    let _ = write!(
        text,
        "\nVideo encoders of ffmpeg {}: {}.\n\nPresets that a label may have: {}, and numbers from -99 to 999.\n",
        table::versions(),
        names.join(", "),
        presets.join(", ")
    );
}

fn line(row: &Row) -> String {
    let unit = match row.unit {
        Unit::Bits => "bit/s",
        Unit::Kilobits => "kbit/s",
        Unit::Unclear => "bit/s; absent below 200000, which may be kbit/s",
    };
    let speed = row.speed.iter().map(|speed| match speed {
        Speed::Number(option) | Speed::Word(option) => format!("`{option}`"),
    });
    let speed: Vec<String> = speed.collect();
    let quality: Vec<String> = row.quality.iter().map(|option| format!("`{option}`")).collect();
    format!(
        "| `{}` | {} | {} | {} | {unit} | {} | {} |",
        row.name,
        row.standard,
        row.vendor,
        row.hardware,
        speed.join(", "),
        quality.join(", ")
    )
}

fn add_options(text: &mut String) {
    let _ = write!(
        text,
        "\n## Options of ffmpeg\n\nThe options of the program in ffmpeg {}, as the versions themselves say: the scope, and whether the next word is the value. Options of libraries \
         (codecs, formats, protocols) are not listed; they always have a value. An option with a value in some versions only has one where the next word is a number. \
         `cargo xtask ffmpeg-tables` writes these tables.\n\n| option | scope, form, versions |\n|---|---|\n",
        table::versions()
    );
    for (option, cells) in table::option_rows() {
        let cells = cells.replace(' ', "; ").replace(':', " ").replace('@', ": ").replace(',', ", ");
        let _ = writeln!(text, "| `-{option}` | {cells} |");
    }
}
