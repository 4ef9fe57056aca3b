"""What the types of a task alone cannot say of how it is learned."""

from townlet.level.errors import Problem
from townlet.level.parts import Adversarial, FeedForward, Fresh, Replay
from townlet.level.task import Level, Task


def training_problems(task: Task) -> list[Problem]:
    """Everything wrong between the parts of a task's training, and between them and the rewards of a level."""
    problems = [*_returns_problems(task), *_mode_problems(task), *_worker_problems(task), *_recall_problems(task)]
    problems += _cuda_problems(task)
    return [*problems, *_curriculum_problems(task), *_stop_problems(task)] if isinstance(task, Level) else problems


def _returns_problems(level: Task) -> list[Problem]:
    training, problems = level.training, []
    trace, decay = ("training", "trace_decay"), training.trace_decay
    if decay > 0.0 and training.n_step > 1:
        problems.append(Problem(trace, "0 with n_step over 1: one kind of return", str(decay)))
    if decay > 0.0 and training.seq_len == 1:
        problems.append(Problem(trace, "0 with windows of one step (seq_len is 1)", str(decay)))
    if training.n_step > training.seq_len:
        problems.append(Problem(("training", "n_step"), f"at most seq_len, {training.seq_len}", str(training.n_step)))
    if training.double_q and not training.has_target:
        key = ("training", "double_q")
        expected = "false without a target network (target_every, target_rate)"
        problems.append(Problem(key, expected, "true"))
    if training.target_every is not None and training.target_rate is not None:
        key = ("training", "target_rate")
        problems.append(Problem(key, "null beside target_every: copies are hard or soft", str(training.target_rate)))
    return problems


def _mode_problems(level: Task) -> list[Problem]:
    training, mode, key = level.training, level.training.mode, ("training", "mode")
    if isinstance(mode, Fresh):
        return []
    problems, stride = [], mode.stored_every
    least = (training.seq_len + mode.burn_in + 2) * training.num_agents
    if mode.capacity < least:
        problems.append(Problem((*key, "capacity"), f"at least {least}: a window of every agent", str(mode.capacity)))
    for name, steps in {"seq_len": training.seq_len, "burn_in": mode.burn_in}.items():
        if steps % stride:
            problems.append(Problem((*key, "stored_every"), f"a divisor of {name}, {steps}", str(stride)))
    return problems


def _worker_problems(level: Task) -> list[Problem]:
    """What each worker would keep or choose for its own agents alone, while all are to learn as one."""
    training, workers, key = level.training, level.training.workers, ("training", "workers")
    if workers == 1:
        return []
    if not isinstance(level, Level):
        return [Problem(key, "1, since only a town is shared out", str(workers))]
    alone = {
        "training.mode.kind is replay": isinstance(training.mode, Replay),
        "training.reward_scale is auto": training.reward_scale == "auto",
        "training.curiosity is there": training.curiosity is not None,
        "training.curriculum.kind is adversarial": isinstance(training.curriculum, Adversarial),
        "training.exploration.taste is there": training.exploration.taste is not None,
    }
    problems = [Problem(key, f"1 where {why}", str(workers)) for why, holds in alone.items() if holds]
    if training.num_agents % workers:
        problems.append(Problem(key, f"a divisor of num_agents, {training.num_agents}", str(workers)))
    return problems


def _recall_problems(level: Task) -> list[Problem]:
    if level.training.recall is None or not isinstance(level.network, FeedForward):
        return []
    return [Problem(("training", "recall"), "null, since a feed-forward network has no memory to ask", "a question")]


def _cuda_problems(level: Task) -> list[Problem]:
    minibatches = level.on_cuda.minibatches if level.on_cuda else None
    if minibatches is None or isinstance(level.training.mode, Fresh):
        return []
    expected = "null, since training.mode.kind is replay, which has none"
    return [Problem(("on_cuda", "minibatches"), expected, str(minibatches))]


def _stop_problems(level: Level) -> list[Problem]:
    goal = level.training.stop.goal if level.training.stop else None
    if goal is None or goal <= level.max_steps:
        return []
    return [Problem(("training", "stop", "goal"), f"at most max_steps, {level.max_steps}", f"{goal:g}")]


def _curriculum_problems(level: Level) -> list[Problem]:
    key, curriculum = ("training", "curriculum"), level.training.curriculum
    stages = curriculum.stages if isinstance(curriculum, Adversarial) else ()
    problems = []
    sparse = any(stage.reward == "sparse" for stage in stages)
    if sparse and level.sparse_reward is None:
        problems.append(Problem(("sparse_reward",), "a reward, since a stage of the curriculum counts it", "null"))
    if level.sparse_reward is not None and not sparse:
        problems.append(Problem(("sparse_reward",), "null, since no stage of a curriculum counts it", "a reward"))
    if isinstance(curriculum, Adversarial) and curriculum.retreat_below >= curriculum.advance_above:
        expected = f"less than advance_above, {curriculum.advance_above}"
        problems.append(Problem((*key, "retreat_below"), expected, str(curriculum.retreat_below)))
    return problems
