"""What is asked of a memory: each answer that is called right is worked out again from what was shown."""

import pytest
import torch

from townlet.bench.recall.questions import GRID, KINDS, LAGS, NOT_ASKED, QUESTIONS, SYMBOLS


@pytest.fixture
def asked(request):
    return QUESTIONS[request.param].ask(3, torch.Generator().manual_seed(1))


def symbols_of(features):
    """What was shown at each step, [episodes][time]."""
    return features[..., :SYMBOLS].argmax(dim=-1).tolist()


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_shown_fits_the_layout_and_every_right_answer_is_one_of_the_classes(name):
    question = QUESTIONS[name]
    features, right, size = question.ask(2, torch.Generator().manual_seed(0))
    assert features.shape == (*right.shape[:2], question.layout.obs_dim) and features.dtype == torch.float32
    assert right.shape == size.shape == (2, right.shape[1], question.answers)
    given = right[right != NOT_ASKED]
    assert given.min() >= 0 and given.max() < question.classes and size.min() >= 1


@pytest.mark.parametrize("asked", ["lags"], indirect=True)
def test_the_symbol_of_each_lag_is_right_and_none_is_asked_for_from_before_the_start(asked):
    for shown, right in zip(symbols_of(asked.features), asked.right.tolist(), strict=True):
        for step in range(len(shown)):
            assert right[step] == [shown[step - lag] if lag <= step else NOT_ASKED for lag in LAGS]
    assert asked.size[0, 0].tolist() == list(LAGS)


@pytest.mark.parametrize("asked", ["counts"], indirect=True)
def test_how_often_each_symbol_came_this_one_included_is_right(asked):
    for shown, right in zip(symbols_of(asked.features), asked.right.tolist(), strict=True):
        for step in range(len(shown)):
            counts = [shown[: step + 1].count(symbol) for symbol in range(SYMBOLS)]
            assert right[step] == [count or NOT_ASKED for count in counts]


@pytest.mark.parametrize("asked", ["order"], indirect=True)
def test_the_second_half_wants_the_first_backwards(asked):
    half = asked.features.shape[1] // 2
    assert asked.features[:, :half, SYMBOLS].all() and asked.features[:, half:, SYMBOLS + 1].all()
    assert not asked.features[:, half:, :SYMBOLS].any()
    assert (asked.right[:, :half] == NOT_ASKED).all()
    for shown, right in zip(symbols_of(asked.features), asked.right[:, half:, 0].tolist(), strict=True):
        assert right == shown[half - 1 :: -1]
    assert asked.size[0, half : half + 3, 0].tolist() == [1, 3, 5]


@pytest.mark.parametrize("asked", ["places"], indirect=True)
def test_ways_lead_to_where_a_place_was_last_underfoot_and_none_is_asked_of_places_not_seen(asked):
    for features, right, size in zip(*(part.tolist() for part in asked), strict=True):
        seen = {}
        for step, sight in enumerate(features):
            x, y = (round(part * (GRID - 1)) for part in sight[:2])
            assert sum(sight[2:]) == 1
            underfoot = sight[2 : 2 + KINDS].index(1) if not sight[-1] else None
            for kind in range(KINDS):
                if kind == underfoot:
                    seen[kind] = (x, y, step)
                if kind == underfoot or kind not in seen:
                    assert right[step][kind] == NOT_ASKED
                    continue
                there_x, there_y, when = seen[kind]
                side, above = ((there > here) - (there < here) for there, here in ((there_x, x), (there_y, y)))
                assert right[step][kind] == 3 * (side + 1) + above + 1
                assert size[step][kind] == step - when


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_same_stream_asks_the_same(name):
    first, again, other = (QUESTIONS[name].ask(2, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first.features, again.features) and torch.equal(first.right, again.right)
    assert not torch.equal(first.features, other.features)
