use crate::{Error, Fragment, Kind, Track};

/// Ticks by which fragments of sound may overlap or miss each other, because times were rounded.
const ROUNDING: u64 = 1;

impl Track {
    /// Checks that the fragments can be played one after the other, and each as the first.
    ///
    /// Their decode times rise and do not overlap, and none is negative; every fragment begins with a key frame. Sound has
    /// no gaps, with a tolerance of one tick for rounded times. Video may have gaps, where no picture changed.
    ///
    /// # Errors
    /// The first fragment that breaks a rule.
    pub fn check(&self) -> Result<(), Error> {
        for (number, fragment) in self.fragments.iter().enumerate() {
            let time = fragment.decode_time.cast_signed();
            if time < 0 {
                return Err(Error::NegativeTime {
                    fragment: number,
                    time,
                });
            }
            if !fragment.starts_with_sync {
                return Err(Error::NoKeyFrame { fragment: number });
            }
            if let Some(previous) = number.checked_sub(1).map(|before| &self.fragments[before]) {
                self.check_seam(previous, fragment, number)?;
            }
        }
        Ok(())
    }

    /// Checks that `fragment` follows `previous`.
    fn check_seam(&self, previous: &Fragment, fragment: &Fragment, number: usize) -> Result<(), Error> {
        let tolerance = match self.kind {
            Kind::Video => 0,
            Kind::Audio => ROUNDING,
        };
        let (start, previous_end) = (fragment.decode_time, previous.end());
        if start <= previous.decode_time || start.saturating_add(tolerance) < previous_end {
            return Err(Error::Overlap {
                fragment: number,
                start,
                previous_end,
            });
        }
        if self.kind == Kind::Audio && start > previous_end.saturating_add(tolerance) {
            return Err(Error::Gap {
                fragment: number,
                start,
                previous_end,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(decode_time: u64, duration: u64) -> Fragment {
        Fragment {
            offset: 0,
            size: 100,
            decode_time,
            duration,
            samples: 1,
            first_pts: decode_time.cast_signed(),
            last_pts: decode_time.cast_signed(),
            starts_with_sync: true,
            first_sample_end: 50,
        }
    }

    fn check(kind: Kind, fragments: &[Fragment], expected: &str) {
        let track = Track {
            init: 100,
            kind,
            timescale: 1000,
            codec: String::new(),
            fragments: fragments.to_vec(),
        };
        let found = track
            .check()
            .err()
            .map_or(String::new(), |error| error.to_string());
        assert_eq!(found, expected, "{kind:?} {fragments:?}");
    }

    #[test]
    fn fragments_follow_each_other() {
        let (first, overlap) = (
            fragment(10, 5),
            "fragment 1 begins at 14, before the previous one ends at 15",
        );
        let pair = |start| [first.clone(), fragment(start, 5)];
        check(Kind::Video, &[], "");
        check(Kind::Video, &pair(15), "");
        check(Kind::Video, &pair(40), "");
        check(Kind::Video, &pair(14), overlap);
        check(Kind::Audio, &pair(14), "");
        check(Kind::Audio, &pair(15), "");
        check(Kind::Audio, &pair(16), "");
        check(Kind::Audio, &pair(13), &overlap.replace("14", "13"));
        check(
            Kind::Audio,
            &pair(17),
            "fragment 1 begins at 17, after the previous one ends at 15",
        );
    }

    #[test]
    fn decode_times_rise() {
        let instant = [fragment(10, 0), fragment(10, 0)];
        let error = "fragment 1 begins at 10, before the previous one ends at 10";
        check(Kind::Video, &instant, error);
        check(Kind::Audio, &instant, error);
    }

    #[test]
    fn negative_times_are_found() {
        let wrapped = fragment(1024_u64.wrapping_neg(), 1024);
        check(
            Kind::Audio,
            &[wrapped],
            "fragment 0 has the negative decode time -1024",
        );
        check(Kind::Audio, &[fragment(u64::MAX >> 1, 1)], "");
    }

    #[test]
    fn every_fragment_begins_with_a_key_frame() {
        let mut second = fragment(15, 5);
        second.starts_with_sync = false;
        let error = "fragment 1 begins without a key frame";
        check(Kind::Video, &[fragment(10, 5), second], error);
    }
}
