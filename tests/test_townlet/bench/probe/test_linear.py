"""Linear probes on hidden states whose knowledge is known by hand, and the whole way from a network to scores."""

import pytest
import torch

from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.probes import Walker
from townlet.bench.probe import linear as module
from townlet.bench.probe.linear import AGES, FRAMES, SIGHTS, ProbeError, ProbeResult, ask, fit_probe, probe
from townlet.bench.probe.sights import Sampling, Sights
from townlet.config import load_level

LEVEL = load_level("2", {**SMALL_NETWORK, **FEW_MAPS})
FIRST, SECOND = list(LEVEL.affordances)[:2]
AGE_OF_BIN = [0, 3, 8, 20, 40, 80, 200]  # one age of each bin
OLD = ["11-25", "26-50", "51-100", "101+"]
CHANCE = 0.05  # 1/64, and five standard errors of what 400 maps leave open


def made_sights(seed, samples=5600, maps=400):
    """Two affordances on random maps, agents anywhere, each sample of an age of its own; one agent a map."""
    stream = torch.Generator().manual_seed(seed)
    map_index = torch.randint(maps, (samples,), generator=stream)
    place = torch.full((samples, len(LEVEL.affordances), 2), -1)
    place[:, :2] = torch.randint(8, (maps, 2, 2), generator=stream)[map_index]
    own = torch.randint(8, (samples, 2), generator=stream)
    age = torch.full((samples, len(LEVEL.affordances)), -1)
    age[:, :2] = torch.tensor(AGE_OF_BIN).repeat(samples // len(AGE_OF_BIN)).unsqueeze(1)
    known = place[:, :2].flatten(1).float()  # [samples, 4]
    noise = torch.randn(samples, 4, generator=stream)
    readings = {
        "exact": known,
        "one-hot": torch.nn.functional.one_hot(place[:, :2], 8).flatten(1).float(),
        "relative": (place[:, :2] - own.unsqueeze(1)).flatten(1).float(),
        "noise": noise,
        "ten ticks": torch.where(age[:, :1] <= 10, known, 4.0 * noise),
        "chance": noise[:, :0],
    }
    return Sights(map_index.clone(), map_index, own, place, age, age.clone(), readings)


def asked(known=None, unknown=None):
    known, unknown = known or made_sights(0), unknown or made_sights(1)
    return ProbeResult("2", Sampling(), tuple(known.readings), tuple(ask(LEVEL, known, unknown)))


@pytest.fixture(scope="module")
def result():
    return asked()


def accuracies(result, frame, source, sight="underfoot", affordance=None):
    return {age: score.accuracy for age, score in result.curve(frame, sight, source, affordance).items()}


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("source", ["exact", "one-hot"])
def test_a_state_that_holds_the_place_names_it_at_all_ages(result, source, sight):
    for affordance in (None, FIRST, SECOND):
        assert accuracies(result, "cell", source, sight, affordance) == dict.fromkeys(AGES, 1.0)
    assert {score.distance for score in result.curve("cell", sight, source).values()} == {0.0}


def test_a_state_that_holds_the_offset_names_it_in_the_frame_of_the_agent_alone(result):
    assert accuracies(result, "offset", "relative") == dict.fromkeys(AGES, 1.0)
    assert max(accuracies(result, "cell", "relative").values()) < 0.5
    assert max(accuracies(result, "offset", "exact").values()) < 0.5


@pytest.mark.parametrize("source", ["noise", "chance"])
def test_a_state_that_knows_nothing_is_at_chance(result, source):
    found = accuracies(result, "cell", source)
    assert list(found) == list(AGES) and max(found.values()) < CHANCE
    if source == "noise":  # two cells at random are 2 x 2.625 moves apart
        assert all(4.7 < score.distance < 5.8 for score in result.curve("cell", "underfoot", source).values())


def test_a_memory_of_ten_ticks_is_told_by_its_ages(result):
    found = accuracies(result, "cell", "ten ticks")
    assert [found[age] for age in AGES if age not in OLD] == [1.0, 1.0, 1.0]
    assert max(found[age] for age in OLD) < CHANCE


def test_only_what_was_stood_on_is_asked_about():
    known, unknown = made_sights(0), made_sights(1)
    unknown.underfoot_age[:, 1] = -1  # its cell was in the window, but of what kind it is nobody knows
    found = asked(known, unknown)
    assert {score.affordance for score in found.scores} == {None, FIRST}
    assert sum(score.samples for score in found.curve("cell", "window", "exact").values()) == len(unknown.agent)


def test_windows_have_ages_of_their_own():
    known, unknown = made_sights(0), made_sights(1)
    for sights in (known, unknown):
        sights.window_age[sights.underfoot_age >= 0] = 7
    found = asked(known, unknown)
    assert accuracies(found, "cell", "exact", "window") == {"6-10": 1.0}
    assert list(accuracies(found, "cell", "exact", "underfoot")) == list(AGES)


def test_the_distance_is_counted_in_moves():
    """What is asked about holds a place one column and two rows further than the truth."""
    unknown = made_sights(1)
    unknown.place[:, :2] = unknown.place[:, :2].clamp(max=5)
    unknown.readings["exact"] = (unknown.place[:, :2] + torch.tensor([1, 2])).flatten(1).float()
    found = asked(unknown=unknown).curve("cell", "underfoot", "exact")
    assert {(score.accuracy, score.distance) for score in found.values()} == {(0.0, 3.0)}


def test_a_bin_with_too_few_samples_to_fit_is_left_out():
    known = made_sights(0)
    rare = (known.underfoot_age[:, 0] == 3).nonzero().squeeze(1)
    kept = torch.ones(len(known.agent), dtype=torch.bool)
    kept[rare[40:]] = False
    assert "1-5" not in accuracies(asked(known.rows(kept)), "cell", "exact")


def test_the_standard_error_takes_an_agent_as_one_draw():
    """Agent 0 is right twice, agent 2 wrong twice: 0.5, and surpluses of 1 and -1 over 4 samples."""
    accuracy, error, distance = module._measure(torch.tensor([0, 0, 2, 2]), torch.tensor([0, 0, 1, 5]))
    assert (accuracy, distance) == (0.5, 1.5)
    assert error == pytest.approx(2**0.5 / 4)


def ordered(samples, stream):
    """Eight classes along a line, with noise, among 20 inputs of noise."""
    targets = torch.randint(8, (samples, 1), generator=stream)
    inputs = torch.randn(samples, 21, generator=stream)
    inputs[:, 0] = targets[:, 0] + 0.2 * inputs[:, 0]
    return inputs, targets


def test_ordered_classes_do_not_hide_each_other():
    stream = torch.Generator().manual_seed(0)
    inputs, targets = ordered(4000, stream)
    found = fit_probe(inputs, targets, torch.arange(4000) % 4 == 0, 8)
    new, truth = ordered(1000, stream)
    assert float((found.name(new) == truth).double().mean()) > 0.95


def test_held_samples_choose_the_shrinkage_and_are_not_fitted(monkeypatch):
    stream = torch.Generator().manual_seed(0)
    inputs, targets = ordered(60, stream)
    held_inputs, held_targets = ordered(400, stream)
    both, all_targets = torch.cat([inputs, held_inputs]), torch.cat([targets, held_targets])
    held = torch.arange(460) >= 60

    def right(found):
        return int((found.name(held_inputs) == held_targets).sum())

    chosen = fit_probe(both, all_targets, held, 8)
    assert torch.allclose(chosen.mean, inputs.double().mean(dim=0))
    each = []
    for shrinkage in module.SHRINKAGES:
        monkeypatch.setattr(module, "SHRINKAGES", (shrinkage,))
        each.append(right(fit_probe(both, all_targets, held, 8)))
    assert right(chosen) == max(each) > min(each)


def test_a_class_that_was_never_met_is_never_named():
    stream = torch.Generator().manual_seed(0)
    inputs, targets = ordered(800, stream)
    met = targets[:, 0] != 3
    found = fit_probe(inputs[met], targets[met], torch.arange(int(met.sum())) % 4 == 0, 8)
    assert set(found.name(inputs).flatten().tolist()) == {0, 1, 2, 4, 5, 6, 7}


def test_nothing_left_to_fit_is_an_error():
    with pytest.raises(ValueError, match="held: expected some of 5 samples to be free, got none"):
        fit_probe(torch.zeros(5, 2), torch.zeros(5, 1, dtype=torch.int64), torch.ones(5, dtype=torch.bool), 8)


# --- from a network to scores ------------------------------------------------------------------------------------

SMALL = Sampling(agents=800, ticks=16, every=2, recent=3)


def test_a_probe_of_a_network_is_repeatable_and_leaves_pytorchs_stream_alone():
    level = load_level("2", SMALL_NETWORK)
    stream, said = torch.get_rng_state(), []
    first, again = probe(level, Walker(level), SMALL, report=said.append), probe(level, Walker(level), SMALL)
    assert torch.equal(torch.get_rng_state(), stream)
    assert first == again and first.level == "2" and len(said) == 3
    assert first.sources == ("memory", "last 3 ticks", "untrained", "observation", "chance")
    assert {score.frame for score in first.scores} == set(FRAMES)
    assert accuracies(first, "offset", "chance")["0"] == 1.0  # underfoot is no cells away
    seen, counted = (accuracies(first, "cell", source)["0"] for source in ("observation", "memory"))
    assert seen > 0.7 > 0.5 > counted  # a position is seen; a count of ticks knows no place but the corner at the end


@pytest.mark.parametrize(
    ("level", "overrides", "sampling", "message"),
    [
        ("1", {}, SMALL, "expected a network with memory, got one without"),
        (
            "2",
            {"layout": {"kind": "fixed", "training_maps": None, "evaluation_maps": None}},
            SMALL,
            "expected a level with random maps, got a fixed one, to be known by heart",
        ),
        ("2", {}, SMALL._replace(every=20), "expected at least 20 ticks, as many as between two samples, got 16"),
    ],
)
def test_what_a_probe_says_nothing_of_is_an_error(level, overrides, sampling, message):
    level = load_level(level, overrides)
    with pytest.raises(ProbeError) as error:
        probe(level, network_of(level), sampling)
    assert str(error.value) == message
