import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from copilot.training import fit_classifier


def test_the_discriminant_analysis_is_that_of_scikit_learn() -> None:
    """Theirs divides by the number of samples, ours by the degrees of freedom; priors do not count in ours."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(6), 20)
    x = rng.normal(size=(6, 30))[labels] + rng.normal(size=(len(labels), 30))
    weights, bias = fit_classifier.lda(x, labels, 0.6)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.6).fit(x, labels)
    share = (len(x) - 6) / len(x)
    np.testing.assert_allclose(weights, share * theirs.coef_.T, atol=1e-12)
    np.testing.assert_allclose(bias, share * (theirs.intercept_ - np.log(theirs.priors_)), atol=1e-12)
