#!/usr/bin/env python3
"""The include check itself: it must see what it is there to see."""
import unittest

import check_includes


def says(path, include):
    return list(check_includes.complaints(path, f'#include "{include}"\n'))


class CheckIncludesTest(unittest.TestCase):
    def test_allows_a_folder_to_include_itself_and_what_lies_below(self):
        self.assertEqual(says("model/gpt2/gpt2.cc", "model/transformer/layers.h"), [])
        self.assertEqual(says("model/gpt2/gpt2.cc", "model/io/tensor_file.h"), [])
        self.assertEqual(says("model/gpt2/gpt2.cc", "ATen/ATen.h"), [])

    def test_refuses_what_lies_above(self):
        self.assertIn("must not include model/sae/sae.h",
                      says("model/gpt2/gpt2.cc", "model/sae/sae.h")[0])
        self.assertIn("must not include server/api/parse_env.h",
                      says("model/engine/engine.cc", "server/api/parse_env.h")[0])

    def test_allows_single_headers_only(self):
        self.assertEqual(says("model/scheduler/a.cc", "model/engine/step.h"), [])
        self.assertTrue(says("model/scheduler/a.cc", "model/engine/engine.h"))

    def test_keeps_torch_and_protobuf_out(self):
        self.assertTrue(says("server/api/parse.cc", "torch/torch.h"))
        self.assertTrue(says("model/engine/step.h", "ATen/ATen.h"))
        self.assertTrue(says("model/scheduler/a.cc", "grpcpp/grpcpp.h"))
        self.assertTrue(says("model/sae/sae.cc", "alignsae/v1/common.pb.h"))

    def test_keeps_grpc_out_of_the_api_and_protobuf_out_of_the_model(self):
        self.assertEqual(says("server/api/parse.cc", "alignsae/v1/common.pb.h"), [])
        self.assertTrue(says("server/api/parse.cc", "grpcpp/grpcpp.h"))
        self.assertTrue(says("server/api/parse.cc", "alignsae/v1/model_service.grpc.pb.h"))
        self.assertEqual(says("server/grpc/call.cc", "grpcpp/grpcpp.h"), [])
        self.assertTrue(says("model/engine/engine.cc", "google/protobuf/message.h"))

    def test_only_the_factory_names_a_family(self):
        self.assertTrue(says("model/engine/engine.cc", "model/gpt2/gpt2.h"))
        self.assertTrue(says("model/bundle/bundle.cc", "model/gpt2/config.h"))
        self.assertEqual(says("model/bundle/families.cc", "model/gpt2/gpt2.h"), [])

    def test_the_trainers_folders_have_an_order(self):
        self.assertEqual(says("model/train/eval/eval.cc", "model/train/sae/data.h"), [])
        self.assertTrue(says("model/train/sae/data.cc", "model/train/eval/eval.h"))

    def test_lets_main_wire_everything(self):
        self.assertEqual(says("server/main.cc", "model/engine/engine.h"), [])

    def test_main_sees_neither_torch_nor_the_trainer(self):
        self.assertTrue(says("server/main.cc", "ATen/ATen.h"))
        self.assertTrue(says("server/main.cc", "model/train/eval/eval.h"))

    def test_knows_every_folder(self):
        self.assertTrue(says("model/newfolder/x.cc", "string"))
        self.assertTrue(says("model/gpt2/gpt2.cc", "../sae/sae.h"))
        self.assertTrue(says("model/gpt2/gpt2.cc", "model/newfolder/x.h"))

    def test_keeps_tests_out_of_the_product(self):
        self.assertTrue(says("model/sae/sae.cc", "tests/support/status_matchers.h"))


if __name__ == "__main__":
    unittest.main()
