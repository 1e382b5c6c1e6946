//! Prints the cost of the two programs of `agent-ebpf/src/floor.rs`, as the kernel counts it.
//!
//! `cargo run --example floor -- OBJECT` attaches the programs, and prints a line of JSON for each line that it reads.
//! `cargo xtask bench` uses it.
#![allow(clippy::print_stdout, reason = "its answers")]

use std::io::BufRead;

use anyhow::Context;
use aya::Ebpf;
use aya::programs::RawTracePoint;

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("which object?")?;
    let mut programs = Ebpf::load_file(&path).with_context(|| format!("cannot load {path}"))?;
    let names = ["empty", "timestamp"];
    for name in names {
        let program = programs.program_mut(name).with_context(|| format!("{path} has no {name}"))?;
        let program: &mut RawTracePoint = program.try_into()?;
        program.load()?;
        program.attach("sched_switch")?;
    }
    for line in std::io::stdin().lock().lines() {
        line?;
        let mut answer = serde_json::Map::new();
        for name in names {
            let info = programs.program(name).context("it was there")?.info()?;
            let nanoseconds = u64::try_from(info.run_time().as_nanos())?;
            answer.insert(name.to_owned(), serde_json::json!([info.run_count(), nanoseconds]));
        }
        println!("{}", serde_json::Value::Object(answer));
    }
    Ok(())
}
