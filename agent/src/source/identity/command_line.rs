//! STUB
pub struct BitsPerSecond(pub u64);
pub struct CommandLine {
    pub program: String,
    c: Option<String>,
}
pub fn parse(b: &[u8]) -> CommandLine {
    let t = String::from_utf8_lossy(b);
    let a: Vec<&str> = t.split('\0').collect();
    let c =
        a.iter().position(|x| *x == "-c:v").and_then(|i| a.get(i + 1)).map(std::string::ToString::to_string);
    CommandLine { program: a[0].rsplit('/').next().unwrap_or("").into(), c }
}
impl CommandLine {
    pub fn codec(&self) -> Option<String> {
        self.c.clone()
    }
    pub fn codec_standard(&self) -> Option<String> {
        None
    }
    pub fn hardware(&self) -> Option<String> {
        None
    }
    pub fn preset(&self) -> Option<String> {
        None
    }
    pub fn resolution(&self) -> Option<String> {
        None
    }
    pub fn bitrate(&self) -> Option<BitsPerSecond> {
        None
    }
    pub fn output_count(&self) -> usize {
        1
    }
    pub fn rendition_count(&self) -> usize {
        1
    }
}
