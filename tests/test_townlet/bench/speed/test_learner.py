"""`python -m townlet.bench learner`, in this process, at tiny sizes."""

from functools import partial

import pytest
import torch

from support.benchmarks import run_quickly
from townlet.bench.speed import learner

SHORT_LIVES = {"max_steps": 12}  # so that there are soon as many episodes as `2-reference` waits for


@pytest.fixture
def bench(tmp_path, capsys, monkeypatch):
    """Run the command; returns its exit code, what it said, and what it kept."""
    monkeypatch.setitem(learner.MATRIX, "cpu", 64)

    return partial(run_quickly, "learner", tmp_path, capsys)


def test_networks_are_measured_at_each_number_of_windows(bench):
    code, said, kept = bench("--windows", "4,16", "--level", "2-sightings,2-reference", "--set", "max_steps=12")
    assert code == 0, said.err
    found = {(row["name"], row["size"]): row for row in kept["rows"]}
    names = ("2-sightings, 36.9k parameters", "2-reference, 635k parameters")
    assert set(found) == {(name, size) for name in names for size in (4, 16)}
    row = found["2-sightings, 36.9k parameters", 16]
    facts, forward = row["facts"], 36_032  # a hand count, see test_arithmetic
    assert facts["parameters"] == 36_870
    assert facts["multiply_adds_of_an_update"] == 16 * 9 * (3 * forward - 55 * 64)
    each = facts["multiply_adds_of_an_update"] / (16 * 8)
    assert facts["multiply_adds_a_second"] == pytest.approx(row["median"] * each)
    assert facts["share_of_matrix_product"] > 0.0 and kept["facts"]["matrix_product_multiply_adds_a_second"] > 0.0
    assert "share of matrix product" in said.out and "float32: " in said.out


@pytest.mark.parametrize(("precision", "products"), [("highest", 1), ("medium", 2)])
def test_pytorchs_own_product_is_measured_too_where_ours_is_another(precision, products):
    torch.set_float32_matmul_precision(precision)
    made = learner.matrix_products(torch.device("cpu"))
    assert list(made) == ["matrix_product", "plain_matrix_product"][:products]
    for entry in made.values():
        entry.run()
        assert torch.get_float32_matmul_precision() == precision


@pytest.mark.parametrize("reference", ["2-sightings", "2-reference"])
def test_windows_are_real_ones(reference):
    subject = learner.make_subject(reference, SHORT_LIVES, 8, torch.device("cpu"))
    batch = subject.batch
    assert batch.actions.shape == (8, 8) and batch.observations.shape == (8, 9, 50) and subject.timesteps == 64
    assert batch.hidden[0].abs().sum() > 0.0  # of agents that have lived
    assert subject.learner.updates > 0


def test_updates_leave_the_weights_where_they_are():
    subject = learner.make_subject("2-sightings", SHORT_LIVES, 8, torch.device("cpu"))
    before = {name: value.clone() for name, value in subject.learner.network.state_dict().items()}
    updates = subject.learner.updates
    for _ in range(20):
        update = subject.learner.update(subject.batch)
    assert subject.learner.updates == updates + 20 and update.metrics["train/grad_norm"] > 0.0
    after = subject.learner.network.state_dict()
    assert all(torch.allclose(value, before[name], rtol=0.0, atol=1e-9) for name, value in after.items())


def test_any_key_of_the_level_may_be_changed(bench):
    code, said, kept = bench(
        "--windows", "4", "--level", "2-sightings", "--set", "network.hidden=8", "--set", "training.seq_len=4"
    )
    assert code == 0, said.err
    forward = 55 * 64 + 4 * 8 * (64 + 8) + (8 + 64 + 56) * 128 + 128 * 6
    (row,) = kept["rows"]
    assert row["facts"]["multiply_adds_of_an_update"] == 4 * 5 * (3 * forward - 55 * 64)
    assert kept["options"]["set"] == {"network.hidden": "8", "training.seq_len": "4"}


def test_a_network_without_memory_is_measured_too(bench):
    code, said, kept = bench("--windows", "4", "--level", "1")
    assert code == 0 and len(kept["rows"]) == 1, said.err


def test_an_unknown_level_is_one_line(bench):
    code, said, _ = bench("--level", "2,17")
    assert code == 2 and said.err.count("\n") == 1 and "17" in said.err
