//! Tests of `ffwatt top`: keys and answers in, screens out.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::state::State;
use super::*;
use crate::api::snapshot::{Host, Part};
use crate::api::transcode::{EncodeSettings, Figures, ReportedProgress};
use crate::api::{Notice, Prices, Transcode, Workload};

mod every_field;
mod help_screen;
mod json;
mod narrow;

fn transcode(name: &str, codec: &str, watts: f64, per_frame: Option<f64>) -> Transcode {
    Transcode {
        transcode: format!("{name}-1"),
        workload: name.to_owned(),
        is_running: true,
        asked: EncodeSettings { codec: Some(codec.to_owned()), ..EncodeSettings::default() },
        told: ReportedProgress { speed_ratio: per_frame.map(|_| 1.0), ..ReportedProgress::default() },
        figures: Figures {
            power_watts: Some(watts),
            energy_joules: Some(watts * 10.0),
            joules_per_frame: per_frame,
            ..Figures::default()
        },
        ..Transcode::default()
    }
}

fn answer(tick: u64) -> Answer {
    let workload = |name: &str, watts: f64| Workload {
        workload: name.to_owned(),
        kind: "docker".to_owned(),
        is_running: true,
        power_watts: Some(watts),
        ..Workload::default()
    };
    Answer {
        tick,
        tick_seconds: 1.0,
        host: Host { cpus: 2, power_watts: Some(7.5), ..Host::default() },
        split: vec![Part { part: "containers".to_owned(), power_watts: 6.0 }],
        prices: Prices { currency: "USD".to_owned(), ..Prices::default() },
        notices: vec![Notice { text: "Energy is estimated".to_owned(), ..Notice::default() }],
        workloads: Some(vec![workload("box-a", 1.0), workload("box-b", 2.0)]),
        transcodes: Some(vec![
            transcode("live-a", "libx264", 1.0, Some(0.008)),
            transcode("live-b", "libx265", 3.0, Some(0.013)),
            transcode("live-c\u{1b}[2J", "libsvtav1", 2.0, None),
        ]),
        ..Answer::default()
    }
}

fn state() -> State {
    let mut state = State::new("http://host:9510".to_owned(), String::new());
    state.answered(Ok(answer(1)));
    state
}

fn press(state: &mut State, keys: &str) {
    for character in keys.chars() {
        let code = match character {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            character => KeyCode::Char(character),
        };
        assert_eq!(state.press(KeyEvent::new(code, KeyModifiers::NONE)), Step::GoOn);
    }
}

/// The screen, line by line.
fn screen(state: &State) -> Vec<String> {
    screen_of(state, 170)
}

fn screen_of(state: &State, width: u16) -> Vec<String> {
    screen_of_size(state, width, 30)
}

fn screen_of_size(state: &State, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..buffer.area.height).map(|y| line(y).trim_end().to_owned()).collect()
}

/// The first words of the table's lines.
fn names(state: &State) -> Vec<String> {
    let screen = screen(state);
    let first =
        screen.iter().position(|line| line.starts_with("CONTAINER") || line.starts_with("NAME")).unwrap() + 1;
    let lines = screen[first..].iter().take_while(|line| !line.is_empty() && !line.starts_with('─'));
    lines.map(|line| line.split_whitespace().next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_largest_is_first_and_keys_sort_otherwise() {
    let mut state = state();
    assert_eq!(names(&state), ["live-b", "live-c?[2J", "live-a"]);
    press(&mut state, "r");
    assert_eq!(names(&state), ["live-a", "live-c?[2J", "live-b"]);
    press(&mut state, "sss");
    assert!(screen(&state).iter().any(|line| line.contains("J/FRAME↓")));
    assert_eq!(names(&state), ["live-b", "live-a", "live-c?[2J"], "what is not known is last");
    press(&mut state, "\t");
    assert_eq!(names(&state), ["box-b", "box-a"]);
}

#[test]
fn a_filter_is_typed_and_taken_away() {
    let mut state = state();
    press(&mut state, "/x26");
    assert!(screen(&state).last().unwrap().contains("filter: x26"));
    assert_eq!(names(&state), ["live-b", "live-a"]);
    press(&mut state, "5\n");
    assert_eq!(names(&state), ["live-b"]);
    state.press(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    assert_eq!(names(&state).len(), 3);
    assert_eq!(state.press(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)), Step::End);
}

#[test]
fn while_paused_nothing_moves() {
    let mut state = state();
    press(&mut state, "p");
    state.answered(Ok(answer(2)));
    assert!(screen(&state)[0].contains("tick 1   paused"), "{}", screen(&state)[0]);
    press(&mut state, "p");
    state.answered(Ok(answer(3)));
    assert!(screen(&state)[0].contains("tick 3"));
}

#[test]
fn the_chosen_one_stays_chosen_and_has_its_detail() {
    let mut state = state();
    press(&mut state, "jj\n");
    let detail = |state: &State| screen(state).into_iter().find(|line| line.starts_with(" encode")).unwrap();
    assert!(detail(&state).contains("libx264 in live-a"), "{}", detail(&state));
    press(&mut state, "r");
    assert!(detail(&state).contains("libx264 in live-a"), "wherever it is now");
    assert!(screen(&state).iter().any(|line| line.contains("8.00 mJ per frame")));
}

#[test]
fn an_agent_that_is_gone_leaves_what_was_known() {
    let mut state = state();
    let cause = "connection refused".to_owned();
    state.answered(Err(ClientError::Unreachable { url: "http://host:9510".to_owned(), cause }));
    let screen_now = screen(&state);
    assert!(
        screen_now[2].contains("no agent answers at http://host:9510: connection refused"),
        "{}",
        screen_now[2]
    );
    assert_eq!(names(&state).len(), 3);
    state.answered(Ok(answer(2)));
    assert!(screen(&state)[2].contains("Energy is estimated"));
}

#[test]
fn a_narrow_terminal_has_what_matters_most() {
    let mut state = state();
    let titles = |state: &State| {
        let screen = screen_of(state, 80);
        let line = screen.iter().find(|line| line.starts_with("CONTAINER")).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(titles(&state), ["CONTAINER", "ENCODE", "STATE", "POWER↓", "ENERGY", "J/FRAME", "SPEED"]);
    state.sort_by("cost").unwrap();
    assert!(titles(&state).contains(&"COST↓".to_owned()), "what it is sorted by is seen");
}

#[test]
fn printed_it_is_all_there() {
    let mut text = Vec::new();
    print::text(&state(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for words in
        ["7.50 W", "containers 6.00 W", "Energy is estimated", "CONTAINER ", "live-c?[2J", "NAME ", "box-a"]
    {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn addresses_and_columns_that_cannot_be_are_said() {
    let problem = |url: &str| client::Client::new(url, None).unwrap_err().to_string();
    assert_eq!(problem("host:9510"), "--url host:9510 is not an address such as http://host:9510");
    assert!(!problem("ftp://user:secret@host").contains("secret"));
    let client = client::Client::new("https://user:secret@host:9510/", None).unwrap();
    assert_eq!(client.shown(), "https://host:9510");
    assert!(state().sort_by("colour").unwrap_err().contains("STATE, POWER, SHARE"));
    assert_eq!(state().sort_by("memory"), Ok(()));
}

#[test]
fn an_agent_that_has_stopped_is_shown_as_such() {
    let mut state = state();
    let printed = |state: &State| {
        let mut out = Vec::new();
        print::text(state, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let with_age = |seconds| {
        let age = std::time::Duration::from_secs(seconds);
        Answer { tick_seconds: 1.0, age, ..answer(2) }
    };
    state.answered(Ok(with_age(3)));
    assert!(!printed(&state).contains("not updated"));
    state.answered(Ok(with_age(4)));
    assert!(printed(&state).contains("The agent has not updated for 4 s"), "{}", printed(&state));
}

#[test]
fn a_notice_says_since_when_and_how_many_more_there_are() {
    let notice = |text: &str, since_unix_seconds| Notice {
        text: text.to_owned(),
        since_unix_seconds,
        ..Notice::default()
    };
    let notices =
        vec![notice("No counter.", Some(1000.0)), notice("No names.", None), notice("No file.", None)];
    let answer = Answer { notices, time_unix_seconds: 1600.0, ..answer(2) };
    let mut state = state();
    state.answered(Ok(answer));
    let shown = screen_of(&state, 120).join("\n");
    assert!(shown.contains("For 10 min: No counter. (and 2 more: `ffwatt top --once`)"), "{shown}");
    let mut out = Vec::new();
    print::text(&state, &mut out).unwrap();
    let printed = String::from_utf8(out).unwrap();
    for line in ["For 10 min: No counter.", "No names.", "No file."] {
        assert!(printed.lines().any(|printed| printed == line), "{printed}");
    }
}

#[test]
fn a_share_is_a_bar_and_the_watts_since_the_start_are_a_line() {
    let mut state = state();
    let line =
        |state: &State, name: &str| screen(state).into_iter().find(|line| line.contains(name)).unwrap();
    state.answered(Ok(Answer {
        transcodes: Some(vec![transcode("live-b", "libx265", 1.5, None)]),
        ..answer(3)
    }));
    assert!(line(&state, "LAST ").contains("LAST 3 s"), "{}", line(&state, "LAST "));
    assert!(line(&state, "live-b").contains("20 % █▋       █ ▅  "), "{}", line(&state, "live-b"));
    let unknown = Transcode { is_running: false, ..transcode("live-d", "libx265", 1.5, None) };
    state.answered(Ok(Answer { transcodes: Some(vec![unknown]), ..answer(4) }));
    let line = line(&state, "live-d");
    assert!(line.contains(" ended           –      – –        –     "), "an unknown power is no 0: {line}");
}

#[test]
fn each_state_is_a_word() {
    let mut state = state();
    let mut failed = transcode("live-f", "libx264", 1.0, None);
    failed.is_running = false;
    failed.asked.exit_code = Some(254);
    failed.asked.ending = Some("failed".to_owned());
    let mut behind = transcode("live-s", "libx264", 1.0, None);
    behind.told = ReportedProgress { is_stalled: Some(true), speed_ratio: Some(0.5), ..behind.told };
    state.answered(Ok(Answer { transcodes: Some(vec![failed, behind]), ..answer(2) }));
    for (width, expected) in [(80, ["failed (254)", "behind"]), (20, ["! live-f", "! live-s"])] {
        let screen = screen_of(&state, width).join("\n");
        assert!(expected.iter().all(|words| screen.contains(words)), "{screen}");
    }
    press(&mut state, "\t");
    assert!(screen(&state).iter().any(|line| line.contains("box-a") && line.contains("running")));
}
