"""Train a small network as a reference: one hidden layer over a window, a class for each scene, dropout of 0.5."""

from collections.abc import Callable
from typing import Any

from copilot.eeg.features import Array
from copilot.training.evaluate.metrics import Ints

HIDDEN = 256
DROPOUT = 0.5
EPOCHS = 10
BATCH = 256
RATE = 2e-3
WEIGHT_DECAY = 1e-2


def fit(vectors: Array, classes: Ints, seed: int = 0) -> Callable[[Array], Array]:
    """Train for a fixed number of epochs with AdamW; the same seed gives the same network.

    Args:
        vectors: shape (samples, features).
        classes: class of each sample, shape (samples,), 0 to classes - 1.
        seed: seeds weights and batches.

    Returns:
        A function that returns log probabilities of the classes, shape (n, classes), for vectors (n, features).
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _build_network(vectors.shape[1], int(classes.max()) + 1)
        _train_network(network, torch.from_numpy(vectors), torch.from_numpy(classes))
    network.eval()

    def score(unseen: Array) -> Array:
        with torch.no_grad():
            found: Array = network(torch.from_numpy(unseen)).log_softmax(dim=1).numpy()
        return found

    return score


def _build_network(features: int, classes: int) -> Any:
    """Return an untrained network."""
    from torch import nn

    return nn.Sequential(
        nn.Dropout(DROPOUT),
        nn.Linear(features, HIDDEN),
        nn.BatchNorm1d(HIDDEN),
        nn.GELU(),
        nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN, classes),
    )


def _train_network(network: Any, vectors: Any, classes: Any) -> None:
    """Train a network in place on tensors of vectors (samples, features) and classes (samples,)."""
    import torch

    batches = max(1, len(vectors) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(vectors)).tensor_split(batches):
            loss = torch.nn.functional.cross_entropy(network(vectors[batch]), classes[batch])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            rates.step()
