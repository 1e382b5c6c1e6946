//! Compares the picture sizes of filter chains with those of real ffmpeg: equal or absent, never different.
//!
//! `FFWATT_LONG=1` selects 2,000 random chains in place of 200.
//!
//! Run: together.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod generator;
mod referee;

use crate::generator::Generator;
use crate::referee::{Case, Counts, judge};
use tests::length::short_or_long;

/// Chains in the shapes that people write, one a line.
const CHAINS: &str = include_str!("chains.txt");

/// Graphs of several inputs, each of its own size.
const GRAPHS: [&str; 16] = [
    "overlay",
    "[1:v][0:v]overlay=10:10",
    "[0:v]scale=200:-2[a];[1:v]scale=-2:100[b];[a][b]overlay=W-w-10:10[out]",
    "[1]scale=320:180[small];[0][small]overlay[out]",
    "[0:v][1:v]scale2ref[a][b];[b][a]overlay",
    "[0:v]scale=640:360[a];[1:v]scale=640:360[b];[a][b]hstack=inputs=2[out]",
    "[0:v]scale=640:360[a];[1:v]scale=640:-2[b];[a][b]vstack",
    "[0:v]scale=300:200[a];[1:v]scale=100:50[b];[a][b]xstack=inputs=2:layout=0_0|w0_h0[out]",
    "[0:v]scale=300:200,setsar=1[a];[1:v]scale=300:200,setsar=1[b];[a][b]concat=n=2:v=1:a=0[out]",
    "[0:v]split=2[a][b];[a]scale=640:-2[out];[b]nullsink",
    "[b]scale=iw*2:-2[out];[0:v]scale=100:-2[b]",
    "[0:v]null[a];[a]scale=-2:100[a];[a]transpose[out]",
    "[0][1]blend=all_mode=average",
    "[0:v:0]scale=w=-2:h=100[out]",
    "scale=-2:240,[1:v]overlay",
    "[1:v]scale=200:-2[logo];[0:v]pad=iw+100:ih+100:50:50[big];[big][logo]overlay=0:0,scale=iw/2:-2[out]",
];

#[test]
fn chains_that_people_write() {
    let inputs = ["testsrc2=size=640x362:rate=25", "testsrc2=size=355x481:rate=50:sar=8/9"];
    let cases = CHAINS.lines().zip(inputs.iter().cycle()).map(|(chain, input)| Case::chain(input, chain));
    let counts = judge(cases.collect());
    assert_mostly_equal(&counts);
}

#[test]
fn graphs_of_several_inputs() {
    let sizes = [
        ["testsrc2=size=640x360:rate=25", "testsrc2=size=320x240:rate=25"],
        ["color=s=480x640:r=25", "testsrc2=size=1280x720:rate=25"],
    ];
    let cases = sizes.iter().flat_map(|inputs| GRAPHS.iter().map(|graph| Case::graph(inputs, graph)));
    let counts = judge(cases.collect());
    assert_mostly_equal(&counts);
}

#[test]
fn random_chains() {
    let count = short_or_long(200, 2000);
    let mut generator = Generator::new(0x5EED);
    let cases = (0..count).map(|_| {
        let (input, chain) = (generator.input(), generator.chain());
        Case::chain(&input, &chain)
    });
    let counts = judge(cases.collect());
    assert_mostly_equal(&counts);
}

/// Absent is allowed; a test of which most is absent or refused says nothing.
fn assert_mostly_equal(counts: &Counts) {
    assert!(counts.different.is_empty(), "{}", counts.different.join("\n"));
    assert!(counts.equal > counts.absent * 2, "{counts:?}");
    assert!(counts.equal > counts.refused, "{counts:?}");
}
