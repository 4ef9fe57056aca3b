"""What the memories of a network ask of what is observed: looked at before a network is made, and without PyTorch."""

from townlet.config import ConfigError, CounterMemory, DeltaMemory, Level, Memory, Recall, Recurrent
from townlet.environment.layout import ObservationLayout, lay_out

PLACE = "position"  # the part of an observation that says where the agent is


def check_network(level: Level) -> None:
    """See that the network of a level can be made. Raises ConfigError where a memory does not fit what is observed."""
    if isinstance(level.network, Recurrent):
        layout = lay_out(level)
        for index, memory in enumerate(level.network.memory):
            check_memory(memory, layout, len(level.actions), f"network.memory[{index}]")
        if level.training.recall is not None:
            check_recall(level.training.recall, layout)


def check_recall(config: Recall, layout: ObservationLayout) -> None:
    """See that what a memory is asked is observed. Raises ConfigError."""
    named = {"ask": config.ask, "tell": config.tell}
    if lines := [line for key, part in named.items() for line in _not_observed(part, layout, f"training.recall.{key}")]:
        raise ConfigError(lines)


def check_memory(config: Memory, layout: ObservationLayout, num_actions: int, where: str) -> None:
    """See that one memory can be made. Raises ConfigError, which says `where`, if it does not fit what is observed."""
    if config.kind == "delta":
        _check_delta(config, layout, where)
    if config.kind == "ground" and (layout.grid is None or PLACE not in layout.slices or layout.width(PLACE) != 2):
        raise ConfigError([f"{where}.kind: expected no ground, since it takes a normalised position, got 'ground'"])
    if config.kind == "counter":
        _check_counter(config, layout.obs_dim, num_actions, where)


def _check_delta(config: DeltaMemory, layout: ObservationLayout, where: str) -> None:
    if not config.at:
        return
    if lines := _not_observed(config.at, layout, f"{where}.at"):
        raise ConfigError(lines)
    if (width := layout.width(config.at)) > config.keys:
        expected = f"at least {width}, one for each number of {config.at}"
        raise ConfigError([f"{where}.keys: expected {expected}, got {config.keys}"])


def _check_counter(config: CounterMemory, obs_dim: int, num_actions: int, where: str) -> None:
    if config.of == "parts" and obs_dim % num_actions:
        expected = f"an observation of as many numbers for each of {num_actions} actions"
        raise ConfigError([f"{where}.of: expected {expected}, got {obs_dim} numbers"])


def _not_observed(part: str, layout: ObservationLayout, where: str) -> list[str]:
    """The line of an error where no such part is observed; none where it is."""
    if part in layout.slices:
        return []
    return [f"{where}: expected a part of the observation, {', '.join(layout.slices)}, got {part!r}"]
