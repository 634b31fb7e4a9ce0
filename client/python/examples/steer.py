# %% [markdown]
# # Read a concept, then steer it
# Runs as a notebook (VS Code, Jupytext, Spyder) or as a script, against a server:
# `alignsae-server --model=model/demo --whole-sae`, with its address in ALIGNSAE_SERVER.

# %%
import os

import alignsae

client = alignsae.Client(os.environ.get("ALIGNSAE_SERVER", "127.0.0.1:50051"))
loaded = client.model()
checkpoint = loaded.checkpoints[0]
print(f"{loaded.model.name}: {loaded.model.n_layer} blocks, {checkpoint.n_concepts} concepts "
      f"at {checkpoint.hook_point}")

# %% [markdown]
# ## Which concept is the model using?

# %%
question = client.concepts()["birth_city"].example
answer = client.read(question)
print(f"{question!r} is about {answer[0].top_concept} (margin {answer[0].margin:.2f})")
for name, probability in sorted(answer.probabilities().items(), key=lambda pair: -pair[1]):
    print(f"  {name:12} {probability:.3f}")

# %% [markdown]
# ## Swap it for another, and see the receipt

# %%
swapped = client.swap(question, to="employer")
receipt = swapped.steered.receipts[0]
print("baseline:", swapped.baseline.text.strip())
print("steered: ", swapped.steered.text.strip())
print(f"changed {receipt.positions_applied} position at {receipt.hook_point}, norm "
      f"{receipt.effects[0].change_norm:.1f} of {receipt.effects[0].residual_norm:.1f}")

# %% [markdown]
# ## How strong must it be?

# %%
sweep = client.sweep(question, to=["employer", "major"], alphas=[0.1, 0.5, 1, 2, 5])
for cell in sweep.cells[1:]:
    print(f"{cell.target} at {cell.alpha:g}: {cell.result.text.strip()}")

# %% [markdown]
# ## Token by token, with two interventions at once

# %%
for event in client.generate(question, ["swap:birth_city>major", "add:employer@0.5"],
                             max_new_tokens=12):
    if isinstance(event, alignsae.answers.TokenDelta):
        print(event.text, end="", flush=True)
    elif isinstance(event, alignsae.answers.ArmFinished):
        print(event.text_tail, f"[{event.finish_reason}]")

# %% [markdown]
# ## Frames and figures (`pip install 'alignsae[plots]'`)

# %%
try:
    from alignsae import frames, plots
except ImportError as missing:
    print(f"without frames and figures: {missing}")
else:
    print(frames.readings(answer).round(3).to_string())
    print(frames.sweep(sweep)[["target", "alpha", "changed", "strength"]].to_string())
    plots.inspection(client.inspect(question))
    plots.sweep(sweep)

# %%
client.close()
