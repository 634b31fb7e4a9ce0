#include "model/transformer/attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <type_traits>
#include <vector>

#include "model/kernels/kernels.h"
#include "model/transformer/layers.h"

namespace alignsae {
namespace {

// Multiply-adds below which a second thread costs more than it brings.
constexpr int64_t kMinWork = int64_t{1} << 15;

// Parts into which a thread's share of the tasks is cut.
constexpr int64_t kRunsPerThread = 8;

// Queries of one row that one kernel call takes.
struct Piece {
  const PackedRow* row = nullptr;
  int first = 0;  // Of the row's tokens.
  int count = 0;  // [1, kMaxQueries]
};

std::vector<Piece> Pieces(const Packing& packing) {
  std::vector<Piece> pieces;
  for (const PackedRow& row : packing.rows) {
    for (int first = 0; first < row.length; first += kMaxQueries) {
      pieces.push_back(
          {&row, first, std::min(kMaxQueries, row.length - first)});
    }
  }
  return pieces;
}

// Numbers that the pieces read, per head.
int64_t Work(const std::vector<Piece>& pieces, int head_dim) {
  int64_t keys = 0;
  for (const Piece& piece : pieces) {
    keys += piece.count * (piece.row->start + piece.first + piece.count);
  }
  return keys * head_dim * 2;
}

// Runs task(i) for i in [0, count) on all threads, each taking the next few
// when it is done: tasks differ in length, and those that follow each other
// read memory that does.
template <typename Task>
void RunAll(int64_t count, bool parallel, const Task& task) {
  if (!parallel) {
    for (int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  const int64_t threads = at::get_num_threads();
  const int64_t run = std::max<int64_t>(1, count / (threads * kRunsPerThread));
  std::atomic<int64_t> next{0};
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    int64_t begin = 0;
    while ((begin = next.fetch_add(run, std::memory_order_relaxed)) < count) {
      const int64_t end = std::min(begin + run, count);
      for (int64_t i = begin; i < end; ++i) task(i);
    }
  });
}

template <typename E>
void StoreTokens(const at::Tensor& keys_values, const Packing& packing,
                 KvCache& cache, const AttentionShape& shape, int layer) {
  const Kernels& kernels = CpuKernels();
  const int head_dim = shape.head_dim;
  const float* data = keys_values.data_ptr<float>();
  const int64_t stride = keys_values.stride(0);
  const bool parallel = packing.tokens * shape.d_model() >= kMinWork;
  RunAll(static_cast<int64_t>(packing.rows.size()) * shape.n_head, parallel,
         [&](int64_t i) {
           const PackedRow& row = packing.rows[i / shape.n_head];
           const int head = static_cast<int>(i % shape.n_head);
           const HeadCache<E> to = cache.head<E>(layer, row.kv_slot, head);
           for (int t = 0; t < row.length; ++t) {
             const float* key = data + (row.offset + t) * stride +
                                static_cast<int64_t>(head) * head_dim;
             const float* value = key + shape.d_model();
             if constexpr (std::is_same_v<E, float>) {
               kernels.store_f32(key, value, head_dim, row.start + t, to);
             } else {
               kernels.store_bf16(key, value, head_dim, row.start + t, to);
             }
           }
         });
}

void RunKernel(const AttentionTask<float, float>& task) {
  CpuKernels().attend_f32(task);
}
void RunKernel(const AttentionTask<Bf16, Bf16>& task) {
  CpuKernels().attend_bf16(task);
}
void RunKernel(const AttentionTask<Bf16, float>& task) {
  CpuKernels().attend_bf16_to_f32(task);
}

template <typename E>
HeadCache<const E> ReadOnly(const HeadCache<E>& cache) {
  return {cache.keys, cache.values, cache.key_stride, cache.value_stride};
}

template <typename E, typename Out>
void Attend(const at::Tensor& queries, const Packing& packing,
            const KvCache& cache, const AttentionShape& shape, int layer,
            Out* context) {
  const std::vector<Piece> pieces = Pieces(packing);
  const int head_dim = shape.head_dim;
  const int64_t heads = shape.n_head;
  const bool parallel = Work(pieces, head_dim) * heads >= kMinWork;
  const float* data = queries.data_ptr<float>();
  const int64_t stride = queries.stride(0);
  const float scale = static_cast<float>(shape.scale);
  const int64_t scratch_size =
      kMaxQueries * PaddedPositions(cache.context_length());
  RunAll(static_cast<int64_t>(pieces.size()) * heads, parallel, [&](int64_t i) {
    thread_local std::vector<float> scratch;
    if (static_cast<int64_t>(scratch.size()) < scratch_size) {
      scratch.resize(scratch_size);
    }
    const Piece& piece = pieces[i / heads];
    const PackedRow& row = *piece.row;
    const int head = static_cast<int>(i % heads);
    const int64_t token = row.offset + piece.first;
    const int64_t of_head = static_cast<int64_t>(head) * head_dim;
    const int shared = row.fork.SharedAt(layer);
    AttentionTask<E, Out> task;
    task.queries = data + token * stride + of_head;
    task.query_stride = stride;
    task.count = piece.count;
    task.visible = row.start + piece.first + 1;
    task.shared = shared;
    task.own = ReadOnly(cache.head<E>(layer, row.kv_slot, head));
    task.prefix = shared > 0
                      ? ReadOnly(cache.head<E>(layer, row.fork.kv_slot, head))
                      : task.own;
    task.head_dim = head_dim;
    task.scale = scale;
    task.scratch = scratch.data();
    task.context = context + token * shape.d_model() + of_head;
    task.context_stride = shape.d_model();
    RunKernel(task);
  });
}

}  // namespace

void StoreKeysValues(const at::Tensor& keys_values, const Packing& packing,
                     KvCache& cache, const AttentionShape& shape, int layer) {
  if (cache.layout() == KvLayout::kPlain) {
    StorePlain(keys_values, packing, cache, shape, layer);
  } else if (cache.type() == KvType::kF32) {
    StoreTokens<float>(keys_values, packing, cache, shape, layer);
  } else {
    StoreTokens<Bf16>(keys_values, packing, cache, shape, layer);
  }
}

at::Tensor CachedAttention(const at::Tensor& queries, const Packing& packing,
                           const KvCache& cache, const AttentionShape& shape,
                           int layer, at::ScalarType type) {
  if (cache.layout() == KvLayout::kPlain) {
    return PlainAttention(queries, packing, cache, shape, layer).to(type);
  }
  at::Tensor context = at::empty({packing.tokens, shape.d_model()}, type);
  if (cache.type() == KvType::kF32) {
    Attend<float>(queries, packing, cache, shape, layer,
                  context.data_ptr<float>());
  } else if (type == at::kFloat) {
    Attend<Bf16>(queries, packing, cache, shape, layer,
                 context.data_ptr<float>());
  } else {
    Attend<Bf16>(queries, packing, cache, shape, layer,
                 reinterpret_cast<Bf16*>(context.data_ptr<at::BFloat16>()));
  }
  return context;
}

}  // namespace alignsae
