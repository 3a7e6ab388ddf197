"""Model FLOP utilization of a training step of four language models, and the operations that take the time.

Model FLOP utilization is the number of multiplications and additions per second that the models mathematically need,
divided by the rate that large matrix products of the same precision reach on the same devices in the same run. On CPU
it is measured with the model of docs/language_models/results.md in float32, on accelerators with models of the size of
OPT-350m in bfloat16. A profile of one generation shows which operations take the time; results/benchmarks/profile
holds all of it, for XProf or Perfetto.
"""

import re
import shutil
from collections import Counter
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from crossfeed.sim.lm.data.texts import Rows
from crossfeed.sim.lm.model.config import TransformerConfig, llama_config, opt_config
from crossfeed.sim.lm.model.placement import entity_mesh, place_models, place_rows, stack
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.study.study import TrainingSettings
from crossfeed.sim.lm.train.training import train, with_microbatch
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from timing import RESULTS, Claim, interleaved

ENTITIES, PAIRS, KINDS = 4, 5, 12
SMALL = llama_config(vocabulary=512, hidden=64, layers=5, heads=8, feed_forward=172, context=512, kv_heads=4)
OPT_350M = opt_config(50_272, 1024, 24, 16, 4096, 2048, word_embedding=512, norm_first=False, dtype="bfloat16")
ON_CPU = (SMALL, TrainingSettings(steps=8, batch=8, length=256), 2048)
ON_ACCELERATORS = (OPT_350M, TrainingSettings(steps=8, batch=8, length=512), 8192)
"""Model, training settings, and size of the matrices."""
TARGET = 0.3
"""Training of models of this size reaches 0.3 to 0.5 on accelerators."""

_PRODUCTS = re.compile(r"dot|gemm|matmul|cublas|cudnn|cutlass|nvjet|xmma|flash", re.IGNORECASE)
_CONTAINERS = re.compile(r"^(end: |while|call|conditional|Thunk|Threadpool)")


def measure() -> list[Claim]:
    with jax.enable_x64(False):  # as the command does
        return [_measure(*(ON_CPU if jax.default_backend() == "cpu" else ON_ACCELERATORS))]


def _measure(config: TransformerConfig, training: TrainingSettings, size: int) -> Claim:
    mesh = entity_mesh(ENTITIES, training.batch)
    models = place_models(stack([Transformer(config, rngs=nnx.Rngs(seed)) for seed in range(ENTITIES)]), mesh)
    shape = (ENTITIES, training.steps * training.batch, training.length)
    tokens = np.random.default_rng(0).integers(1, config.vocabulary, shape, np.int32)
    whole = [Rows(own, np.ones_like(own), np.ones(own.shape, bool)) for own in tokens]
    batches, settings = place_rows(whole, training.steps, mesh), with_microbatch(training, mesh)
    sharding = NamedSharding(mesh, PartitionSpec(("entity", "data")))
    matrices = jax.device_put(jnp.ones((mesh.size, size, size), config.dtype), sharding)
    square = jax.jit(jnp.matmul)

    def ours() -> object:
        return train(models, batches, settings)

    def products() -> jax.Array:
        return square(matrices, matrices)

    jax.block_until_ready((ours(), products()))
    pairs = interleaved(ours, products, PAIRS)
    needed = tokens.size * _flops_per_token(config, training.length)
    of_products = 2 * mesh.size * size**3
    kinds = _time_by_kind(ours)
    details = {
        "parameters": _parameters(config),
        "devices": mesh.size,
        "dtype": config.dtype,
        "training": str(settings),
        "seconds": pairs.a_seconds,
        "tokens_per_second": tokens.size / pairs.a_seconds,
        "model_flops_per_second": needed / pairs.a_seconds,
        "matrix_product_flops_per_second": of_products / pairs.b_seconds,
        "ratios": [ratio * needed / of_products for ratio in pairs.ratios],
        "time_in_products": sum(part for kind, part in kinds.items() if _PRODUCTS.search(kind)),
        "time_by_kind": dict(Counter(kinds).most_common(KINDS)),
    }
    statement = "model FLOP utilization of training 4 models, against large matrix products"
    return Claim(statement, pairs.ratio * needed / of_products, TARGET, details=details)


def _parameters(config: TransformerConfig) -> int:
    model = nnx.eval_shape(lambda: Transformer(config, rngs=nnx.Rngs(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(model))


def _flops_per_token(config: TransformerConfig, length: int) -> int:
    """FLOPs of a training step per token: six per parameter (Kaplan et al. 2020), plus attention.

    A token attends to half of its row on average.
    """
    attention = 12 * config.layers * config.heads * config.head_size * length // 2
    return 6 * _parameters(config) + attention


def _time_by_kind(run: Callable[[], object]) -> dict[str, float]:
    """Fraction of the devices' busy time by kind of operation."""
    folder = RESULTS / "profile"
    shutil.rmtree(folder, ignore_errors=True)
    with jax.profiler.trace(folder):
        jax.block_until_ready(run())
    (file,) = folder.rglob("*.xplane.pb")
    planes = list(jax.profiler.ProfileData.from_file(str(file)).planes)
    devices = [plane for plane in planes if plane.name.startswith("/device:")]
    lines = [line for plane in devices or planes for line in plane.lines if re.match(r"Stream|.*XLAEigen", line.name)]
    times = Counter()
    for line in lines:
        for event in line.events:
            if not _CONTAINERS.match(event.name):
                times[re.sub(r"[._\d]+$", "", event.name)] += event.duration_ns
    return {kind: time / times.total() for kind, time in times.items()}
