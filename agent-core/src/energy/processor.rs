//! Identifies a processor by the fields of `/proc/cpuinfo`.

use std::fmt;

/// Vendors of processors, by their energy registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vendor {
    /// `GenuineIntel`.
    Intel,
    /// `AuthenticAMD`, and `HygonGenuine`, whose registers are AMD's.
    Amd,
    /// All others.
    #[default]
    Other,
}

/// Identity of a processor, by its numbers: a guest has them too, where the hypervisor hides the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processor {
    /// Vendor.
    pub vendor: Vendor,
    /// Family, with the extended family.
    pub family: u32,
    /// Model, with the extended model.
    pub model: u32,
    /// Stepping: some generations differ from others in nothing else.
    pub stepping: u32,
    /// Whether the processor reports a hypervisor.
    pub is_virtual: bool,
}

impl Processor {
    /// The first processor of `cpuinfo`; missing fields keep their default.
    pub fn parse(cpuinfo: &str) -> Self {
        let mut processor = Self::default();
        for line in cpuinfo.lines().take_while(|line| !line.is_empty()) {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match key.trim() {
                "vendor_id" => processor.vendor = Vendor::parse(value),
                "cpu family" => processor.family = value.parse().unwrap_or(0),
                "model" => processor.model = value.parse().unwrap_or(0),
                "stepping" => processor.stepping = value.parse().unwrap_or(0),
                "flags" => processor.is_virtual = value.split(' ').any(|flag| flag == "hypervisor"),
                _ => {}
            }
        }
        processor
    }
}

impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vendor = match self.vendor {
            Vendor::Intel => "Intel",
            Vendor::Amd => "AMD",
            Vendor::Other => return f.write_str("a processor of an unknown vendor"),
        };
        write!(f, "{vendor} family {}, model {}, stepping {}", self.family, self.model, self.stepping)
    }
}

impl Vendor {
    fn parse(id: &str) -> Self {
        match id {
            "GenuineIntel" => Self::Intel,
            "AuthenticAMD" | "HygonGenuine" => Self::Amd,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_processor_of_cpuinfo_is_read() {
        let text = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon: 9\n\
            stepping\t: 8\nflags\t\t: fpu hypervisor lahf_lm\n\nprocessor\t: 1\nvendor_id\t: AuthenticAMD\n";
        let expected =
            Processor { vendor: Vendor::Intel, family: 6, model: 143, stepping: 8, is_virtual: true };
        assert_eq!(Processor::parse(text), expected);
        assert_eq!(expected.to_string(), "Intel family 6, model 143, stepping 8");
        assert_eq!(Processor::parse("vendor_id : HygonGenuine").vendor, Vendor::Amd);
        assert_eq!(Processor::parse("CPU implementer : 0x41"), Processor::default());
    }
}
