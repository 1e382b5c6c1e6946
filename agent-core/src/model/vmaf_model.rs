//! Models of VMAF: the scores of two models cannot be compared.

/// A model of libvmaf. NEG models ignore gain by enhancement (No Enhancement Gain).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VmafModel {
    /// For pictures up to 1440 lines.
    Standard,
    /// For larger pictures.
    Uhd,
    /// NEG, for pictures up to 1440 lines.
    StandardNeg,
    /// NEG, for larger pictures.
    UhdNeg,
}

impl VmafModel {
    /// All models.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Uhd, Self::StandardNeg, Self::UhdNeg];

    /// The name that libvmaf has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "vmaf_v0.6.1",
            Self::Uhd => "vmaf_4k_v0.6.1",
            Self::StandardNeg => "vmaf_v0.6.1neg",
            Self::UhdNeg => "vmaf_4k_v0.6.1neg",
        }
    }

    /// The model of this name; `None` for another.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_is_found_by_its_own_name() {
        for model in VmafModel::ALL {
            assert_eq!(VmafModel::of(model.name()), Some(model));
        }
        assert_eq!(VmafModel::of("vmaf_b_v0.6.3"), None);
    }
}
