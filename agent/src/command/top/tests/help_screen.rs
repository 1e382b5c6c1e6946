//! Tests of the help screen and of the last line.

use super::*;
use crate::api::condition::Condition;
use crate::command::top::keys::{BINDINGS, TYPING};
use crate::command::top::state::Focus;

fn words(screen: &[String]) -> String {
    screen.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn help_has_all_keys_and_states_on_every_width() {
    let mut state = state();
    press(&mut state, "?");
    for width in [20, 30, 40, 79, 80, 120, 200] {
        let screen = screen_of_size(&state, width, 150);
        for binding in &BINDINGS {
            assert!(
                screen.iter().any(|line| line.contains(&binding.names())),
                "{width}: {:?}",
                binding.effect
            );
        }
        for binding in &TYPING {
            assert!(
                screen.iter().any(|line| line.contains(&binding.names())),
                "{width}: {:?}",
                binding.effect
            );
        }
        for one in Condition::ALL {
            assert!(screen.iter().any(|line| line.contains(&one.text())), "{width}: {one:?}");
        }
        assert!(!screen.iter().any(|line| line.contains("CONTAINER")), "no table:\n{}", screen.join("\n"));
    }
    let whole = words(&screen_of_size(&state, 79, 150));
    for binding in &BINDINGS {
        assert!(whole.contains(binding.help), "{}\n{whole}", binding.help);
    }
    let screen = screen_of_size(&state, 80, 24).join("\n");
    assert!(!screen.contains("lines more"), "a usual terminal has all of it:\n{screen}");
    let small = screen_of_size(&state, 40, 12).join("\n");
    assert!(small.contains("lines more"), "{small}");
}

#[test]
fn any_key_closes_the_help_and_does_nothing_else() {
    let mut state = state();
    for key in ["q", "\n", "p", "/", "?", "\t"] {
        press(&mut state, "?");
        assert_eq!(state.focus, Focus::Help);
        press(&mut state, key);
        assert_eq!((state.focus, state.is_paused, state.has_detail), (Focus::Table, false, false), "{key}");
        assert!(screen(&state).iter().any(|line| line.starts_with("CONTAINER")));
    }
    press(&mut state, "?");
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(state.press(interrupt), Step::End);
}

#[test]
fn the_last_line_has_whole_words() {
    let state = state();
    let last = |width| screen_of(&state, width).last().unwrap().trim().to_owned();
    assert_eq!(last(120), "? help  q quit  Tab table  Enter detail  s sort  / filter  p pause  r reverse");
    assert_eq!(last(50), "? help  q quit  Tab table  Enter detail  s sort");
    assert_eq!(last(20), "? help  q quit");
}
