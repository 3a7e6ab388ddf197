"""What one would write without this project: the consensus form in NumPy, and the paper's lifted form with SciPy."""

import numpy as np
from crossfeed.theory import Ecosystem
from scipy.linalg import block_diag, solve_discrete_lyapunov

Errors = tuple[np.ndarray, np.ndarray, float | None]


class NumpyConsensus:
    """Limit of the consensus form for one pair of weights; whatever does not depend on the weights is computed
    once."""

    def __init__(self, ecosystem: Ecosystem) -> None:
        self.private = np.asarray(ecosystem.private.gram)
        self.public = np.asarray(ecosystem.public.gram)
        self.noise_variance = float(ecosystem.public.noise_variance)
        self.weighted = np.asarray(ecosystem.shares[:, None, None] * ecosystem.synthetic.gram)
        self.pool = self.weighted.sum(0)
        self.pool_noise = np.einsum("k,kab->ab", ecosystem.shares**2, ecosystem.synthetic.moment_covariance)
        self.identity = np.eye(len(self.public))

    def __call__(self, alpha: float, beta: float) -> Errors:
        """MSE of every entity, MSPE of every entity on every task, and the spectral radius."""
        own, common = (1 - alpha) * beta, (1 - alpha) * (1 - beta)
        inverse = np.linalg.inv(own * self.private + (common * self.public + alpha * self.pool))
        published = self.weighted @ inverse
        total = published.sum(0)
        feedback = alpha * total
        radius = np.abs(np.linalg.eigvals(feedback)).max()
        resolvent = np.linalg.inv(self.identity - feedback)
        from_private = own * (resolvent @ published)
        from_public = common * (resolvent @ total)
        sampling = solve_discrete_lyapunov(feedback, self.pool_noise)
        # Covariances of the pool's moment with each entity's own data, with the public data, and with itself.
        with_own = self.noise_variance * (from_private @ self.private)
        with_public = self.noise_variance * (from_public @ self.public)
        received = (with_own @ from_private.swapaxes(1, 2)).sum(0) + with_public @ from_public.T + sampling
        crossed = alpha * (own * with_own + common * with_public)
        moment = self.noise_variance * (own**2 * self.private + common**2 * self.public) + alpha**2 * received
        covariance = inverse @ (moment + crossed + crossed.swapaxes(1, 2)) @ inverse
        return errors(covariance, self.private, radius)


class ScipyLifted:
    """Limit of the lifted form (Theorem 3), with Kd × Kd matrices and a Kd × Kd Stein equation."""

    def __init__(self, ecosystem: Ecosystem) -> None:
        entities, size = ecosystem.entities, ecosystem.dimension
        self.shape = entities, size
        self.private = np.asarray(ecosystem.private.gram)
        self.public = np.asarray(ecosystem.public.gram)
        self.noise_variance = float(ecosystem.public.noise_variance)
        self.lifted_private = np.asarray(block_diag(*self.private))
        self.stacked_public = np.tile(self.public, (entities, 1))
        synthetic = np.asarray(ecosystem.synthetic.gram)
        self.pooled = np.asarray(ecosystem.pool_gram)
        average = np.kron(np.outer(np.ones(entities), np.asarray(ecosystem.shares)), np.eye(size))
        self.averaged = average @ np.asarray(block_diag(*synthetic))
        self.synthetic_inverse = np.asarray(block_diag(*np.linalg.pinv(synthetic, rcond=1e-12, hermitian=True)))
        private_inverse = np.linalg.pinv(self.private, rcond=1e-12, hermitian=True)
        public_inverse = np.linalg.pinv(self.public, rcond=1e-12, hermitian=True)
        self.real_inverse = np.asarray(block_diag(*private_inverse, public_inverse))

    def __call__(self, alpha: float, beta: float, with_radius: bool = True) -> Errors:
        """The same results as those of `NumpyConsensus`."""
        own, common = (1 - alpha) * beta, (1 - alpha) * (1 - beta)
        inverses = np.linalg.inv(own * self.private + (common * self.public + alpha * self.pooled))
        inverse = np.asarray(block_diag(*inverses))
        real = inverse @ np.hstack([own * self.lifted_private, common * self.stacked_public])
        recursive = alpha * (inverse @ self.averaged)
        radius = np.abs(np.linalg.eigvals(recursive)).max() if with_radius else None
        mean_map = np.linalg.solve(np.eye(len(recursive)) - recursive, real)
        noise = self.noise_variance * recursive @ self.synthetic_inverse @ recursive.T
        conditional = solve_discrete_lyapunov(recursive, noise, method="bilinear")
        total = self.noise_variance * mean_map @ self.real_inverse @ mean_map.T + conditional
        entities, size = self.shape
        blocks = total.reshape(entities, size, entities, size)[np.arange(entities), :, np.arange(entities)]
        return errors(blocks, self.private, radius)


def errors(covariance: np.ndarray, private: np.ndarray, radius: float | None) -> Errors:
    """MSE, MSPE and the spectral radius of unbiased estimates with these covariances."""
    return np.trace(covariance, axis1=1, axis2=2), np.einsum("mab,kab->km", private, covariance), radius
