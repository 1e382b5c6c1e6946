//! Finds the part of the picture that two videos have in common: scaling, pixel shape and cropped bars.

use crate::quality::probe::Video;

/// Largest relative difference between the shapes of the same picture: codecs need even sides.
const SAME_SHAPE: f64 = 0.012;

/// Largest difference in pixels between a crop that was detected and the crop of the encode.
const SNAP: u64 = 4;

/// A rectangle of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) left: u64,
    pub(super) top: u64,
}

/// The compared parts of both pictures. `None` is all of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) reference: Option<Area>,
    pub(super) distorted: Option<Area>,
}

impl Geometry {
    /// Size in which the pictures are compared: that of the source's part.
    pub(super) fn size(&self, reference: &Video) -> (u64, u64) {
        self.reference.map_or((reference.width, reference.height), |area| (area.width, area.height))
    }
}

/// Whether both videos show the whole picture. Equal sizes are equal pictures, also where one file lost the shape of its pixels.
pub(super) fn is_same_picture(reference: &Video, distorted: &Video) -> bool {
    (reference.width, reference.height) == (distorted.width, distorted.height)
        || is_close(reference.aspect(), distorted.aspect())
}

/// Both ways in which an encode of a picture with an odd side may have got its even side: all of the picture was scaled, or one
/// line was cut off. Only the content shows which; in other cases there is one way.
pub(super) fn ways(reference: &Video, distorted: &Video, found: Geometry) -> Vec<Geometry> {
    let lost = (reference.width.checked_sub(distorted.width), reference.height.checked_sub(distorted.height));
    let is_odd = matches!(lost, (Some(0 | 1), Some(0 | 1))) && lost != (Some(0), Some(0));
    let cut = Area { width: distorted.width, height: distorted.height, left: 0, top: 0 };
    if is_odd && found == Geometry::default() {
        return vec![found, Geometry { reference: Some(cut), distorted: None }];
    }
    vec![found]
}

/// The common part of two pictures of different shape, from the areas inside of their black bars; `None` where bars do not
/// explain the difference.
pub(super) fn common(
    reference: &Video,
    distorted: &Video,
    in_reference: Option<Area>,
    in_distorted: Option<Area>,
) -> Option<Geometry> {
    let shape = |video: &Video, area: Area| {
        area.width as f64 / area.height as f64 * video.pixel_aspect.unwrap_or(1.0)
    };
    // The encode is not scaled where its size is nearly that of the area: then its size is the exact one.
    let snapped = |area: Area| {
        let is_near =
            area.width.abs_diff(distorted.width) <= SNAP && area.height.abs_diff(distorted.height) <= SNAP;
        if is_near { resized(area, distorted.width, distorted.height, reference) } else { area }
    };
    let reference_area = in_reference.map(snapped);
    if let Some(area) = reference_area.filter(|area| is_close(shape(reference, *area), distorted.aspect())) {
        return Some(Geometry { reference: Some(area), distorted: None });
    }
    if let Some(area) = in_distorted.filter(|area| is_close(shape(distorted, *area), reference.aspect())) {
        return Some(Geometry { reference: None, distorted: Some(area) });
    }
    let (one, other) = (in_reference?, in_distorted?);
    is_close(shape(reference, one), shape(distorted, other))
        .then_some(Geometry { reference: Some(one), distorted: Some(other) })
}

/// The area with another size and the same centre, at an even place as chroma needs it.
fn resized(area: Area, width: u64, height: u64, video: &Video) -> Area {
    let place = |start: u64, old: u64, new: u64, whole: u64| {
        let start = (start + old / 2).saturating_sub(new / 2);
        (start.min(whole.saturating_sub(new)) / 2) * 2
    };
    if width > video.width || height > video.height {
        return area;
    }
    Area {
        width,
        height,
        left: place(area.left, area.width, width, video.width),
        top: place(area.top, area.height, height, video.height),
    }
}

fn is_close(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() < SAME_SHAPE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(width: u64, height: u64, pixel_aspect: Option<f64>) -> Video {
        Video { width, height, pixel_aspect, ..Video::default() }
    }

    #[test]
    fn shapes_count_the_shape_of_pixels() {
        let pal = video(720, 576, Some(64.0 / 45.0));
        assert!(is_same_picture(&pal, &video(1024, 576, None)));
        assert!(is_same_picture(&pal, &video(720, 576, None)), "the tag is lost, the picture is not");
        assert!(!is_same_picture(&pal, &video(768, 576, None)));
        assert!(is_same_picture(&video(1920, 1080, None), &video(854, 480, None)));
    }

    #[test]
    fn bars_that_the_encode_lost_are_cut_off_the_source() {
        let (source, encode) = (video(1920, 1080, None), video(1920, 800, None));
        let found = Area { width: 1920, height: 802, left: 0, top: 139 };
        let cut = common(&source, &encode, Some(found), None).unwrap();
        assert_eq!(cut.reference, Some(Area { width: 1920, height: 800, left: 0, top: 140 }));
        let small = common(&source, &video(1280, 534, None), Some(found), None).unwrap();
        assert_eq!((small.reference, small.distorted), (Some(found), None));
        assert_eq!(
            common(&source, &video(1440, 1080, None), Some(found), None),
            None,
            "a part of the picture"
        );
        assert_eq!(common(&source, &encode, None, None), None);
    }

    #[test]
    fn an_odd_side_was_scaled_or_cut() {
        let whole = Geometry::default();
        let cut = Area { width: 320, height: 180, left: 0, top: 0 };
        let found = ways(&video(321, 181, None), &video(320, 180, None), whole);
        assert_eq!(found, [whole, Geometry { reference: Some(cut), distorted: None }]);
        assert_eq!(ways(&video(320, 180, None), &video(320, 180, None), whole), [whole]);
        assert_eq!(ways(&video(640, 360, None), &video(320, 180, None), whole), [whole]);
    }

    #[test]
    fn bars_that_the_encode_added_are_cut_off_the_encode() {
        let (source, encode) = (video(640, 480, None), video(1280, 720, None));
        let found = Area { width: 960, height: 720, left: 160, top: 0 };
        let cut = common(&source, &encode, None, Some(found)).unwrap();
        assert_eq!((cut.reference, cut.distorted), (None, Some(found)));
        assert_eq!(cut.size(&source), (640, 480));
    }
}
