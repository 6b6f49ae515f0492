"""Divide vectors into nine clusters, and score how well the clusters and the emotions are separated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from copilot.emotions import EMOTIONS
from copilot.training.clusters.vectors import Embedded, Vectors
from copilot.training.faced import CorpusError

CLUSTERS = len(EMOTIONS)
SEED = 0
SHUFFLES = 100

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Row = dict[str, str | int | float]


def find_clusters(vectors: Vectors, distances: Floats) -> dict[str, Ints]:
    """Divide vectors into nine clusters by each method.

    Spectral clustering (von Luxburg 2007, arXiv 0711.0189) uses exp(-d^2 / median d^2) as the similarity.

    Args:
        vectors: shape (records, width).
        distances: between all vectors, shape (records, records).

    Returns:
        Method -> number of each record's cluster, shape (records,).
    """
    from sklearn.cluster import KMeans, SpectralClustering

    squared = distances**2
    similarity = np.exp(-squared / np.median(squared[squared > 0]))
    k_means = KMeans(CLUSTERS, n_init=10, random_state=SEED)
    spectral = SpectralClustering(CLUSTERS, affinity="precomputed", n_init=10, random_state=SEED)
    return {"K-Means": k_means.fit_predict(vectors), "spectral": spectral.fit_predict(similarity)}


def score_embedding(embedded: Embedded, emotions: Ints) -> tuple[list[Row], dict[str, Ints], Floats]:
    """Cluster one embedding and score the clusters.

    Scores are the silhouette (Rousseeuw 1987) of the clusters and of the emotions, and the adjusted Rand index (Hubert
    & Arabie 1985) between these two; 95 % of ``SHUFFLES`` shuffled emotions are below ``*_by_chance``.

    Args:
        embedded: the vectors.
        emotions: indices into ``EMOTIONS``, shape (records,).

    Returns:
        Rows of the report, the clusters by method, and a t-SNE map (van der Maaten & Hinton 2008), shape (records, 2).

    Raises:
        CorpusError: there are fewer different vectors than clusters.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.manifold import TSNE

    different = len(np.unique(embedded.vectors, axis=0))
    if different < CLUSTERS:
        raise CorpusError(f"Only {different} of the texts differ; {CLUSTERS} clusters need a corpus that varies more.")
    distances = squareform(pdist(embedded.vectors.astype(np.float64)))
    clusters = find_clusters(embedded.vectors, distances)
    facts = {"n": len(emotions), "different": different, "tokens": embedded.limit, "cut": embedded.cut}
    points: Floats = TSNE(random_state=SEED).fit_transform(embedded.vectors).astype(np.float64)
    return [{**facts, **row} for row in _score_clusters(distances, clusters, emotions)], clusters, points


def _score_clusters(distances: Floats, clusters: dict[str, Ints], emotions: Ints) -> Iterator[Row]:
    """Yield the scores of each method's clusters; ``distances`` has shape (records, records)."""
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    def silhouette(groups: Ints) -> float:
        return float(silhouette_score(distances, groups, metric="precomputed"))

    rng = np.random.default_rng(SEED)
    shuffled = [rng.permutation(emotions) for _ in range(SHUFFLES)]
    of_emotions, by_chance = silhouette(emotions), _chance_bound([silhouette(groups) for groups in shuffled])
    for method, groups in clusters.items():
        yield {
            "method": method,
            "silhouette_clusters": silhouette(groups),
            "silhouette_emotions": of_emotions,
            "silhouette_by_chance": by_chance,
            "ari": float(adjusted_rand_score(emotions, groups)),
            "ari_by_chance": _chance_bound([adjusted_rand_score(other, groups) for other in shuffled]),
        }


def _chance_bound(values: list[float]) -> float:
    """Return the value that 95 % are below."""
    return float(np.quantile(values, 0.95))
