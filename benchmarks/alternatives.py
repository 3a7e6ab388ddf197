"""What one would otherwise write, in NumPy and SciPy: the same numbers, one grid point at a time."""

import numpy as np
from scipy.linalg import block_diag, solve_discrete_lyapunov


class Arrays:
    """An ecosystem as NumPy arrays."""

    def __init__(self, ecosystem):
        self.private, self.public, self.synthetic, self.shares = (
            np.asarray(x) for x in (ecosystem.private, ecosystem.public, ecosystem.synthetic, ecosystem.shares)
        )
        self.noise_variance = float(ecosystem.noise_variance)


def pseudo_inverse(grams):
    """Inverse on the range, right for any rank, as in crossfeed."""
    return np.linalg.pinv(grams, hermitian=True)


def consensus_limit(eco: Arrays, alpha: float, beta: float, invert=pseudo_inverse):
    """ρ(Q), MSE and MSPE by the consensus form; `invert` is `np.linalg.inv` where all G are known to have full rank."""
    private, public = (1 - alpha) * beta, (1 - alpha) * (1 - beta)
    size = len(eco.public)
    pool = np.tensordot(eco.shares, eco.synthetic, 1)
    inverse = invert(private * eco.private + public * eco.public + alpha * pool)
    publication = eco.shares[:, None, None] * (eco.synthetic @ inverse)
    feedback = alpha * publication.sum(0)
    radius = np.abs(np.linalg.eigvals(feedback)).max()
    noise = eco.noise_variance * np.tensordot(eco.shares**2, eco.synthetic, 1)
    sampling = solve_discrete_lyapunov(feedback, noise)
    resolvent = np.linalg.inv(np.eye(size) - feedback)
    own = eco.noise_variance * (resolvent @ (private * publication) @ eco.private)
    from_public = resolvent @ (public * publication.sum(0))
    common = eco.noise_variance * (from_public @ eco.public)
    from_private = resolvent @ (private * publication)
    received = (own @ from_private.transpose(0, 2, 1)).sum(0) + common @ from_public.T + sampling
    crossed = private * own + public * common
    real = eco.noise_variance * (private**2 * eco.private + public**2 * eco.public)
    moment = real + alpha * (crossed + crossed.transpose(0, 2, 1)) + alpha**2 * received
    covariance = inverse @ moment @ inverse
    mspe = np.tensordot(covariance, eco.private, axes=([1, 2], [1, 2]))
    return radius, np.trace(covariance, axis1=1, axis2=2), mspe


def lifted_limit(eco: Arrays, alpha: float, beta: float):
    """ρ(Q), MSE and MSPE by the paper's Kd × Kd formulas."""
    entities, size = eco.private.shape[:2]
    private, public = (1 - alpha) * beta, (1 - alpha) * (1 - beta)
    pool = np.tensordot(eco.shares, eco.synthetic, 1)
    inverse = pseudo_inverse(private * eco.private + public * eco.public + alpha * pool)
    real = np.hstack(
        [block_diag(*(private * inverse @ eco.private)), (public * inverse @ eco.public).reshape(-1, size)]
    )
    row = np.hstack(list(eco.shares[:, None, None] * eco.synthetic))
    recursive = np.vstack([alpha * block @ row for block in inverse])
    radius = np.abs(np.linalg.eigvals(recursive)).max()
    mean_map = np.linalg.solve(np.eye(entities * size) - recursive, real)
    noise = eco.noise_variance * block_diag(*pseudo_inverse(eco.synthetic))
    sampling = solve_discrete_lyapunov(recursive, recursive @ noise @ recursive.T)
    initial = block_diag(*pseudo_inverse(eco.private), pseudo_inverse(eco.public))
    joint = eco.noise_variance * mean_map @ initial @ mean_map.T + sampling
    blocks = joint.reshape(entities, size, entities, size)
    covariance = np.stack([blocks[k, :, k] for k in range(entities)])
    mspe = np.tensordot(covariance, eco.private, axes=([1, 2], [1, 2]))
    return radius, np.trace(covariance, axis1=1, axis2=2), mspe


def row_simulation(private_rows, public_rows, theta, alpha: float, beta: float, generations: int, replicates: int, rng):
    """MSE of every entity and generation by drawing every label, all replicates at once; σ² = 1, equal shares."""
    transposed = private_rows.transpose(0, 2, 1)
    gram, public_gram = transposed @ private_rows, public_rows.T @ public_rows
    private, public = (1 - alpha) * beta, (1 - alpha) * (1 - beta)
    first = np.linalg.inv(beta * gram + (1 - beta) * public_gram)
    inverse = np.linalg.inv(private * gram + public * public_gram + alpha * gram.mean(0))
    labels = (private_rows @ theta)[:, None] + rng.standard_normal((len(gram), replicates, private_rows.shape[1]))
    own = labels @ private_rows
    common = (public_rows @ theta + rng.standard_normal((replicates, len(public_rows)))) @ public_rows
    estimates = (beta * own + (1 - beta) * common) @ first
    errors = [((estimates - theta) ** 2).sum(-1).mean(1)]
    for _ in range(generations):
        labels = estimates @ transposed
        labels += rng.standard_normal(labels.shape)
        pool = (labels @ private_rows).mean(0)
        estimates = (private * own + public * common + alpha * pool) @ inverse
        errors.append(((estimates - theta) ** 2).sum(-1).mean(1))
    return np.array(errors)
