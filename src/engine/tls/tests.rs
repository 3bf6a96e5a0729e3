use super::*;

#[test]
fn name_is_matched_label_by_label() {
    let names = ["tank.example", "*.pump.example"].map(str::to_owned);
    for (wanted, expected) in [
        ("tank.example", true),
        ("Tank.EXAMPLE", true),
        ("a.tank.example", false),
        ("north.pump.example", true),
        ("pump.example", false),
        ("a.north.pump.example", false),
        ("example", false),
        ("", false),
    ] {
        assert_eq!(covers(&names, wanted), expected, "{wanted}");
    }
}
