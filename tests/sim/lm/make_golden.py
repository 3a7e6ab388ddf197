"""Write tests/sim/lm/golden: logits and greedy completions of the tiny models by `transformers`.

Needs torch and transformers, the dependency group `parity` (pip install --group parity).
"""

# pyright: reportMissingImports=false
# torch and transformers are optional.

import tempfile
from pathlib import Path

import numpy as np
import torch
from tiny_models import BATCH, CONFIGS, LENGTHS, NEW_TOKENS, PROMPT, write_checkpoint
from transformers import AutoModelForCausalLM

GOLDEN = Path(__file__).parent / "golden"


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            write_checkpoint(Path(folder), name)
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, attn_implementation="eager"
            ).eval()
        mask = torch.arange(len(BATCH[0]))[None] < torch.tensor(LENGTHS)[:, None]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor(BATCH), attention_mask=mask.long()).logits.numpy()
            written = model.generate(
                torch.tensor([PROMPT]),
                attention_mask=torch.ones(1, len(PROMPT), dtype=torch.long),
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                min_new_tokens=NEW_TOKENS,
                eos_token_id=None,
                pad_token_id=0,
            )
        logits[1, LENGTHS[1] :] = 0  # padding: nothing to compare
        greedy = written[0, len(PROMPT) :].numpy().astype(np.int32)
        scores = np.sort(model(input_ids=written).logits.detach().numpy()[0, len(PROMPT) - 1 : -1], axis=-1)
        print(
            f"{name}: logits up to {abs(logits).max():.2f}, {len(set(greedy.tolist()))} different tokens, "
            f"smallest lead {(scores[:, -1] - scores[:, -2]).min():.1e}"
        )
        np.savez_compressed(GOLDEN / f"{name}.npz", logits=logits.astype(np.float32), greedy=greedy)


if __name__ == "__main__":
    main()
