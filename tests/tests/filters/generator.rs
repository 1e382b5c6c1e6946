//! Makes random filter chains of ffmpeg's grammar.

/// A generator of the family "splitmix64": the same seed gives the same chains.
pub(crate) struct Generator(u64);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A source of `lavfi`, of even or odd size.
    pub(crate) fn input(&mut self) -> String {
        let (width, height) = (64 + self.below(900), 64 + self.below(700));
        let rate = self.pick(&["24", "25", "30000/1001", "50", "60"]);
        let pixel = self.pick(&["", "", "", ":sar=4/3", ":sar=64/45", ":sar=8/9"]);
        let source = self.pick(&["testsrc2", "testsrc2", "testsrc2", "testsrc", "color", "smptebars"]);
        format!("{source}=size={width}x{height}:rate={rate}{pixel}")
    }

    /// Filters one after another, or a graph with labels.
    pub(crate) fn chain(&mut self) -> String {
        match self.below(6) {
            0 => self.graph(),
            _ => self.filters(4),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        let index = self.below(u64::try_from(words.len()).unwrap());
        words[usize::try_from(index).unwrap()]
    }

    fn filters(&mut self, most: u64) -> String {
        let count = 1 + self.below(most);
        let filters: Vec<String> = (0..count).map(|_| self.filter()).collect();
        filters.join(self.pick(&[",", ",", ",", " , "]))
    }

    fn graph(&mut self) -> String {
        let (first, second) = (self.filters(2), self.filters(2));
        match self.below(6) {
            0 => format!("split[a][b];[a]{first}[c];[b]{second}[d];[c][d]overlay=10:10"),
            1 => format!("split[a][b];[a]{first}[c];[c][b]overlay"),
            2 => format!("{first},split[a][b];[a][b]hstack,{second}"),
            3 => format!("split[a][b];[a]{first}[c];[b]{first}[d];[c][d]vstack"),
            4 => format!("{first},split=3[a][b][c];[a][b][c]xstack=inputs=3:layout=0_0|w0_0|0_h0"),
            _ => format!("[in]{first}[x];[x]{second}[out]"),
        }
    }

    fn filter(&mut self) -> String {
        match self.below(16) {
            0..5 => self.scale(),
            5 | 6 => self.crop(),
            7 => self.pad(),
            8 => {
                let direction = self.pick(&["0", "1", "2", "3", "clock", "dir=cclock", "4", "7"]);
                let pass = self.pick(&["", "", ":passthrough=portrait", ":passthrough=landscape"]);
                format!("transpose={direction}{pass}")
            }
            9 => self.rotate(),
            10 => {
                let (across, down) = (1 + self.below(3), 1 + self.below(3));
                let more = self.pick(&["", ":margin=3", ":padding=5:margin=1", ":nb_frames=1"]);
                format!("tile={across}x{down}{more}")
            }
            11 => self
                .pick(&[
                    "setsar=1",
                    "setsar=4/3",
                    "setsar=r=8/9",
                    "setdar=16/9",
                    "setdar=4/3",
                    "setsar=1.25",
                    "setdar=0",
                ])
                .to_owned(),
            12 => self
                .pick(&[
                    "separatefields",
                    "weave",
                    "doubleweave",
                    "field=top",
                    "field=bottom",
                    "tinterlace=merge",
                    "tinterlace=interleave_top",
                    "yadif",
                    "bwdif=1",
                    "telecine",
                    "il",
                ])
                .to_owned(),
            13 => self
                .pick(&[
                    "format=yuv420p",
                    "format=yuv422p",
                    "format=yuv444p",
                    "format=rgb24",
                    "format=gray",
                    "format=yuv420p|nv12",
                    "format=yuv410p",
                    "format=rgb565",
                ])
                .to_owned(),
            14 => self.zscale(),
            _ => self
                .pick(&[
                    "fps=10",
                    "hflip",
                    "vflip",
                    "null",
                    "eq=contrast=1.1",
                    "hue=s=0",
                    "unsharp",
                    "select='not(mod(n,2))'",
                    "setpts=PTS*2",
                    "thumbnail=3",
                    "drawbox=w=10:h=10",
                    "boxblur",
                    "negate",
                    "zoompan=d=1",
                    "zoompan=z=1.1:d=1:s=hd480",
                    "stereo3d=sbsl:ml",
                    "xbr=2",
                    "framestep=2",
                ])
                .to_owned(),
        }
    }

    fn scale(&mut self) -> String {
        let name = self.pick(&["scale", "scale", "scale", "scale@one"]);
        let more = self.pick(&[
            "",
            "",
            "",
            ":flags=lanczos",
            ":force_original_aspect_ratio=decrease",
            ":force_original_aspect_ratio=increase",
            ":force_original_aspect_ratio=decrease:force_divisible_by=2",
            ":force_original_aspect_ratio=increase:force_divisible_by=8",
            ":eval=frame",
        ]);
        if self.below(8) == 0 {
            let size = self.pick(&["hd720", "s=hd480", "size=640x360", "300x200", "s=qcif", "vga"]);
            return format!("{name}={size}");
        }
        let (width, height) = self.sides(true);
        match self.below(3) {
            0 => format!("{name}={width}:{height}{more}"),
            1 => format!("{name}=w={width}:h={height}{more}"),
            _ => format!("{name}=height={height}:width={width}{more}"),
        }
    }

    fn zscale(&mut self) -> String {
        let (width, height) = self.sides(true);
        format!("zscale={width}:{height}")
    }

    fn crop(&mut self) -> String {
        let (width, height) = match self.below(4) {
            0 => self.sides(false),
            1 => ((16 + self.below(150)).to_string(), (16 + self.below(150)).to_string()),
            2 => {
                let part =
                    self.pick(&["iw/2", "iw*2/3", "iw-10", "in_w-7", "ih*9/16", "iw", "trunc(iw/4)*2"]);
                (part.to_owned(), self.pick(&["ih/2", "ih-20", "in_h*3/4", "ih", "oh", "ow/2"]).to_owned())
            }
            _ => ("iw/hsub".to_owned(), "ih/vsub".to_owned()),
        };
        let more = self.pick(&["", "", ":x=2:y=2", ":exact=1"]);
        format!("crop={width}:{height}{more}")
    }

    fn pad(&mut self) -> String {
        let (width, height) = match self.below(4) {
            0 => ("ceil(iw/2)*2", "ceil(ih/2)*2"),
            1 => ("iw+20", "ih+11"),
            2 => ("1200", "1100"),
            _ => ("iw", "ih*4/3"),
        };
        let more = self.pick(&["", "", ":(ow-iw)/2:(oh-ih)/2", ":aspect=16/9", ":color=red", ":-1:-1"]);
        format!("pad={width}:{height}{more}")
    }

    fn rotate(&mut self) -> String {
        let angle = self.pick(&["PI/6", "0.3", "PI/2", "45*PI/180", "-1"]);
        let size = match self.below(4) {
            0 => format!(":ow=rotw({angle}):oh=roth({angle})"),
            1 => r":ow=hypot(iw\,ih):oh=ow".to_owned(),
            2 => ":ih:iw".to_owned(),
            _ => String::new(),
        };
        format!("rotate={angle}{size}")
    }

    /// Two expressions of which one at most needs the other's value.
    fn sides(&mut self, may_be_negative: bool) -> (String, String) {
        let (width, height) = (self.side("iw", "oh"), self.side("ih", "ih"));
        let kept = self.pick(&["-1", "-2", "-4", "-8", "0"]).to_owned();
        match self.below(if may_be_negative { 4 } else { 2 }) {
            0 | 1 => (width, height),
            2 => (kept, height),
            _ => (width.replace("oh", "ih"), kept),
        }
    }

    /// An expression of a sane size.
    fn side(&mut self, own: &str, other: &str) -> String {
        let number = 32 + self.below(700);
        let text = match self.below(14) {
            0..4 => return number.to_string(),
            4 => return format!("{own}/{}", 1 + self.below(4)),
            5 => return format!("{own}*{}.{}", self.below(2), 3 + self.below(6)),
            6 => return format!("trunc({other}*a/2)*2"),
            7 => format!("min({number},{own})"),
            8 => format!("max({own},{other})"),
            9 => format!("if(gt({own},{number}),{number},{own})"),
            10 => format!("clip({own}*2,32,{number})"),
            11 => format!("2*round({own}/3)+if(gte(a,1.5),{},0)", self.below(20)),
            12 => format!("ceil(pow({own},0.9))+mod({number},7)"),
            _ => return format!("trunc({own}*sar/2)*2"),
        };
        if self.below(2) == 0 { format!("'{text}'") } else { text.replace(',', r"\,") }
    }
}
