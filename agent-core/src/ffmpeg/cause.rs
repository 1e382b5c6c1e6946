//! Finds the cause of a failure in the output of ffmpeg.

/// Words of lines that only repeat that something failed.
const CONSEQUENCES: [&str; 15] = [
    "Conversion failed",
    "Error opening input",
    "Error opening output",
    "Error opening filters",
    "Error initializing complex filters",
    "Error initializing filters",
    "Error reinitializing filters",
    "Failed to inject frame",
    "Error while processing the decoded data",
    "Nothing was written into output",
    "Task finished with error",
    "Terminating thread with return code",
    "Invalid data found when processing input",
    "Error parsing global options",
    "misdetection possible",
];

/// The first line that names a cause, without the address of the part that wrote the line; else the first line.
pub fn cause(lines: &[String]) -> Option<String> {
    let lines: Vec<&str> = lines.iter().map(|line| plain(line)).filter(|line| !line.is_empty()).collect();
    let is_cause = |line: &&&str| !CONSEQUENCES.iter().any(|words| line.contains(words));
    lines.iter().find(is_cause).or(lines.first()).map(|line| (*line).to_owned())
}

/// Whether ffmpeg marks a line as an error, at the log level `level+info`.
pub fn is_error(line: &str) -> bool {
    ["[error] ", "[fatal] ", "[panic] "].iter().any(|mark| line.contains(mark))
}

/// `[mov,mp4 @ 0x55d0] [error] moov atom not found` without the brackets.
fn plain(line: &str) -> &str {
    let mut rest = line.trim();
    while let Some((bracket, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        let is_level = matches!(bracket, "error" | "fatal" | "panic");
        if !is_level && !bracket.contains(" @ ") {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Option<String> {
        cause(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_first_line_with_a_reason_is_the_cause() {
        let lines = [
            "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x5581] [error] moov atom not found",
            "[error] cut.mp4: Invalid data found when processing input",
        ];
        assert_eq!(of(&lines).as_deref(), Some("moov atom not found"));
        assert_eq!(of(&lines[1..]).as_deref(), Some("cut.mp4: Invalid data found when processing input"));
        let lines = ["[fatal] Error opening filters!", "[libvmaf @ 0x1] [error] no such model: x"];
        assert_eq!(of(&lines).as_deref(), Some("no such model: x"));
        assert_eq!(of(&["", " "]), None);
    }

    #[test]
    fn errors_are_told_from_information() {
        assert!(is_error("[h264 @ 0x1] [error] no frame") && !is_error("[info] title: [error]"));
    }
}
