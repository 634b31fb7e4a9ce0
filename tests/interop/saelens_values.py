"""What sae-lens computes, for saelens_test.py; runs in its environment.

    saelens_values.py serve OUT              a GPT-2 and SAEs in OUT, expected.json with the
                                             features of each at each position of a prompt
    saelens_values.py load EXPORTED ORIGINAL fails unless sae-lens loads EXPORTED and computes
                                             what the formulas say of ORIGINAL
"""
import json
import pathlib
import sys

import safetensors.torch
import torch
from sae_lens import SAE
from transformers import GPT2LMHeadModel

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "golden")]
import huggingface_models  # noqa: E402
import make_saelens_golden  # noqa: E402

PROMPT = [5, 17, 200, 33, 260, 9]


def serve(out):
    model_directory = out / "model"
    tokenizer = huggingface_models.save_tokenizer("json", model_directory)
    huggingface_models.save_model("head", "f32", len(tokenizer), 0, model_directory)
    sys.argv = ["make_saelens_golden.py", str(out / "sae")]
    make_saelens_golden.main()
    torch.set_grad_enabled(False)
    model = GPT2LMHeadModel.from_pretrained(model_directory).eval()
    hidden = model(torch.tensor([PROMPT]), output_hidden_states=True).hidden_states
    expected = {}
    for directory in sorted((out / "sae").iterdir()):
        sae = SAE.load_from_disk(directory, device="cpu")
        post = "resid_post" in (directory / "cfg.json").read_text()
        # Two blocks: hidden_states[2] is behind ln_f, the output of block 1 is not.
        if post:
            seen = []
            handle = model.transformer.h[1].register_forward_hook(
                lambda _, __, value: seen.append(value[0] if isinstance(value, tuple) else value))
            model(torch.tensor([PROMPT]))
            handle.remove()
            h = seen[0].reshape(len(PROMPT), -1)
        else:
            h = hidden[1][0]
        if directory.name == "centered":
            h = h - h.mean(-1, keepdim=True)
        expected[directory.name] = sae.encode(h).tolist()
    (out / "expected.json").write_text(json.dumps({"prompt": PROMPT, "features": expected}))


def load(exported, original):
    torch.set_grad_enabled(False)
    sae = SAE.load_from_disk(exported, device="cpu")
    config = json.loads((original / "cfg.json").read_text())
    scale = config["alignsae"]["scale"]
    w = safetensors.torch.load_file(original / "sae_weights.safetensors")
    w = {name: value.float() for name, value in w.items()}
    h = scale * torch.randn(50, config["d_in"], generator=torch.Generator().manual_seed(1))
    z = torch.relu(h / scale @ w["W_enc"] + w["b_enc"])
    if config["architecture"] == "jumprelu":
        kept = z > w["threshold"]
        for concept in config["alignsae"]["concepts"]:
            kept[:, concept["slot"]] = True
        z = z * kept
    back = scale * (z @ w["W_dec"] + w["b_dec"])
    torch.testing.assert_close(sae.encode(h), z, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(sae.decode(z), back, atol=1e-3, rtol=1e-4)
    assert (z > 0).any()
    print(type(sae).__name__, "equal; scale was", scale)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(pathlib.Path(sys.argv[2]))
    else:
        load(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
