"""Turns a checkpoint of the AlignSAE authors (1-hop or 2-hop .pt) into one that the server
loads with --sae.

    python -m alignsae.convert sae_best.pt --out sae/authors --hidden-state 6

--hidden-state is the index into hidden_states that the checkpoint was trained on, which it
does not say itself: L is the input of block L. (The authors' swap scripts edit one block
later, at the output of block L: --hook-output reads and edits there instead.)

Their encoder is linear: z = W_e h + b_e, and the relations are its last slots, trained to be
1 where a relation is asked and 0 elsewhere. So active_mean is 1 and threshold 0.5, unless a
file of measured ones is given. Value heads and the optimizer's state are left out. Needs
the extra "convert"; the file is read with weights_only, nothing in it is run.
"""
import argparse
import json
import pathlib
import pickle
import sys

import torch

from alignsae.checkpoints import save_sae

ONE_HOP = ("birth_date", "birth_city", "university", "major", "employer", "work_city")


class ConvertError(ValueError):
    """A file that is no such checkpoint, or arguments that do not fit it."""


def read_checkpoint(path):
    """The dict of the file. No code of it is run: tensors, plain containers and
    argparse.Namespace only."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as wrong:
        raise ConvertError(f"{path}: is no file of torch.save that holds only tensors and plain "
                           f"values: {str(wrong).splitlines()[0]}") from wrong
    if not isinstance(found, dict) or not isinstance(found.get("model_state_dict"), dict):
        raise ConvertError(f"{path}: must be a dict with model_state_dict")
    return found


def _argument(found, name):
    """A value of the top level or of the training's arguments, which may be a dict or a
    Namespace; None when neither has it."""
    arguments = found.get("args")
    arguments = vars(arguments) if isinstance(arguments, argparse.Namespace) else arguments or {}
    return found.get(name, arguments.get(name))


def _weights(state, path):
    """(encoder [F, D], encoder bias [F], decoder [D, F], decoder bias [D]) in float32."""
    names = ("encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias")
    missing = [name for name in names if not torch.is_tensor(state.get(name))]
    if missing:
        raise ConvertError(f"{path}: model_state_dict must have {missing[0]}")
    weights = [state[name].detach().float() for name in names]
    if weights[0].dim() != 2:
        raise ConvertError(f"{path}: encoder.weight: must have shape [F, D], got "
                           f"{list(weights[0].shape)}")
    f, d = weights[0].shape
    for name, value, shape in zip(names[1:], weights[1:], ([f], [d, f], [d])):
        if list(value.shape) != shape:
            raise ConvertError(f"{path}: {name}: must have shape {shape}, got "
                               f"{list(value.shape)}")
    return weights


def _slots(found, features, path):
    """(free features, relations), which the file says in several places."""
    relations = _argument(found, "n_relation")
    if not isinstance(relations, int) or not 1 <= relations <= features:
        raise ConvertError(f"{path}: n_relation: must be in [1, {features}], got {relations}")
    free = _argument(found, "n_free")
    if free is not None and free + relations != features:
        raise ConvertError(f"{path}: n_free + n_relation: must be {features}, the rows of "
                           f"encoder.weight, got {free} + {relations}")
    return features - relations, relations


def _concepts(free, relations, names, calibration):
    if names is None:
        names = ONE_HOP if relations == len(ONE_HOP) else [
            f"relation_{r}" for r in range(relations)]
    if len(names) != relations or len(set(names)) != relations:
        raise ConvertError(f"names: must be {relations} different ones, got {', '.join(names)}")
    unknown = set(calibration) - set(names)
    if unknown:
        raise ConvertError(f"calibration: {sorted(unknown)[0]}: must be one of the names")
    return [{"name": name, "slot": free + r, "description": "", "example": "",
             "active_mean": 1.0, "threshold": 0.5, **calibration.get(name, {})}
            for r, name in enumerate(names)]


def convert(path, out, *, hidden_state, hook_output=False, names=None, calibration=None):
    """Writes cfg.json and sae_weights.safetensors into `out`. `calibration` is {name:
    {"active_mean": c, "threshold": t}}. Returns the config."""
    if hidden_state < 0:
        raise ConvertError(f"hidden_state: must be 0 or above, got {hidden_state}; the last one "
                           "is behind the final layer norm, where there is no hook")
    found = read_checkpoint(path)
    encoder, encoder_bias, decoder, decoder_bias = _weights(found["model_state_dict"], path)
    features, width = encoder.shape
    free, relations = _slots(found, features, path)
    side = "post" if hook_output else "pre"
    config = {
        "architecture": "identity", "d_in": width, "d_sae": features, "dtype": "float32",
        "apply_b_dec_to_input": False, "normalize_activations": "none",
        "metadata": {"hook_name": f"blocks.{hidden_state}.hook_resid_{side}",
                     "converted_from": pathlib.Path(path).name},
        "alignsae": {"format_version": 1, "scale": 1.0,
                     "concepts": _concepts(free, relations, names, calibration or {})}}
    save_sae(out, config, {"W_enc": encoder.T.numpy(), "b_enc": encoder_bias.numpy(),
                           "W_dec": decoder.T.numpy(), "b_dec": decoder_bias.numpy()})
    return config


def main(arguments=None):
    parser = argparse.ArgumentParser("alignsae.convert", description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", help="the authors' .pt")
    parser.add_argument("--out", required=True, help="directory for cfg.json and the weights")
    parser.add_argument("--hidden-state", type=int, required=True, metavar="L",
                        help="index into hidden_states that it was trained on, >= 0")
    parser.add_argument("--hook-output", action="store_true",
                        help="read and edit the output of block L, as their swap scripts do")
    parser.add_argument("--names", type=lambda text: text.split(","),
                        help="of the relations, comma-separated (default: the 1-hop ones, or "
                        "relation_0, relation_1, ...)")
    parser.add_argument("--calibration", help='JSON file: {"name": {"active_mean": 0.9, '
                        '"threshold": 0.4}}')
    args = parser.parse_args(arguments)
    try:
        calibration = (json.loads(pathlib.Path(args.calibration).read_text("utf-8"))
                       if args.calibration else None)
        config = convert(args.checkpoint, args.out, hidden_state=args.hidden_state,
                         hook_output=args.hook_output, names=args.names, calibration=calibration)
    except (OSError, ValueError) as wrong:
        sys.exit(f"alignsae.convert: {wrong}")
    names = [row["name"] for row in config["alignsae"]["concepts"]]
    print(f"{args.out}: {config['d_sae']} features at {config['metadata']['hook_name']}, "
          f"concepts {', '.join(names)}")


if __name__ == "__main__":
    main()
