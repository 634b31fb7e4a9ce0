"""Client of the AlignSAE server: read and steer the concepts in a language model.

    import alignsae
    with alignsae.Client("127.0.0.1:50051") as client:
        question = client.concepts()["birth_city"].example
        print(client.read(question)[0].top_concept)
        answer = client.swap(question, to="employer")
        print(answer.baseline.text, "->", answer.steered.text)

Beside it: alignsae.batch (a whole corpus), alignsae.ray_data, alignsae.frames (pandas),
alignsae.plots (matplotlib), alignsae.vectors (directions of a checkpoint as files),
alignsae.convert (the authors' .pt checkpoints).
"""
import pkgutil

# Stubs that protoc makes of the API are alignsae.v1; they may lie elsewhere on the path.
__path__ = pkgutil.extend_path(__path__, __name__)

# pylint: disable=wrong-import-position
from alignsae import answers, errors  # noqa: E402
from alignsae.aio import AsyncClient, AsyncStream  # noqa: E402
from alignsae.answers import to_dict  # noqa: E402
from alignsae.channels import Options  # noqa: E402
from alignsae.client import Client, Stream  # noqa: E402
from alignsae.edits import Edit, Text  # noqa: E402
from alignsae.errors import (AlignSaeError, BusyError, CallCancelledError,  # noqa: E402
                             DeadlineError, FieldViolation, InvalidArgumentError,
                             NonFiniteError, NotFoundError, NotLoadedError,
                             NotPermittedError, ServerError, UnavailableError)
from alignsae.retries import Retries  # noqa: E402

__all__ = [
    "AlignSaeError", "AsyncClient", "AsyncStream", "BusyError", "CallCancelledError", "Client",
    "DeadlineError", "Edit", "FieldViolation", "InvalidArgumentError", "NonFiniteError",
    "NotFoundError", "NotLoadedError", "NotPermittedError", "Options", "Retries", "ServerError",
    "Stream", "Text", "UnavailableError", "answers", "errors", "to_dict"]
