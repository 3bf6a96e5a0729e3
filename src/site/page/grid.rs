//! Places of the cards on the dashboard: every row is filled, in the order of the configuration.
//!
//! The style sheet has twelve columns. It selects a card's width by the attributes that
//! [`Columns`] renders, for screens of medium and of large width; a small screen has one card a row.

use super::card::Shape;

/// Number of columns.
const ALL: u8 = 12;

/// Number of columns that a card takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    /// On a screen of medium width.
    pub(super) medium: u8,
    /// On a large screen.
    pub(super) wide: u8,
}

impl Columns {
    /// A row of its own.
    pub(super) const ROW: Columns = Columns { medium: ALL, wide: ALL };
}

/// Returns the columns of cards of these shapes.
///
/// A card without values is low, and beside another one it would leave a hole; so it gets a row. On a
/// screen of medium width a drawn tank gets a row, too, as its drawing needs the width. The other cards
/// share rows by two. Of an odd number in succession the first, which matters most, gets a row.
pub(super) fn columns(shapes: &[Shape]) -> Vec<Columns> {
    let medium = packed(shapes, |shape| matches!(shape, Shape::Empty | Shape::Tank), |_, _| (6, 6));
    let wide = packed(
        shapes,
        |shape| shape == Shape::Empty,
        |left, right| match (left, right) {
            (Shape::Tank, Shape::Tank) => (6, 6),
            (Shape::Tank, _) => (7, 5),
            (_, Shape::Tank) => (5, 7),
            _ => (6, 6),
        },
    );
    medium.into_iter().zip(wide).map(|(medium, wide)| Columns { medium, wide }).collect()
}

/// Returns the columns of cards of which some need a row, while others share one as `shares` says.
fn packed(
    shapes: &[Shape],
    needs_row: impl Fn(Shape) -> bool,
    shares: impl Fn(Shape, Shape) -> (u8, u8),
) -> Vec<u8> {
    let mut columns = Vec::with_capacity(shapes.len());
    for run in shapes.chunk_by(|left, right| needs_row(*left) == needs_row(*right)) {
        if needs_row(run[0]) {
            columns.extend(run.iter().map(|_| ALL));
            continue;
        }
        let (first, pairs) = run.split_at(run.len() % 2);
        columns.extend(first.iter().map(|_| ALL));
        for pair in pairs.chunks_exact(2) {
            let (left, right) = shares(pair[0], pair[1]);
            columns.extend([left, right]);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [Shape; 3] = [Shape::Tank, Shape::Other, Shape::Empty];

    /// Returns true if cards of these widths leave no column of a row empty.
    fn fills_rows(widths: impl Iterator<Item = u8>) -> bool {
        let mut row = 0;
        for width in widths {
            row += width;
            if row > ALL {
                return false;
            }
            row %= ALL;
        }
        row == 0
    }

    #[test]
    fn cards_of_any_shapes_fill_every_row() {
        for count in 0..=6_u32 {
            for number in 0..3_usize.pow(count) {
                let shape = |place| SHAPES[number / 3_usize.pow(place) % 3];
                let shapes: Vec<Shape> = (0..count).map(shape).collect();
                let columns = columns(&shapes);
                assert_eq!(columns.len(), shapes.len());
                assert!(fills_rows(columns.iter().map(|card| card.medium)), "{shapes:?}");
                assert!(fills_rows(columns.iter().map(|card| card.wide)), "{shapes:?}");
                for (shape, card) in shapes.iter().zip(&columns) {
                    assert!(*shape != Shape::Empty || *card == Columns::ROW, "{shapes:?}");
                }
            }
        }
    }

    #[test]
    fn tank_has_more_of_a_row_than_others() {
        let wide =
            |shapes: &[Shape]| columns(shapes).iter().map(|card| card.wide).collect::<Vec<_>>();
        assert_eq!(wide(&[Shape::Tank, Shape::Other]), [7, 5]);
        assert_eq!(wide(&[Shape::Other, Shape::Tank]), [5, 7]);
        assert_eq!(wide(&[Shape::Tank, Shape::Other, Shape::Other]), [12, 6, 6]);
        assert_eq!(wide(&[Shape::Tank, Shape::Empty, Shape::Other]), [12, 12, 12]);
    }
}
