//! Records the live page and `ffwatt top` beside encodes that begin and end, for `cargo xtask pictures --motion`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::agent::binary;
use crate::browser;
use crate::command::{output, pause};

/// Time between two screens of `top`, as `cargo xtask pictures` plays them.
const PAUSE: Duration = Duration::from_millis(500);

/// Size of the terminal.
const SIZE: [&str; 4] = ["-x", "112", "-y", "24"];

/// Keys for `top`, and how many screens are recorded before each.
const KEYS: [(usize, &str); 8] =
    [(8, "Down"), (2, "Down"), (2, "Enter"), (8, "Enter"), (2, "Tab"), (8, "?"), (6, "?"), (4, "q")];

/// A terminal, which ends with this value.
struct RecordedTerminal {
    socket: PathBuf,
}

impl RecordedTerminal {
    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).env("LANG", "C.UTF-8");
        command
    }

    fn open(folder: &Path, program: &str) -> anyhow::Result<Self> {
        let terminal = Self { socket: folder.join("tmux") };
        let begin = ["-f", "/dev/null", "new-session", "-d"];
        output(terminal.tmux().args(begin).args(SIZE).arg(program).env("TERM", "xterm-256color"))?;
        Ok(terminal)
    }

    fn press(&self, key: &str) -> anyhow::Result<()> {
        output(self.tmux().args(["send-keys", key])).map(drop)
    }

    /// The screen, with the codes of its colours.
    fn screen(&self) -> anyhow::Result<String> {
        output(self.tmux().args(["capture-pane", "-e", "-p"]))
    }
}

impl Drop for RecordedTerminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.tmux().arg("kill-server").output();
    }
}

/// Pictures of the page, and of `top`, into a folder of `target/page`. `act` begins and ends encodes, as the scene asks for.
pub fn record(port: u16, act: impl FnMut(&str)) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests are in the workspace")?;
    let folder = root.join("target/page/motion");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot empty the folder of the pictures")?;
    }
    fs::create_dir_all(&folder).context("cannot make the folder of the pictures")?;
    browser::play("motion.mjs", "page", port, act)?;
    let top = format!("{} top --url http://127.0.0.1:{port}", binary()?.display());
    let terminal = RecordedTerminal::open(&folder, &top)?;
    let mut place = 0;
    for (screens, key) in KEYS {
        for _ in 0..screens {
            pause(PAUSE);
            fs::write(folder.join(format!("{place:03}.screen")), terminal.screen()?)?;
            place += 1;
        }
        terminal.press(key)?;
    }
    drop(terminal);
    browser::play("motion.mjs", "terminal", port, |_| {})
}
