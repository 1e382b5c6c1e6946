//! Detects the area inside of the black bars of a video, with ffmpeg's filter cropdetect.

use std::path::Path;
use std::process::Command;

use crate::quality::QualityError;
use crate::quality::compare::Task;
use crate::quality::geometry::Area;
use crate::quality::process::run;

/// The area of all pictures together that is not black; `None` for a video that is black, or without bars to detect.
pub(super) fn inside(task: &Task<'_>, path: &Path) -> Result<Option<Area>, QualityError> {
    let mut command = Command::new(&task.tools.ffmpeg);
    // A fifth of the frames is sufficient: bars do not move.
    let filters = "select='not(mod(n,5))',cropdetect=round=2:reset=0,metadata=mode=print:file=-";
    command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-i"]).arg(path);
    command.args(["-map", "0:V:0", "-vf", filters, "-f", "null", "-"]);
    let printed = run(&mut command, path, &task.attempt, |_| {})?;
    Ok(last_area(&printed.output))
}

/// Reads `lavfi.cropdetect.w=320` and the like; later pictures can only enlarge the area.
fn last_area(printed: &str) -> Option<Area> {
    let last = |name: &str| -> Option<u64> {
        let mut lines =
            printed.lines().filter_map(|line| line.strip_prefix("lavfi.cropdetect.")?.strip_prefix(name));
        lines.next_back()?.parse().ok()
    };
    let area = Area { width: last("w=")?, height: last("h=")?, left: last("x=")?, top: last("y=")? };
    (area.width > 0 && area.height > 0).then_some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_area_counts() {
        let printed = "frame:2 pts:10 pts_time:0.4\nlavfi.cropdetect.x1=0\nlavfi.cropdetect.w=300\nlavfi.cropdetect.h=100\n\
            lavfi.cropdetect.x=10\nlavfi.cropdetect.y=30\nframe:3 pts:15 pts_time:0.6\nlavfi.cropdetect.w=320\n\
            lavfi.cropdetect.h=134\nlavfi.cropdetect.x=0\nlavfi.cropdetect.y=22\n";
        assert_eq!(last_area(printed), Some(Area { width: 320, height: 134, left: 0, top: 22 }));
        assert_eq!(last_area("lavfi.cropdetect.w=-16\nlavfi.cropdetect.h=2\n"), None, "all of it is black");
        assert_eq!(last_area(""), None);
    }
}
