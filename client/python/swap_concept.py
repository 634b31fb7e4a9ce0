#!/usr/bin/env python3
"""Reads the concept of a question, then swaps it: AlignSAE from Python.

    client/python/make_stubs.sh /tmp/alignsae-stubs
    PYTHONPATH=/tmp/alignsae-stubs client/python/swap_concept.py \
        --server 127.0.0.1:50051 --to employer "Where was Ada Lunt born?"

Needs grpcio and protobuf (Debian: python3-grpcio, python3-protobuf).
"""
import argparse
import sys

import grpc
from alignsae.v1 import common_pb2, concept_service_pb2, concept_service_pb2_grpc
from alignsae.v1 import steering_service_pb2, steering_service_pb2_grpc


def read_concept(channel, question):
    """The top concept of `question`, and the probability of every concept."""
    answer = concept_service_pb2_grpc.ConceptServiceStub(channel).ReadConcepts(
        concept_service_pb2.ReadConceptsRequest(
            prompts=[common_pb2.Prompt(question=question)]), timeout=30)
    reading = answer.readings[0].reading
    names = [concept.name for concept in answer.concepts]
    return reading.top_concept, dict(zip(names, reading.probabilities))


def swap(channel, question, target):
    """The baseline's answer and the answer with the top concept swapped."""
    answer = steering_service_pb2_grpc.SteeringServiceStub(channel).Swap(
        steering_service_pb2.SwapRequest(
            prompt=common_pb2.Prompt(question=question),
            target=common_pb2.ConceptRef(name=target)), timeout=30)
    return answer.baseline.text.strip(), answer.steered.text.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="127.0.0.1:50051")
    parser.add_argument("--to", required=True, help="concept to swap in")
    parser.add_argument("question")
    arguments = parser.parse_args()
    with grpc.insecure_channel(arguments.server) as channel:
        try:
            concept, probabilities = read_concept(channel, arguments.question)
            baseline, steered = swap(channel, arguments.question, arguments.to)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
    for name, probability in sorted(probabilities.items(), key=lambda item: -item[1]):
        print(f"{name:12} {probability:.3f}")
    print(f"baseline ({concept}): {baseline}")
    print(f"steered ({arguments.to}): {steered}")


if __name__ == "__main__":
    main()
