"""Random GPT-2s of transformers, for tests that compare with it."""
import torch


def draw_weights(model, generator):
    """Everything random, biases and layer norms too, at a scale that matters."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if ".ln_" in name and name.endswith("weight"):
                parameter.copy_(1 + 0.2 * noise)
            elif parameter.dim() == 1:
                parameter.copy_(0.1 * noise)
            elif "wpe" in name:
                # Above the tokens' share: text that hardly knows its place
                # falls into loops.
                parameter.copy_(1.5 * noise)
            elif "wte" in name or "lm_head" in name:
                parameter.copy_(0.6 * noise)
            else:
                parameter.copy_(noise * 1.6 / parameter.shape[0] ** 0.5)
