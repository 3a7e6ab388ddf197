"""The state-space form of any workflow in rational arithmetic, with each of its laws replaceable.

`formulas.state_space` computes it in floats. A check runs it with the laws as stated, and with altered ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from .exact import beside, block_diagonal, gram, identity, kron, power, stack, zero
from .rational import pseudo_inverse, total
from .workflow_rows import Estimates, Setting


def gain(training_gram: fmpq_mat, setting: Setting, first: bool) -> fmpq_mat:
    """Map of the weighted moment: (G + μI)⁺, or η Σ_{s<n} (I - ηG)ˢ for n gradient steps."""
    one = identity(training_gram.nrows())
    if setting.steps and not first:
        return setting.rate * total(power(one - setting.rate * training_gram, s) for s in range(setting.steps))
    return pseudo_inverse(training_gram + setting.penalty * one)


def carry(training_gram: fmpq_mat, setting: Setting, first: bool) -> fmpq_mat:
    """Map of the previous estimate: (I - ηG)ⁿ for n gradient steps, and otherwise 0."""
    one = identity(training_gram.nrows())
    return power(one - setting.rate * training_gram, setting.steps) if setting.steps and not first else 0 * one


def spread(write: fmpq_mat, noise: list[fmpq_mat]) -> fmpq_mat:
    """Joint covariance of all channels, Σ_j write[c, j] write[e, j] Cov(n_j)."""
    writes = kron(write, identity(noise[0].nrows()))
    return writes * block_diagonal(noise) * writes.transpose()


@dataclass(frozen=True)
class StateSpace:
    """Laws of the state-space form.

    Attributes:
        channels: the channels' matrices write (C × K) and read (K × C) for a matrix W of readers.
        kept: factor of the moments of earlier pools.
        pools: how many times the training data hold one generation's pool, at generation t.
        gain: map of the weighted moment.
        carry: map of the previous estimate.
        unseen: what the estimate misses of the truth.
        told: fraction of an entity's error that its labels pass on.
        label_noise: variance of one published label, from the fraction of human labels and the two variances.
        spread: joint covariance of all channels' moments from that of what each entity publishes.
    """

    channels: Callable[[fmpq_mat], tuple[fmpq_mat, fmpq_mat]] = lambda readers: (identity(readers.nrows()), readers)
    kept: Callable[[fmpq], fmpq] = lambda kept: kept
    pools: Callable[[fmpq, int], fmpq] = lambda kept, t: sum((kept**s for s in range(t)), fmpq(0))
    gain: Callable[[fmpq_mat, Setting, bool], fmpq_mat] = gain
    carry: Callable[[fmpq_mat, Setting, bool], fmpq_mat] = carry
    unseen: Callable[[fmpq_mat, fmpq_mat, fmpq_mat], fmpq_mat] = lambda gram, gain, carry: (
        identity(gram.nrows()) - gain * gram - carry
    )
    told: Callable[[fmpq], fmpq] = lambda fresh: 1 - fresh
    label_noise: Callable[[fmpq, fmpq, fmpq], fmpq] = lambda fresh, own, public: (1 - fresh) * own + fresh * public
    spread: Callable[[fmpq_mat, list[fmpq_mat]], fmpq_mat] = spread

    def run(self, setting: Setting) -> Iterator[Estimates]:
        """Estimates of generations 0..T, from the recursion of the state (z_t, e_{t-1})."""
        size, count = setting.size, setting.entities
        fresh = fmpq(setting.human, setting.copies)
        grams = [setting.copies * gram(x) for x in setting.inputs]
        private, public = [gram(x) for x in setting.private], gram(setting.public)
        write, read = self.channels(setting.readers)
        label_noise = [self.label_noise(fresh, setting.own_noise(j), setting.public_noise) for j in range(count)]
        noise = self.spread(write, [v * s for v, s in zip(label_noise, grams, strict=True)])
        publish = self.told(fresh) * kron(write, identity(size)) * block_diagonal(grams)
        states = (write.nrows() + count) * size
        noise = block_diagonal([noise, zero(count * size, count * size)])
        means, covariance = zero(states, (count + 2) * size), zero(states, states)
        kept = self.kept(setting.kept) * identity(write.nrows() * size)
        for t in range(setting.generations + 1):
            from_state, from_inputs = self._estimates(setting, t, private, public, grams, read)
            estimates = from_state * means + from_inputs
            yield _of_labels(setting, estimates, from_state * covariance * from_state.transpose())
            before = beside([kept, zero(write.nrows() * size, count * size)])
            feedback = stack([before + publish * from_state, from_state])
            means = feedback * means + stack([publish * from_inputs, from_inputs])
            covariance = feedback * covariance * feedback.transpose() + noise

    def _estimates(
        self,
        setting: Setting,
        generation: int,
        private: list[fmpq_mat],
        public: fmpq_mat,
        grams: list[fmpq_mat],
        read: fmpq_mat,
    ) -> tuple[fmpq_mat, fmpq_mat]:
        """Errors of all estimates as maps of the state, and of the moments u_1 … u_K, u_* and θ_*."""
        size, count = setting.size, setting.entities
        pools = self.pools(setting.kept, generation)
        from_channels: list[fmpq_mat] = []
        carries: list[fmpq_mat] = []
        from_inputs: list[fmpq_mat] = []
        for k in range(count):
            p, q = setting.real_weights(generation, k)
            alpha = setting.alpha[generation][k] if generation else fmpq(0)
            pool = total(setting.readers[k, j] * s for j, s in enumerate(grams))
            training = p * private[k] + q * public + alpha * pools * pool
            gains = self.gain(training, setting, not generation)
            carries.append(self.carry(training, setting, not generation))
            from_channels.append(beside([alpha * read[k, c] * gains for c in range(read.ncols())]))
            own = [p * gains if j == k else zero(size, size) for j in range(count)]
            from_inputs.append(beside([*own, q * gains, -self.unseen(training, gains, carries[-1])]))
        return beside([stack(from_channels), block_diagonal(carries)]), stack(from_inputs)


def _of_labels(setting: Setting, errors: fmpq_mat, covariance: fmpq_mat) -> Estimates:
    """The estimates as maps of labels and θ_*, from their errors θ̂ - θ_* as maps of moments X'(y - Xθ_*) and θ_*."""
    size, data = setting.size, [*setting.private, setting.public]
    width = len(data) * size
    rows = errors.tolist()
    of_moments = fmpq_mat([row[:width] for row in rows])
    of_truth = fmpq_mat([row[width:] for row in rows])
    everyone = stack([identity(size)] * setting.entities)
    expected = of_moments * stack([gram(x) for x in data])
    return Estimates(
        of_moments * block_diagonal([x.transpose() for x in data]), everyone + of_truth - expected, covariance
    )
