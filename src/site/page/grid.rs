//! Places of the cards on the dashboard: every row is filled, in the order of the configuration.
//!
//! A card has a row of its own or shares one with its neighbour. Only cards of the same shape share a row,
//! since beside a taller card the lower one would have a hole. A row is shared on large screens only.

use super::card::Shape;

/// Width of a card on a large screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// A row of its own.
    Row,
    /// Half of a row.
    Half,
}

/// Returns the widths of cards of these shapes.
///
/// A card without values is low and has a row of its own. Of an odd number of other cards of a shape in
/// succession the first, which matters most, has one, too.
pub(super) fn widths(shapes: &[Shape]) -> Vec<Width> {
    let mut widths = Vec::with_capacity(shapes.len());
    for run in shapes.chunk_by(|left, right| left == right) {
        let rows = if run[0] == Shape::Empty { run.len() } else { run.len() % 2 };
        widths.extend((0..run.len()).map(|n| if n < rows { Width::Row } else { Width::Half }));
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [Shape; 3] = [Shape::Tank, Shape::Charted, Shape::Empty];

    #[test]
    fn cards_of_any_shapes_fill_every_row_beside_cards_of_their_shape() {
        for count in 0..=6_u32 {
            for number in 0..3_usize.pow(count) {
                let shape = |place| SHAPES[number / 3_usize.pow(place) % 3];
                let shapes: Vec<Shape> = (0..count).map(shape).collect();
                let widths = widths(&shapes);
                assert_eq!(widths.len(), shapes.len());
                let mut cards = shapes.iter().zip(&widths);
                while let Some((shape, width)) = cards.next() {
                    if *width == Width::Half {
                        assert_eq!(cards.next(), Some((shape, &Width::Half)), "{shapes:?}");
                        assert_ne!(*shape, Shape::Empty, "{shapes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn cards_of_a_shape_share_rows() {
        use Shape::{Charted, Empty, Plain, Tank, Weather};
        use Width::{Half, Row};
        for (shapes, expected) in [
            (&[Tank, Charted][..], &[Row, Row][..]),
            (&[Tank, Charted, Charted], &[Row, Half, Half]),
            (&[Tank, Tank, Charted], &[Half, Half, Row]),
            (&[Charted, Charted, Charted], &[Row, Half, Half]),
            (&[Weather, Plain, Plain], &[Row, Half, Half]),
            (&[Empty, Empty], &[Row, Row]),
        ] {
            assert_eq!(widths(shapes), expected, "{shapes:?}");
        }
    }
}
