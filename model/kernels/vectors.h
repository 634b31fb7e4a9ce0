// Vectors of 16 floats for the sources of this folder.
//
// They are the compiler's own (GCC and Clang): where the machine has none of
// 512 bits, the compiler cuts them. Nothing of the standard library is called,
// and everything has internal linkage: a function that two instruction sets
// shared could be linked from the wrong one.

#ifndef ALIGNSAE_MODEL_KERNELS_VECTORS_H_
#define ALIGNSAE_MODEL_KERNELS_VECTORS_H_

#include <cstddef>
#include <cstdint>

#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "model/kernels/kernels.h"

namespace alignsae {
namespace {

constexpr int kLanes = 16;
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));
using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Halves = uint16_t __attribute__((vector_size(2 * kLanes)));
using Bytes = uint8_t __attribute__((vector_size(kLanes)));

#define ALIGNSAE_INLINE inline __attribute__((always_inline))

ALIGNSAE_INLINE Floats Load(const float* from) {
  Floats x;
  __builtin_memcpy(&x, from, sizeof(x));
  return x;
}

// Bits of a bfloat16 are the upper half of a float's.
ALIGNSAE_INLINE Floats Load(const Bf16* from) {
  Halves halves;
  __builtin_memcpy(&halves, from, sizeof(halves));
  const Words words = __builtin_convertvector(halves, Words) << 16;
  return reinterpret_cast<Floats>(words);
}

ALIGNSAE_INLINE void Store(Floats x, float* to) {
  __builtin_memcpy(to, &x, sizeof(x));
}

// Rounds to nearest even. A NaN would become infinity when its low bits carry
// over; its quiet bit is set instead.
ALIGNSAE_INLINE Halves Narrowed(Floats x) {
  const Words bits = reinterpret_cast<Words>(x);
  const Words rounded = bits + 0x7fff + ((bits >> 16) & 1);
  const Words quiet = bits | 0x400000;
  const Words chosen = (x == x) ? rounded : quiet;
  return __builtin_convertvector(chosen >> 16, Halves);
}
ALIGNSAE_INLINE void Store(Floats x, Bf16* to) {
  const Halves halves = Narrowed(x);
  __builtin_memcpy(to, &halves, sizeof(halves));
}

ALIGNSAE_INLINE float Convert(const float* from) { return *from; }
ALIGNSAE_INLINE float Convert(const Bf16* from) {
  const uint32_t bits = static_cast<uint32_t>(*from) << 16;
  float x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}
ALIGNSAE_INLINE void Convert(float x, float* to) { *to = x; }
ALIGNSAE_INLINE void Convert(float x, Bf16* to) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  bits = x == x ? bits + 0x7fff + ((bits >> 16) & 1) : bits | 0x400000;
  *to = static_cast<Bf16>(bits >> 16);
}

ALIGNSAE_INLINE Floats Broadcast(float x) { return Floats{} + x; }

// a * b + c, rounded once where the machine can. The compiler fuses nothing by
// itself (-ffp-contract=off): it would do so in one place where a function is
// inlined and not in another, and equal rows would differ in their last bits.
ALIGNSAE_INLINE Floats MultiplyAdd(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return reinterpret_cast<Floats>(_mm512_fmadd_ps(reinterpret_cast<__m512>(a),
                                                  reinterpret_cast<__m512>(b),
                                                  reinterpret_cast<__m512>(c)));
#elif defined(__FMA__) || defined(__aarch64__)
#if defined(__FMA__)
  using Part = __m256;
#else
  using Part = float32x4_t;
#endif
  constexpr int kParts = sizeof(Floats) / sizeof(Part);
  Part x[kParts], y[kParts], z[kParts];
  __builtin_memcpy(x, &a, sizeof(a));
  __builtin_memcpy(y, &b, sizeof(b));
  __builtin_memcpy(z, &c, sizeof(c));
  for (int i = 0; i < kParts; ++i) {
#if defined(__FMA__)
    z[i] = _mm256_fmadd_ps(x[i], y[i], z[i]);
#else
    z[i] = vfmaq_f32(z[i], x[i], y[i]);
#endif
  }
  __builtin_memcpy(&c, z, sizeof(c));
  return c;
#else
  return a * b + c;
#endif
}
ALIGNSAE_INLINE Floats MultiplyAdd(Floats a, float b, Floats c) {
  return MultiplyAdd(a, Broadcast(b), c);
}
ALIGNSAE_INLINE Floats MultiplyAdd(Floats a, float b, float c) {
  return MultiplyAdd(a, Broadcast(b), Broadcast(c));
}
ALIGNSAE_INLINE Floats MultiplyAdd(Floats a, Floats b, float c) {
  return MultiplyAdd(a, b, Broadcast(c));
}

ALIGNSAE_INLINE Floats Max(Floats a, Floats b) { return a > b ? a : b; }
ALIGNSAE_INLINE Floats Abs(Floats x) { return x < 0 ? -x : x; }

// Always in the same order.
ALIGNSAE_INLINE float Sum(Floats x) {
  float lanes[kLanes];
  Store(x, lanes);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

ALIGNSAE_INLINE float MaxOf(Floats x) {
  float lanes[kLanes];
  Store(x, lanes);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) {
      if (lanes[i + width] > lanes[i]) lanes[i] = lanes[i + width];
    }
  }
  return lanes[0];
}

// exp(x), relative error below 2e-7; below -87 it is 0, above 88 it is held. A
// NaN stays one. Minimax polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes, Moshier
// 1989).
ALIGNSAE_INLINE Floats Exp(Floats x) {
  const Floats y = x > 88.0f ? Broadcast(88.0f) : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const Floats shifted = MultiplyAdd(y, 1.44269504f, 12582912.0f);
  const Floats n = shifted - 12582912.0f;
  const Floats f =
      MultiplyAdd(n, 2.12194440e-4f, MultiplyAdd(n, -0.693359375f, y));
  Floats p = MultiplyAdd(f, 1.9875691500e-4f, 1.3981999507e-3f);
  p = MultiplyAdd(p, f, 8.3334519073e-3f);
  p = MultiplyAdd(p, f, 4.1665795894e-2f);
  p = MultiplyAdd(p, f, 1.6666665459e-1f);
  p = MultiplyAdd(p, f, 5.0000001201e-1f);
  p = MultiplyAdd(p * f, f, f) + 1.0f;
  // Unsigned: what lies outside of the range wraps, and is not used.
  const Words scaled =
      reinterpret_cast<Words>(p) + (reinterpret_cast<Words>(shifted) << 23);
  const Floats result = (y == y) ? reinterpret_cast<Floats>(scaled) : y;
  return y < -87.0f ? Floats{} : result;
}

// x Phi(x) in the tanh form: x / (1 + exp(-2 u)).
ALIGNSAE_INLINE Floats GeluTanh(Floats x) {
  const Floats u =
      MultiplyAdd(x * x, 0.044715f, 1.0f) * x * 0.79788456080286535588f;
  return x / (1.0f + Exp(-2.0f * u));
}

}  // namespace
}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_VECTORS_H_
