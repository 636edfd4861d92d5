"""The table of a network's blocks."""

from models.layers import LayerSummary, format_shape, format_table


def test_a_shape_is_written_with_the_sign_of_multiplication() -> None:
    assert format_shape((64, 56, 56)) == "64×56×56"
    assert format_shape((10,)) == "10"


def test_the_table_aligns_and_adds_up() -> None:
    layers = [
        LayerSummary("stem", "Stem", (64, 56, 56), 3264, 39_337_984),
        LayerSummary("classifier", "Linear", (10,), 5130, 5120),
    ]
    assert format_table(layers).splitlines() == [
        "Layer       Kind      Output  Parameters  Multiply-adds",
        "───────────────────────────────────────────────────────",
        "stem        Stem    64×56×56       3,264     39,337,984",
        "classifier  Linear        10       5,130          5,120",
        "───────────────────────────────────────────────────────",
        "Total                              8,394     39,343,104",
    ]
